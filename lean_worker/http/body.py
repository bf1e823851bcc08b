"""Request bodies: reading within limits, and decoding outside the event loop."""

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import msgspec
from fastapi import HTTPException, Request

from lean_worker.http.limits import HttpLimits

T = TypeVar("T")
P = ParamSpec("P")

_SMALL = 8 << 10  # largest amount of work, in bytes, for the event loop and the threads for small work
_FREE = 64 << 10  # bytes of each body that do not count; the connection limit bounds them
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.S)

# large requests queue behind each other, and small ones do not queue behind large ones
_small_work = ThreadPoolExecutor(4, "http-small")
_large_work = ThreadPoolExecutor(2, "http-large")


async def offload(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in a thread. `size`, the number of characters or bytes it processes, selects the queue it waits in."""
    pool = _small_work if size <= _SMALL else _large_work
    return await asyncio.wrap_future(pool.submit(work, *args, **kwargs))


@contextmanager
def _bodies(request: Request, limits: HttpLimits) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the bytes received so far and counts them among those of all bodies, until the block ends.

    It raises HTTPException 503 if they exceed `limits.max_bodies_bytes`. The first bytes of each body are free, so that small requests
    are answered next to large ones.
    """
    state, own = request.app.state, 0

    def count(received: int) -> None:
        nonlocal own
        more = max(0, received - _FREE) - own
        held = getattr(state, "bodies_bytes", 0) + more
        if more and held > limits.max_bodies_bytes:
            sentence = f"body: {held} bytes of requests are being received, more than {limits.max_bodies_bytes}; try again later"
            raise HTTPException(503, sentence, {"Retry-After": "5"})
        state.bodies_bytes, own = held, own + more

    try:
        yield count
    finally:
        state.bodies_bytes = getattr(state, "bodies_bytes", 0) - own


async def read_bytes(request: Request, most: int, count: Callable[[int], None] = lambda received: None) -> bytes:
    """Return the request's body; pass the number of bytes received so far to `count`, after each piece.

    Raises:
        HTTPException: 413 for more than `most` bytes.
    """
    declared = request.headers.get("content-length", "")
    too_large = HTTPException(413, f"body: larger than {most} bytes; split the request")
    if declared.isdigit() and (len(declared) > 18 or int(declared) > most):
        raise too_large
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise too_large
        count(len(body))
    return bytes(body)


async def read_json(request: Request, kind: type[T], most: int, limits: HttpLimits, *, empty: bytes = b"") -> T:
    """Return the request's JSON body as `kind`; an empty body counts as `empty`.

    Raises:
        HTTPException: 413 for more than `most` bytes; 422 for a body that is not JSON of this kind or is nested too deeply; 503 if
            the bodies of all requests take too much memory.
    """
    with _bodies(request, limits) as count:
        body = await read_bytes(request, most, count) or empty
        if len(body) <= _SMALL:
            return decode(body, kind, limits)
        return await offload(len(body), decode, body, kind, limits)


def decode(body: bytes, kind: type[T], limits: HttpLimits) -> T:
    """Decode JSON within the limits. Raise HTTPException 422 with one sentence if that fails."""
    _check_nesting(body, limits)
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:  # DecodeError, UnicodeDecodeError and numbers of too many digits are ValueErrors
        reason = " ".join(str(error).split())[:300]
        raise HTTPException(422, f"body: {reason}; see /docs") from error


def _check_nesting(body: bytes, limits: HttpLimits) -> None:
    if body.count(b"[") + body.count(b"{") <= limits.max_nesting:
        return
    depth = 0
    for parts, mark in enumerate(_MARK.finditer(body)):
        byte = body[mark.start()]
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > limits.max_nesting:
            raise HTTPException(422, f"body: nested more than {limits.max_nesting} levels deep; flatten it")
        if parts > limits.max_json_parts:
            raise HTTPException(422, f"body: more than {limits.max_json_parts} strings, arrays and objects; split the request")
