"""The HTTP kit under a small application: every limit has its answer, in one sentence, and the service goes on."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import http_servers
import httpx2
import pytest
from fastapi import FastAPI, Request
from malformed import Malformed, send
from starlette.responses import JSONResponse, Response
from watching import until

from lean_worker.http import Access, HttpLimits, add_docs, offload, protect, read_json, while_connected

pytestmark = pytest.mark.lean

LIMITS = HttpLimits(
    max_head_bytes=8_000,
    max_headers=30,
    max_connections=20,
    head_seconds=0.6,
    body_seconds=0.6,
    keep_alive_seconds=1,
    write_seconds=1.0,
    grace_seconds=1,
    max_nesting=8,
    max_json_parts=1000,
)
MOST = 20_000
POST = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = f"{POST}Transfer-Encoding: chunked\r\n\r\n"


def application(access: Access) -> FastAPI:
    app = FastAPI(title="small", docs_url=None, redoc_url=None)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        return JSONResponse(await read_json(request, dict[str, Any], MOST, LIMITS))

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError("a secret of the service")

    @app.get("/large")
    async def large() -> Response:
        return Response(bytes(50_000_000))

    @app.get("/wait")
    async def wait(request: Request) -> Response:
        await while_connected(request, asyncio.sleep(60))
        return Response()

    add_docs(app)
    protect(app, access)
    return app


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http_servers.thread(application(Access(hosts=("prover.example",))), LIMITS) as address:
        yield address


@pytest.fixture(scope="module")
def keyed() -> Iterator[str]:
    with http_servers.thread(application(Access("a-key")), LIMITS) as address:
        yield address


def place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


def exchange(url: str, *pieces: str | bytes) -> tuple[tuple[int, ...], str]:
    """Statuses of the answers to these bytes, and the last body."""
    sent = tuple(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)
    answer = send(place(url), Malformed("", sent))
    assert not answer.broken, answer.text
    return answer.statuses, answer.text.rpartition("\r\n\r\n")[2]


def get(*headers: str, path: str = "/health", host: str = "localhost", method: str = "GET") -> str:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""])


def post(body: str | bytes, *headers: str, kind: str = "Content-Type: application/json") -> bytes:
    content = body if isinstance(body, bytes) else body.encode()
    head = ["POST /echo HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}", *headers, *([kind] if kind else []), "", ""]
    return "\r\n".join(head).encode() + content


def healthy(client: socket.socket) -> bytes:
    """Ask /health on an open connection, and read the answer to its end."""
    client.sendall(get().encode())
    received = b""
    while not received.endswith(b"}"):
        piece = client.recv(10_000)
        assert piece, received
        received += piece
    return received


def nested(levels: int) -> str:
    return '{"a": ' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


# what is sent, the answer's status, and words of its sentence
ANSWERS: dict[str, tuple[str | bytes, int, str]] = {
    "as it should be": (get(), 200, "ok"),
    "a whole header block that is too long": (get("X: " + "a" * 9_000), 431, "longer than 8000 bytes"),
    "a header that never ends": ("GET / HTTP/1.1\r\nHost: x\r\nX: " + "a" * 3_000_000, 431, "longer than 8000 bytes"),
    "a long target": (get(path="/" + "a" * 9_000), 431, "longer than 8000 bytes"),
    "31 headers": (get(*["A: b"] * 31), 431, "more than 30 headers"),
    "a flood of short headers": ("GET / HTTP/1.1\r\n" + "a:\r\n" * 200_000, 431, "headers"),
    "28 headers": (get(*["A: b"] * 28), 200, "ok"),
    "no HTTP": ("\x16\x03\x01\r\n\r\n", 400, "not valid HTTP"),
    "two hosts": (get("Host: localhost"), 400, "multiple Host"),
    "no host": ("GET /health HTTP/1.1\r\n\r\n", 400, "Host"),
    "two lengths": (post("{}", "Content-Length: 5"), 400, "Content-Length"),
    "a length and chunks": (f"{POST}Content-Length: 3\r\nTransfer-Encoding: gzip\r\n\r\nabc", 400, "Transfer-Encoding"),
    "a bad chunk": (f"{CHUNKED}zz\r\n", 400, "not valid HTTP"),
    "tiny chunks": (CHUNKED + "1\r\n \r\n" * 15_000, 400, "tiny"),
    "a long chunk extension": (f"{CHUNKED}2;{'a' * 90_000}", 431, ""),
    "endless trailers": (f"{CHUNKED}2\r\n{{}}\r\n0\r\n" + "a: b\r\n" * 20_000, 431, ""),
    "chunks": (f"{CHUNKED}2\r\n{{}}\r\n0\r\n\r\n", 200, "{}"),
    "a large body, declared": (f"{POST}Content-Length: 20001\r\n\r\n", 413, "larger than 20000 bytes"),
    "a huge length": (f"{POST}Content-Length: {'9' * 18}\r\n\r\n", 413, "larger than 20000 bytes"),
    "a large body, in chunks": (f"{CHUNKED}4e21\r\n" + "a" * 0x4E21, 413, "larger than 20000 bytes"),
    "a large body that goes on": (f"{CHUNKED}fffffff\r\n" + "a" * 5_000_000, 413, "larger than 20000 bytes"),
    "the largest body": (post("{" + " " * (MOST - 2) + "}"), 200, "{}"),
    "a form": (post("{}", kind="Content-Type: application/x-www-form-urlencoded"), 415, "application/json"),
    "no type": (post("{}", kind=""), 415, "'missing'"),
    "two types": (post("{}", "Content-Type: text/plain"), 415, "application/json"),
    "another charset": (post("{}", kind="Content-Type: application/json; charset=utf-16"), 415, "application/json"),
    "this charset": (post("{}", kind='content-type: APPLICATION/JSON; charset="UTF-8"'), 200, "{}"),
    "compressed": (post("{}", "Content-Encoding: gzip"), 415, "uncompressed"),
    "8 levels": (post(nested(8)), 200, "a"),
    "9 levels": (post(nested(9)), 422, "more than 8 levels"),
    "9,000 levels that stay open": (post("[" * 9_000), 422, "more than 8 levels"),
    "brackets in a string": (post('{"a": "' + "[" * 9_000 + '"}'), 200, "a"),
    "brackets behind an escape": (post('{"a": "\\"' + "[" * 9_000 + '"}'), 200, "a"),
    "many parts": (post('{"a": [' + '"",' * 1_000 + "[],[],[],[],[],[],[],[]]}"), 422, "more than 1000 strings"),
    "not JSON": (post("{"), 422, "Input data was truncated"),
    "not this JSON": (post("[]"), 422, "object"),
    "NaN": (post('{"a": NaN}'), 422, "invalid character"),
    "infinity": (post('{"a": 1e999}'), 422, "out of range"),
    "5,000 digits": (post('{"a": ' + "9" * 5_000 + "}"), 422, "out of range"),
    "half a surrogate": (post('{"a": "\\ud800 and more"}'), 422, "surrogate"),
    "not UTF-8": (post(b'{"a": "\xff"}'), 422, "utf-8"),
    "nothing": (post(""), 422, "truncated"),
    "another host": (get(host="evil.example"), 403, "Host 'evil.example'"),
    "a host that begins well": (get(host="localhost.evil.example"), 403, "Host"),
    "a host with a user": (get(host="localhost@evil.example"), 403, "Host"),
    "an empty host": (get(host=""), 403, "Host"),
    "loopback by number": (get(host="127.0.0.1:99"), 200, "ok"),
    "loopback of version 6": (get(host="[::1]:8000"), 200, "ok"),
    "a host that is allowed": (get(host="Prover.Example:443"), 200, "ok"),
    "a page elsewhere": (get("Origin: https://evil.example"), 403, "Origin 'https://evil.example'"),
    "a page without origin": (get("Origin: null"), 403, "Origin 'null'"),
    "a page on this machine": (get("Origin: http://localhost:3000"), 200, "ok"),
    "a picture in a page elsewhere": (get("Sec-Fetch-Site: cross-site"), 403, "cross-site"),
    "an address typed in": (get("Sec-Fetch-Site: none"), 200, "ok"),
    "an unlisted path": (get(path="/redoc"), 404, "does not exist"),
    "the redirect of Swagger": (get(path="/docs/oauth2-redirect"), 404, "does not exist"),
    "another method": (get(method="DELETE"), 405, "method"),
    "a switch of protocols": (get("Connection: upgrade", "Upgrade: websocket"), 200, "ok"),
    "a slow head": ("GET /health HTTP/1.1\r\n", 408, "the head of the request did not arrive within 0.6 s"),
    "a slow body": (f"{POST}Content-Length: 9\r\n\r\n{{", 408, "the body of the request did not arrive within 0.6 s"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_limit_has_its_answer(url: str, name: str) -> None:
    sent, status, words = ANSWERS[name]
    statuses, body = exchange(url, sent)
    assert statuses == (status,) and words in body
    if status >= 400:
        assert "\n" not in json.loads(body)["detail"]
    assert exchange(url, get())[0] == (200,)


def test_an_error_of_the_service_shows_no_trace_and_no_secret(url: str) -> None:
    response = httpx2.get(f"{url}/broken")
    assert response.status_code == 500 and response.headers["x-request-id"] in response.json()["detail"]
    assert "secret" not in response.text and "Traceback" not in response.text


def test_every_answer_forbids_browsers_to_guess_or_frame(url: str) -> None:
    for path in ("/health", "/docs", "/nowhere", "/broken"):
        headers = httpx2.get(url + path).headers
        assert headers["x-content-type-options"] == "nosniff" and "frame-ancestors 'none'" in headers["content-security-policy"]


def test_the_page_of_documentation_needs_no_script_and_nothing_from_elsewhere(url: str) -> None:
    response = httpx2.get(f"{url}/docs")
    policy = response.headers["content-security-policy"]
    assert "/echo" in response.text and "<script" not in response.text and "https://" not in response.text
    assert "script-src" not in policy and "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize("path", ["/echo", "/nowhere", "/redoc", "/docs/oauth2-redirect"])
def test_what_is_not_open_is_behind_the_key(keyed: str, path: str) -> None:
    assert httpx2.get(keyed + path).status_code == 401
    assert httpx2.get(keyed + path, headers={"Authorization": "Bearer a-key"}).status_code in (404, 405)
    assert httpx2.get(f"{keyed}/health", headers={"Host": "anywhere.example"}).status_code == 200


def test_who_says_nothing_is_shown_out_and_lets_others_in(url: str) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(place(url), timeout=30)) for _ in range(LIMITS.max_connections + 5)]
        assert exchange(url, get())[0] == (200,)
        for connection in silent:
            assert connection.recv(100) == b""


def test_too_many_requests_at_once_are_sent_away_and_the_others_go_on(url: str) -> None:
    with ExitStack() as stack:
        known = stack.enter_context(socket.create_connection(place(url), timeout=30))
        assert b"200 OK" in healthy(known)
        for _ in range(LIMITS.max_connections - 1):
            stack.enter_context(socket.create_connection(place(url), timeout=30)).sendall(get(path="/wait").encode())
        until(lambda: bool(healthy(known)) and exchange(url, get())[0] == (503,))
        assert healthy(known) and exchange(url, get())[0] == (503,)
        answer = send(place(url), Malformed("", (get().encode(),))).text
        assert "retry-after: 1" in answer and "20 connections are open" in answer
        assert b"200 OK" in healthy(known)
    until(lambda: exchange(url, get())[0] == (200,))


def test_who_does_not_read_an_answer_is_cut_off(url: str) -> None:
    with socket.create_connection(place(url), timeout=30) as client:
        client.sendall(get(path="/large").encode())
        time.sleep(3 * LIMITS.write_seconds)
        received = 0
        with suppress(ConnectionResetError):
            while piece := client.recv(1 << 20):
                received += len(piece)
    assert received < 50_000_000


def test_an_idle_connection_ends_and_a_slow_second_request_too(url: str) -> None:
    with socket.create_connection(place(url), timeout=30) as client:
        assert b"200 OK" in healthy(client)
        client.sendall(b"GET /health")
        assert b"408" in client.recv(10_000)
    with socket.create_connection(place(url), timeout=30) as client:
        assert b"200 OK" in healthy(client) and client.recv(10_000) == b""


def test_large_requests_do_not_hold_up_small_ones() -> None:
    """Work of two kinds waits in two queues, and none of it in the event loop."""
    held = threading.Event()

    async def both() -> str:
        large = [asyncio.ensure_future(offload(1 << 20, held.wait, 60.0)) for _ in range(50)]
        small = await asyncio.wait_for(offload(10, str, "small"), 30)
        held.set()
        assert all(await asyncio.gather(*large))
        return small

    assert asyncio.run(both()) == "small"


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1 << 40])
def test_a_limit_must_be_a_number_that_limits(value: float) -> None:
    with pytest.raises(ValueError, match="max_head_bytes is"):
        HttpLimits(max_head_bytes=value)  # type: ignore[arg-type]
