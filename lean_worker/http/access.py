"""Access control for HTTP requests: bearer key, browser checks, content type and the security headers of every response.

A web page can send requests to a service on the reader's own machine, but it cannot know a key. A service without a key therefore accepts
only Host and Origin values of an allow-list, which stops DNS rebinding and cross-site requests.
"""

import asyncio
import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lean_worker.http.connection import ClientGone

_log = logging.getLogger("lean_worker.http")

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(?::\d{1,5})?")
_JSON = re.compile(r'application/json\s*(;\s*charset\s*=\s*"?utf-?8"?\s*)?', re.I)
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_WORDS = {
    "Not Found": "this path does not exist; see /docs",
    "Method Not Allowed": "this path does not support this method; see /docs",
}
_CLIENT_CLOSED_REQUEST = 499
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_ON_EVERY_ANSWER = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

Refuse = Callable[[int, str, Mapping[str, str]], Response]
Refusal = tuple[int, str, dict[str, str]]


def plain_refusal(status: int, sentence: str, headers: Mapping[str, str]) -> Response:
    """Return a JSON response `{"detail": sentence}`."""
    return JSONResponse({"detail": sentence}, status, dict(headers))


@dataclass(frozen=True)
class Access:
    """Access rules of one service.

    Attributes:
        key: the bearer key that every request must carry, except to `open_paths`; None admits every client.
        open_paths: paths that need no key.
        hosts: host names without port that Host and Origin may have on a service without a key, in addition to loopback names.
        refuse: builds the response from status, sentence and headers, in the format that the service's clients expect.
    """

    key: str | None = field(default=None, repr=False)
    open_paths: frozenset[str] = frozenset({"/health", "/docs", "/openapi.json"})
    hosts: tuple[str, ...] = ()
    refuse: Refuse = plain_refusal


def protect(app: FastAPI, access: Access) -> None:
    """Apply `access` to every request to `app`, add the security headers to every response, and log it.

    An HTTPException becomes a refusal, a client that disconnects gets 499, and any other exception becomes a 500 without a traceback.
    """

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        sentence = _WORDS.get(str(error.detail), str(error.detail))
        return access.refuse(error.status_code, sentence, error.headers or {})

    @app.exception_handler(ClientGone)
    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: Exception) -> Response:
        return access.refuse(_CLIENT_CLOSED_REQUEST, "the client disconnected", {})

    app.add_middleware(_Gate, access=access)


class _Gate:
    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access
        self._hosts = _LOCAL_HOSTS | {_bracketed(host.lower()) for host in access.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = _Answer(receive, send, _has_body(headers))
        try:
            refused = self._refusal(scope["method"], scope["path"], headers)
            await (self._app if refused is None else self._access.refuse(*refused))(scope, answer.receive, answer.send)
        except asyncio.CancelledError:
            stopping: Refusal = (503, "the service is shutting down; try again later", {"Retry-After": "5"})
            await self._respond_early(stopping, scope, receive, answer)
        except Exception:
            _log.exception("request %s failed", answer.id)
            failure: Refusal = (500, f"internal error; see request {answer.id} in the service's log", {})
            await self._respond_early(failure, scope, receive, answer)
        finally:
            answer.log(scope)

    async def _respond_early(self, refusal: Refusal, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        """Respond with `refusal`. If a response has begun, leave it unfinished, which breaks the connection."""
        if not answer.status:
            await self._access.refuse(*refusal)(scope, receive, answer.send)

    def _refusal(self, method: str, path: str, headers: Headers) -> Refusal | None:
        access = self._access
        if access.key is None:
            if reason := _foreign(headers, self._hosts):
                return 403, reason, {}
        elif path not in access.open_paths and not has_key(headers, access.key):
            return 401, "the key is missing or wrong; send it as `Authorization: Bearer KEY`", {"WWW-Authenticate": "Bearer"}
        if method in _WITH_BODY and (reason := _not_json(headers)):
            return 415, reason, {}
        return None


class _Answer:
    """Response to one request, observed on its way out."""

    def __init__(self, receive: Receive, send: Send, has_body: bool) -> None:
        self.id = secrets.token_hex(8)
        self.status = 0
        self._receive, self._send = receive, send
        self._unread = has_body
        self._began = time.monotonic()

    async def receive(self) -> Message:
        message = await self._receive()
        if not message.get("more_body"):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _ON_EVERY_ANSWER.items():
                headers.setdefault(name, value)
            headers["x-request-id"] = self.id
            if self._unread:  # the connection will be closed, so the client must not reuse it
                headers["connection"] = "close"
        await self._send(message)

    def log(self, scope: Scope) -> None:
        path = scope["path"][:200].encode("unicode_escape").decode()
        milliseconds = round((time.monotonic() - self._began) * 1e3, 1)
        about = {"request": self.id, "method": scope["method"], "path": path, "status": self.status, "milliseconds": milliseconds}
        _log.info("%(method)s %(path)s %(status)d %(milliseconds).1f ms %(request)s", about, extra={"fields": about})


def has_key(headers: Headers, key: str) -> bool:
    """Return whether the request carries the bearer key."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    # compared as bytes: compare_digest refuses text outside ASCII
    return hmac.compare_digest(given.strip().encode(), key.encode()) and scheme.lower() == "bearer"


def _foreign(headers: Headers, hosts: frozenset[str]) -> str | None:
    """Return why the request may come from a foreign web page, or None."""
    remedy = "allow its host when starting the service, or set a key"
    host = headers.get("host")
    if host is not None and _host_name(host) not in hosts:
        return f"Host {host[:100]!r} is not allowed; {remedy}"
    origin = headers.get("origin")
    if origin is not None and _origin_name(origin) not in hosts:
        return f"Origin {origin[:100]!r} is not allowed; {remedy}"
    if headers.get("sec-fetch-site", "").strip().lower() == "cross-site":
        return "cross-site requests are not allowed; open the URL directly, or set a key"
    return None


def _host_name(value: str) -> str | None:
    match = _HOST.fullmatch(value.strip().lower())
    return match[1].removesuffix(".") if match else None


def _origin_name(value: str) -> str | None:
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return None
    return _host_name(parts.netloc) if parts.scheme in ("http", "https") else None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0").strip("0") != "" or "transfer-encoding" in headers


def _not_json(headers: Headers) -> str | None:
    """Return why a request body is not declared as plain JSON, or None if it is or if there is no body."""
    if not _has_body(headers):
        return None
    kinds = headers.getlist("content-type")
    if len(kinds) != 1 or not _JSON.fullmatch(kinds[0].strip()):
        return f"Content-Type is {', '.join(kinds)[:100] or 'missing'!r}; send JSON as application/json (curl: --json, or -H)"
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        return "Content-Encoding is not supported; send the body uncompressed"
    return None
