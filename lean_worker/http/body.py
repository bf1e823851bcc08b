"""Read a request body within limits and decode it outside the event loop."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import msgspec
from fastapi import HTTPException, Request

from lean_worker.http.limits import HttpLimits

T = TypeVar("T")
P = ParamSpec("P")

_SMALL = 8 << 10  # bytes of work that the event loop, or the threads for small work, may be given
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.S)

# large requests wait for each other, not small ones for large ones
_small_work = ThreadPoolExecutor(4, "http-small")
_large_work = ThreadPoolExecutor(2, "http-large")


async def offload(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in a thread; `size`, the characters or bytes it looks at, decides behind which other work it may wait."""
    pool = _small_work if size <= _SMALL else _large_work
    return await asyncio.wrap_future(pool.submit(work, *args, **kwargs))


async def read_bytes(request: Request, most: int) -> bytes:
    """Return the request's body. Refuse more than `most` bytes with 413."""
    declared = request.headers.get("content-length", "")
    too_large = HTTPException(413, f"the body is larger than {most} bytes; send less at once")
    if declared.isdigit() and (len(declared) > 18 or int(declared) > most):
        raise too_large
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise too_large
    return bytes(body)


async def read_json(request: Request, kind: type[T], most: int, limits: HttpLimits, *, empty: bytes = b"") -> T:
    """Return the request's JSON body as `kind`; an empty body counts as `empty`.

    Refuses with 413 what is larger than `most` bytes and with 422 what is not such JSON, or is nested too deeply.
    """
    body = await read_bytes(request, most) or empty
    if len(body) <= _SMALL:
        return decode(body, kind, limits)
    return await offload(len(body), decode, body, kind, limits)


def decode(body: bytes, kind: type[T], limits: HttpLimits) -> T:
    """Decode JSON within the limits. Raise HTTPException 422 with one sentence for anything else."""
    _check_nesting(body, limits)
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:  # DecodeError, UnicodeDecodeError and numbers of too many digits are ValueErrors
        reason = " ".join(str(error).split())[:300]
        raise HTTPException(422, f"the body is not what this address expects ({reason}); see /docs") from error


def _check_nesting(body: bytes, limits: HttpLimits) -> None:
    if body.count(b"[") + body.count(b"{") <= limits.max_nesting:
        return
    depth = 0
    for parts, mark in enumerate(_MARK.finditer(body)):
        byte = body[mark.start()]
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > limits.max_nesting:
            raise HTTPException(422, f"the body is nested more than {limits.max_nesting} levels deep; flatten it")
        if parts > limits.max_json_parts:
            raise HTTPException(422, f"the body holds more than {limits.max_json_parts} strings, arrays and objects; split it")
