"""What any of our HTTP services needs: who may ask, how much they may send, when they have gone, and where to listen."""

import asyncio
import contextlib
import hmac
import ipaddress
import os
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Header, HTTPException, Request
from starlette.types import Receive

from lean_worker.errors import LeanWorkerError

T = TypeVar("T")


class ServeError(LeanWorkerError):
    """The service cannot be started; the message says what to change."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to `host`, 0 for any free port. Raises ServeError where that cannot be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(2048)
        except BaseException:
            bound.close()
            raise
    except OSError as error:
        raise ServeError(f"cannot listen on {host}:{port} ({error.strerror}); give another --port or --host") from error
    bound.set_inheritable(False)
    return bound


def read_key(file: Path | None, variable: str) -> str | None:
    """The first line of `file`, else the environment's `variable`, else None. Raises ServeError for a file without a key."""
    if file is None:
        return os.environ.get(variable) or None
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ServeError(f"{file} cannot be read ({error}); name a readable file whose first line is the key") from error
    if not lines or not lines[0].strip():
        raise ServeError(f"{file}: the first line is empty; write the key there")
    return lines[0].strip()


class ClientGone(Exception):
    """The client hung up before its answer was ready."""


def guard(key: str | None) -> Any:
    """A dependency that lets pass who carries the bearer key, or everybody where there is none."""

    async def allowed(authorization: Annotated[str, Header(include_in_schema=False)] = "") -> None:
        if key is not None:
            scheme, _, given = authorization.partition(" ")
            # compared as bytes: compare_digest refuses text outside ASCII
            if not hmac.compare_digest(given.strip().encode(), key.encode()) or scheme.lower() != "bearer":
                raise HTTPException(401, "this service wants `Authorization: Bearer KEY` with its key", {"WWW-Authenticate": "Bearer"})

    return allowed


async def hung_up(receive: Receive) -> None:
    """Returns when the client has gone. The body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled where the client hangs up; then raises ClientGone. The body must have been read."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(hung_up(request.receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def read_bytes(request: Request, most: int) -> bytes:
    """The request's body. Refuses more than `most` bytes with 413."""
    declared = request.headers.get("content-length", "")
    too_large = HTTPException(413, f"the body is larger than {most} bytes; send less at once")
    if declared.isdigit() and int(declared) > most:
        raise too_large
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise too_large
    return bytes(body)


async def read_body(request: Request, kind: type[T], most: int) -> T:
    """The request's body as `kind`. Refuses more than `most` bytes with 413 and what is no such JSON with 422."""
    try:
        return msgspec.json.decode(await read_bytes(request, most), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(422, f"the body is not what this address expects ({error}); see /docs") from error
