"""Limits of the Lean service: each field has its limit and its answer, and no text costs more than its length."""

import dataclasses
import gc
import json
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import serving
from backends import repl_over_embedded
from hypothesis import given
from hypothesis import strategies as st
from malformed import malformed, send
from watching import alive, descendants, until

from lean_worker.file_filter import filter_file
from lean_worker.http import HttpLimits
from lean_worker.lexer import LexError
from lean_worker.pool import Pool
from lean_worker.service.settings import ServiceSettings
from lean_worker.source import declarations

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

GOOD = {"statement": "theorem t : 1 + 1 = 2 := by sorry", "proof": "rfl"}
SNIPPET = {"id": "a", "code": "theorem t : 1 + 1 = 2 := rfl"}
HANG = {"statement": "theorem t : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by sorry", "proof": "by decide +kernel"}


@pytest.fixture(scope="module")
def http(pool: Pool) -> Iterator[httpx2.Client]:
    with serving.thread(pool) as url, httpx2.Client(base_url=url, timeout=60) as client:
        yield client


def long(count: int) -> str:
    return "a" * count


# route, body, and words of the sentence with which it is refused
REFUSED: dict[str, tuple[str, Any, str]] = {
    "statement": ("/v1/verify", {**GOOD, "statement": long(60_001)}, "statement has 60001 characters, more than 60000"),
    "header": ("/v1/verify", {**GOOD, "header": long(100_001)}, "header has 100001 characters, more than 100000"),
    "proof": ("/v1/verify", {**GOOD, "proof": long(120_001)}, "proof has 120001 characters, more than 120000"),
    "id": ("/v1/verify", {**GOOD, "id": long(501)}, "id has 501 characters, more than 500"),
    "one of a batch": ("/v1/verify/batch", {"checks": [GOOD, {**GOOD, "id": long(501)}]}, "id has 501 characters"),
    "checks": ("/v1/verify/batch", {"checks": [{**GOOD, "id": str(i)} for i in range(10_001)]}, "1 to 10000, not 10001"),
    "no checks": ("/v1/verify/batch", {"checks": []}, "checks: a request must hold 1 to 10000, not 0"),
    "snippet": ("/api/check", {"snippets": [{"id": "a", "code": long(200_001)}]}, "a snippet has 200001 characters, more than 200000"),
    "id of a snippet": ("/api/check", {"snippets": [{**SNIPPET, "id": long(501)}]}, "id has 501 characters"),
    "snippets": ("/api/check", {"snippets": [{**SNIPPET, "id": str(i)} for i in range(10_001)]}, "1 to 10000, not 10001"),
    "older snippet": ("/verify", {"codes": [{"custom_id": 1, "code": long(200_001)}]}, "a snippet has 200001 characters"),
    "older id": ("/verify", {"codes": [{"custom_id": 10**600, "code": ""}]}, "id has 601 characters"),
    "time limit 0": ("/api/check", {"snippets": [SNIPPET], "timeout": 0}, "`float` > 0.0"),
    "negative time limit": ("/verify", {"codes": [{"custom_id": 1, "code": ""}], "timeout": -3}, "`float` > 0.0"),
    "huge time limit": ("/api/check", {"snippets": [SNIPPET], "timeout": 1e300}, "`float` <= 86400.0"),
    "nesting": ("/v1/verify", {**GOOD, "unknown": json.loads("[" * 70 + "]" * 70)}, "more than 64 levels"),
    "kind of a field": ("/v1/verify", {**GOOD, "helpers": 1}, "Expected `bool`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_every_field_has_a_limit(http: httpx2.Client, name: str) -> None:
    path, body, words = REFUSED[name]
    response = http.post(path, json=body)
    assert response.status_code == 422 and words in response.json()["detail"] and "\n" not in response.json()["detail"]


def test_a_client_with_a_long_name_is_refused(http: httpx2.Client) -> None:
    for path, body in (("/v1/verify", GOOD), ("/api/check", {"snippets": [SNIPPET]})):
        response = http.post(path, json=body, headers={"X-Client": long(201)})
        assert response.status_code == 422 and "X-Client has 201 characters, more than 200" in response.json()["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 5_000])
def test_what_is_no_number_is_no_time_limit(http: httpx2.Client, number: str) -> None:
    body = f'{{"snippets": [], "timeout": {number}}}'
    assert http.post("/api/check", content=body, headers={"Content-Type": "application/json"}).status_code == 422


DEAR = {
    "documentation that is none": lambda n: "/-" + "/--a" * (n // 6) + "-/" * (1 + n // 6) + "\ntheorem a : True := trivial\n",
    "documented theorems": lambda n: "/-- a -/\ntheorem a:b:=c\n" * (n // 24),
    "holes": lambda n: "theorem a : b := c\n" + "sorry\n" * (n // 6),
    "refused commands": lambda n: "#a\n" * (n // 3),
}


def _seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of a call, without collections of garbage, whose cost is that of everything that this process holds."""
    gc.disable()
    try:
        began = time.thread_time()
        work()
        return time.thread_time() - began
    finally:
        gc.enable()


@pytest.mark.parametrize("name", DEAR)
def test_the_cost_of_filtering_a_file_grows_with_its_length(name: str) -> None:
    """Patterns, copies and the counting of lines were quadratic once, which is 64 times as much at eight times the length."""

    def cost(length: int) -> float:
        code = DEAR[name](length)

        def read() -> None:
            with suppress(LexError):  # what documents nothing is no Lean text
                filter_file(code)

        return min(_seconds(read) for _ in range(3))

    assert cost(200_000) < 30 * cost(25_000)


_PIECES = (
    "/--",
    "/-",
    "-/",
    "--",
    "/",
    "-",
    " ",
    "\n",
    "\x1f",
    '"',
    "a",
    "theorem a : b := c",
    "\ntheorem ",
    "example := ",
    "@[x] ",
    "sorry",
)


@given(st.lists(st.sampled_from(_PIECES), max_size=30))
def test_documentation_is_found_where_the_pattern_found_it(pieces: list[str]) -> None:
    """The pattern that was too slow says what is meant."""
    pattern = re.compile(r"/--(?:(?!-/).)*-/\s*\Z", re.S)
    text = "".join(pieces) + "\ntheorem last : b := c"
    try:
        found = declarations(text)
    except ValueError:
        return
    for declaration in found:
        begin = text.index(declaration.statement.removesuffix(":= by sorry"), declaration.header_end)
        documentation = pattern.search(text, 0, begin)
        assert declaration.header == text[: documentation.start() if documentation else begin]
        assert declaration.line == text.count("\n", 0, begin) + 1


def test_the_service_answers_while_a_hundred_large_requests_are_in_work(pool: Pool) -> None:
    """Health and another client's check come before the last of them, which one event loop that reads them itself could not give."""
    large = {"checks": [{"id": str(i), "statement": "theorem t : " + "a " * 25_000 + ":= by sorry", "proof": "rfl"} for i in range(2)]}
    with serving.thread(pool) as url, httpx2.Client(base_url=url, timeout=120) as http, ExitStack() as connections:
        http.post("/v1/verify", json=GOOD)
        sent = [connections.enter_context(_post_without_reading(url, "/v1/verify/batch", large)) for _ in range(100)]
        for _ in range(20):
            assert http.get("/health").status_code == 200
        assert http.post("/v1/verify", json=GOOD).json()["verdict"] == "accepted"
        answered, _, _ = select.select(sent, [], [], 0)
        assert len(answered) < len(sent)


def test_halves_of_bodies_take_bounded_memory(pool: Pool) -> None:
    """Clients that send a part of a large body and wait are refused above the limit; small requests are answered meanwhile."""
    settings = ServiceSettings(http=HttpLimits(max_bodies_bytes=2 << 20, grace_seconds=1))
    with serving.thread(pool, settings) as url, httpx2.Client(base_url=url, timeout=60) as http:
        with ExitStack() as connections:
            halves = [connections.enter_context(_post_half(url, 10 << 20, 1 << 20)) for _ in range(8)]
            until(lambda: len(select.select(halves, [], [], 0)[0]) >= 6)
            refused = [connection.recv(10_000) for connection in select.select(halves, [], [], 0)[0]]
            assert all(answer.startswith(b"HTTP/1.1 503 ") and b"retry-after" in answer.lower() for answer in refused)
            assert http.post("/v1/verify", json=GOOD).json()["verdict"] == "accepted"
        spaced = {"checks": [{**GOOD, "id": str(i), "header": " " * 50_000} for i in range(30)]}  # 1.5 MB
        until(lambda: http.post("/v1/verify/batch", json=spaced).status_code == 200)  # the memory of broken connections is free again


def _post_half(url: str, declared: int, sent: int) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60)
    head = f"POST /v1/verify/batch HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nContent-Length: {declared}\r\n\r\n"
    connection.sendall(head.encode() + b" " * sent)
    return connection


def _post_without_reading(url: str, path: str, body: dict[str, Any]) -> socket.socket:
    """Send a request and return its connection, whose closing cancels it."""
    parts, content = urlsplit(url), json.dumps(body).encode()
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60)
    head = f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    connection.sendall(head.encode() + content)
    return connection


def test_health_says_when_the_pool_is_closed() -> None:
    with Pool(1, timeout=10.0) as pool, serving.thread(pool) as url:
        assert httpx2.get(f"{url}/health").json() == {"status": "ok"}
        pool.close()
        for path in ("/health", "/"):
            response = httpx2.get(url + path)
            assert response.status_code == 503 and "the pool is closed" in response.json()["detail"] and response.headers["retry-after"]
        refused = httpx2.post(f"{url}/v1/verify", json=GOOD)
        assert refused.status_code == 503 and "the pool is closed" in refused.json()["detail"] and refused.headers["retry-after"]


def test_health_says_when_no_lean_process_starts() -> None:
    backend = dataclasses.replace(repl_over_embedded(), command=("false",))
    with Pool(1, timeout=10.0, backend=backend) as pool, serving.thread(pool) as url:
        response = httpx2.get(f"{url}/health", timeout=60)
        assert response.status_code == 503 and "no Lean process" in response.json()["detail"] and response.headers["retry-after"]


def test_the_log_has_a_line_of_json_for_each_request_and_no_secret() -> None:
    with serving.command("--log", "json", LEAN_WORKER_KEY="a-secret") as service:
        httpx2.get(f"{service.url}/v1/status?a-secret", headers={"Authorization": "Bearer a-secret"})
        answer = httpx2.post(f"{service.url}/v1/verify", content=b"a-secret", headers={"Authorization": "Bearer another-secret"})
        assert service.stop() == 0
        assert service.process.stdout is not None
        text = service.process.stdout.read()
    first, second = (json.loads(line) for line in text.splitlines())
    assert (first["method"], first["path"], first["status"]) == ("GET", "/v1/status", 200) and first["milliseconds"] > 0
    assert (second["path"], second["status"], second["request"]) == ("/v1/verify", 401, answer.headers["x-request-id"])
    assert "secret" not in text


def test_sigterm_ends_the_service_within_seconds_with_requests_in_progress() -> None:
    long_batch = {"checks": [{"id": str(i), "statement": "theorem t : " + "a " * 25_000, "proof": "a"} for i in range(100)]}
    with serving.command("--timeout", "600", "--workers", "1") as service:
        asked: list[int] = []
        threads = [
            threading.Thread(target=lambda path=path, body=body: asked.append(_status(f"{service.url}{path}", body)))
            for path, body in (("/v1/verify", HANG), ("/v1/verify/batch", {"checks": [HANG]}), ("/v1/verify/batch", long_batch))
        ]
        for thread in threads:
            thread.start()
        until(lambda: len(descendants(service.process.pid)) >= 2, 60.0)
        left = descendants(service.process.pid)
        began = time.monotonic()
        assert service.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began < 30.0
        until(lambda: not any(alive(pid) for pid in left), 60.0)
        for thread in threads:
            thread.join()
    assert len(asked) == 3 and set(asked) <= {0, 200, 503}


def _status(url: str, body: dict[str, Any]) -> int:
    """0 where the connection breaks."""
    try:
        response = httpx2.post(url, json=body, timeout=120)
    except httpx2.TransportError:
        return 0
    assert response.status_code != 503 or response.headers["retry-after"]
    return response.status_code


@pytest.mark.parametrize(
    ("words", "value"),
    [
        *((("serve", "--port", "0", "--timeout"), value) for value in ("nan", "inf", "0", "-1", "1e9")),
        *((("check", "--jsonl", "-", "--timeout"), "nan"), (("soak", "--kill-every"), "1e300"), (("bench", "--timeout"), "-inf")),
    ],
)
def test_a_time_limit_that_limits_nothing_is_one_sentence_and_exit_code_2(words: tuple[str, ...], value: str) -> None:
    command = [sys.executable, "-m", "lean_worker.cli", *words[:-1], f"{words[-1]}={value}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and f"{words[-1].strip('-')} is {float(value):g}" in done.stderr and done.stderr.count("\n") == 1


def test_malformed_requests_harm_nobody() -> None:
    with Pool(1, timeout=1.0) as pool, serving.thread(pool, ServiceSettings()) as url:
        document = httpx2.get(f"{url}/openapi.json").json()
        address = urlsplit(url)
        seen: set[int] = set()
        for number, request in enumerate(malformed(document, 300, seed=2, host=address.netloc)):
            answer = send((address.hostname or "", address.port or 0), request)
            assert not answer.broken, (request.name, answer.text)
            seen.update(answer.statuses)
            if number % 50 == 0:
                check = {**GOOD, "statement": f"theorem t : {number} = {number} := by sorry"}
                assert httpx2.post(f"{url}/v1/verify", json=check, timeout=60).json()["verdict"] == "accepted"
    assert {200, 400, 403, 404, 405, 413, 415, 422, 431} - seen <= {413}
