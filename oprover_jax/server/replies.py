"""HTTP responses: JSON, server-sent events, and errors in a format that clients of both APIs understand."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar

import msgspec
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lean_worker.http import ClientGone, hung_up
from lean_worker.http import read_json as read_body
from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import EngineError
from oprover_jax.server.metrics import Metrics
from oprover_jax.server.service import Full
from oprover_jax.server.settings import ServerSettings

T = TypeVar("T")

_CLIENT_CLOSED_REQUEST = 499
_RETRY_LATER = {"Retry-After": "5"}
_MAX_SENTENCE = 1000


def json_reply(value: Any, status: int = 200) -> Response:
    """Return `value` as a JSON response."""
    return RawJson(msgspec.json.encode(value), status)


class RawJson(Response):
    """Response with encoded JSON."""

    media_type = "application/json"


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error response `{"error": {...}}` for clients of both APIs; 429 and 503 include Retry-After."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    if len(sentence) > _MAX_SENTENCE:
        sentence = f"{sentence[:_MAX_SENTENCE]}..."
    body = {"error": {"message": sentence, "type": kind, "param": None, "code": status}}
    later = _RETRY_LATER if status in (429, 503) else {}
    return RawJson(msgspec.json.encode(body), status, {**later, **(headers or {})})


async def read_json(request: Request, kind: type[T], settings: ServerSettings, most: int | None = None) -> T:
    """Return the decoded body of a request; an empty body is read as `{}`.

    Args:
      request: Request whose body is read.
      kind: Expected type.
      settings: Limits of the server.
      most: Maximum size in bytes; defaults to the general limit.

    Raises:
      InputError: The body is not valid JSON of this type.
    """
    try:
        return await read_body(request, kind, min(settings.max_body_bytes, most or settings.max_body_bytes), settings.http, empty=b"{}")
    except HTTPException as error:
        if error.status_code == 422:  # SGLang and OpenAI respond with 400
            raise InputError(error.detail) from error
        raise


class EventStream(Response):
    """Stream of server-sent events, one per JSON value, followed by `[DONE]`.

    An engine failure is sent as an event with an `error`. When the client disconnects, the stream stops and closes `values`. `held` is
    always closed at the end.
    """

    media_type = "text/event-stream"

    def __init__(self, values: AsyncIterator[Any], held: ExitStack) -> None:
        super().__init__(headers={"cache-control": "no-cache"})
        del self.headers["content-length"]
        self._values, self._held = values, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            sending = asyncio.ensure_future(self._send(send))
            gone = asyncio.ensure_future(hung_up(receive))
            try:
                await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()
            finally:
                gone.cancel()
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        async def event(data: bytes) -> None:
            await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})

        try:
            async for value in self._values:
                await event(msgspec.json.encode(value))
        except EngineError as error:
            await event(bytes(refusal(503, str(error)).body))
        finally:
            await self._values.aclose()  # type: ignore[attr-defined]
        await event(b"[DONE]")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def counted_refusal(metrics: Metrics, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a `refusal` and count it in the metrics."""
    metrics.refused(status)
    return refusal(status, sentence, headers)


def add_refusals(app: FastAPI, metrics: Metrics) -> None:
    """Register exception handlers that turn errors of the routes into responses."""

    answer = partial(counted_refusal, metrics)

    @app.exception_handler(InputError)
    async def wrong(request: Request, error: InputError) -> Response:
        return answer(400, str(error))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return answer(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Full)
    async def full(request: Request, error: Full) -> Response:
        return answer(429, str(error))

    @app.exception_handler(EngineError)
    async def failed(request: Request, error: EngineError) -> Response:
        return answer(503, str(error))

    @app.exception_handler(ClientGone)
    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: Exception) -> Response:
        metrics.refused(_CLIENT_CLOSED_REQUEST)
        return Response(status_code=_CLIENT_CLOSED_REQUEST)
