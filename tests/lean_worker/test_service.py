"""The HTTP service on a real port and the real kernel: one answer each, in order of completion, and nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import serving
from prometheus_client.parser import text_string_to_metric_families
from watching import alive, descendants, until

from lean_worker.pool import Pool
from lean_worker.service.settings import ServiceSettings

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

GOOD = {"statement": "theorem good (p : Prop) (h : p) : p := by sorry", "proof": "h"}
WRONG = {"statement": "theorem wrong : 2 + 2 = 5 := by sorry", "proof": "by decide"}
HANG = {"statement": "theorem t : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by sorry", "proof": "by decide +kernel"}
KEY = {"Authorization": "Bearer a-key"}
JSON = {"Content-Type": "application/json"}


def hang(number: int) -> dict[str, str]:
    return {**HANG, "statement": HANG["statement"].replace("theorem t", f"theorem t{number}")}


def sums(count: int, name: str = "s") -> list[dict[str, str]]:
    """Checks of which every fifth is wrong."""
    return [
        {"id": f"{name}{i}", "statement": f"theorem {name}{i} : {i} + {i} = {2 * i + (i % 5 == 0)} := by sorry", "proof": "by decide"}
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def http(pool: Pool) -> Iterator[httpx2.Client]:
    settings = ServiceSettings("a-key", max_body_bytes=100_000, max_batch=200)
    with serving.thread(pool, settings) as url, httpx2.Client(base_url=url, headers=KEY, timeout=60) as client:
        yield client


@pytest.fixture
def slow() -> Iterator[tuple[Pool, httpx2.Client]]:
    """One worker that a hanging check keeps busy for three seconds; one check may wait."""
    with (
        Pool(1, timeout=3.0, queue_limit=1) as pool,
        serving.thread(pool) as url,
        httpx2.Client(base_url=url, timeout=60) as client,
    ):
        yield pool, client


def test_a_verdict(http: httpx2.Client) -> None:
    accepted = http.post("/v1/verify", json={**GOOD, "id": "a"}).raise_for_status().json()
    assert (accepted["id"], accepted["verdict"], accepted["kind"], accepted["axioms"]) == ("a", "accepted", "accepted", [])
    assert accepted["backend"] and accepted["lean"] and accepted["library"] and accepted["tier"] == "fast" and accepted["seconds"] > 0
    rejected = http.post("/v1/verify", json=WRONG).json()
    assert (rejected["verdict"], rejected["kind"]) == ("rejected", "error")
    assert rejected["messages"][0]["severity"] == "error" and rejected["messages"][0]["line"] == 1
    headed = {"header": "def x : Nat := 1", "statement": "theorem t : x = 1 := by sorry", "proof": "rfl"}
    assert http.post("/v1/verify", json=headed).json()["kind"] == "accepted"
    assert http.post("/v1/verify", json={**GOOD, "proof": "by sorry"}).json()["kind"] == "hole"
    assert http.post("/v1/verify", json={**GOOD, "statement": "theorem t : nowhere := by sorry"}).json()["kind"] == "statement"
    assert http.post("/v1/verify", json={**GOOD, "statement": "nothing"}).json()["verdict"] is None


def test_no_verdict_is_null_and_no_rejection(slow: tuple[Pool, httpx2.Client]) -> None:
    answer = slow[1].post("/v1/verify", json=HANG).raise_for_status().json()
    assert (answer["verdict"], answer["kind"]) == (None, "timeout")


def test_a_batch_answers_each_check_once(http: httpx2.Client) -> None:
    checks = sums(150)
    with http.stream("POST", "/v1/verify/batch", json={"checks": checks}) as response:
        assert response.headers["content-type"] == "application/x-ndjson"
        answers = [json.loads(line) for line in response.iter_lines()]
    assert len(answers) == 150
    assert {answer["id"]: answer["kind"] for answer in answers} == {f"s{i}": "error" if i % 5 == 0 else "accepted" for i in range(150)}


def test_a_batch_comes_in_order_of_completion() -> None:
    # headers differ, so that no check shares a document with the one that hangs
    checks = [{**HANG, "id": "hang"}, *({**GOOD, "id": f"{i}", "header": f"def x{i} : Nat := {i}"} for i in range(4))]
    with Pool(2, timeout=3.0) as pool, serving.thread(pool) as url:
        lines = httpx2.post(f"{url}/v1/verify/batch", json={"checks": checks}, timeout=60).text.splitlines()
    answers = [json.loads(line) for line in lines]
    assert sorted(answer["id"] for answer in answers[:4]) == ["0", "1", "2", "3"]
    assert (answers[4]["id"], answers[4]["kind"]) == ("hang", "timeout")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer another"}, {"Authorization": "a-key"}, {"Authorization": "Basic a-key"}])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/verify"), ("POST", "/api/check"), ("GET", "/v1/status"), ("GET", "/metrics")])
def test_a_wrong_key(http: httpx2.Client, method: str, path: str, headers: dict[str, str]) -> None:
    response = httpx2.request(method, f"{http.base_url}{path}", headers=headers)
    assert response.status_code == 401 and response.headers["www-authenticate"] == "Bearer" and "KEY" in response.json()["detail"]


def test_a_key_outside_ascii_is_a_wrong_key(http: httpx2.Client) -> None:
    response = httpx2.get(f"{http.base_url}/v1/status", headers=[(b"Authorization", "Bearer schlüssel".encode())])
    assert response.status_code == 401


@pytest.mark.parametrize("path", ["/", "/health", "/docs", "/openapi.json"])
def test_what_is_open_to_everybody(http: httpx2.Client, path: str) -> None:
    assert httpx2.get(f"{http.base_url}{path}").status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/verify", b"{not json"),
        ("/v1/verify", b'{"statement": "theorem t : 1 = 1 := by sorry"}'),
        ("/v1/verify", b'{"statement": 3, "proof": "rfl"}'),
        ("/v1/verify", b'{"statement": "", "proof": "", "tier": "swift"}'),
        ("/v1/verify", b'{"statement": "\xff", "proof": ""}'),
        ("/v1/verify", b""),
        ("/v1/verify/batch", b'{"checks": []}'),
        ("/v1/verify/batch", json.dumps({"checks": sums(201)}).encode()),
        ("/v1/verify/batch", json.dumps({"checks": [*sums(2), *sums(1)]}).encode()),
        ("/v1/verify/batch", json.dumps({"checks": [GOOD, GOOD]}).encode()),
    ],
)
def test_a_bad_request_is_one_sentence(http: httpx2.Client, path: str, body: bytes) -> None:
    response = http.post(path, content=body, headers=JSON)
    assert response.status_code == 422 and "\n" not in response.json()["detail"]


def test_a_body_that_is_too_large(http: httpx2.Client) -> None:
    body = b'{"statement": "' + b"x" * 100_000
    assert http.post("/v1/verify", content=body, headers=JSON).status_code == 413
    undeclared = http.post("/v1/verify", content=iter([body[:60_000], body[60_000:]]), headers=JSON)
    assert undeclared.status_code == 413 and "100000 bytes" in undeclared.json()["detail"]
    assert http.post("/v1/verify", json=GOOD).json()["kind"] == "accepted"


def test_a_full_queue(slow: tuple[Pool, httpx2.Client]) -> None:
    pool, http = slow
    answers: list[str] = []
    threads = []
    for number in range(2):
        threads.append(threading.Thread(target=lambda n=number: answers.append(http.post("/v1/verify", json=hang(n)).json()["kind"])))
        threads[-1].start()
        until(lambda n=number: (pool.status().running, pool.status().waiting) == (1, n), 60.0)
    refused = http.post("/v1/verify", json=GOOD)
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1 and "try again" in refused.json()["detail"]
    batch = http.post("/v1/verify/batch", json={"checks": sums(2)})
    assert batch.status_code == 429
    for thread in threads:
        thread.join()
    assert answers == ["timeout", "timeout"]
    assert http.post("/v1/verify", json=GOOD).json()["kind"] == "accepted"


@pytest.mark.parametrize(("path", "body"), [("/v1/verify", GOOD), ("/v1/verify/batch", {"checks": [GOOD]})])
def test_hanging_up_withdraws_what_waits(slow: tuple[Pool, httpx2.Client], path: str, body: dict[str, Any]) -> None:
    pool, http = slow
    thread = threading.Thread(target=lambda: http.post("/v1/verify", json=HANG))
    thread.start()
    until(lambda: pool.status().running == 1, 60.0)
    content, kind = json.dumps(body).encode(), "Content-Type: application/json\r\n"
    with socket.create_connection((http.base_url.host, http.base_url.port or 0)) as client:
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{kind}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        until(lambda: pool.status().waiting == 1, 60.0)
    thread.join()
    until(lambda: pool.status().waiting == 0, 60.0)
    assert pool.status().verdicts == {"timeout": 1}
    assert http.post("/v1/verify", json=WRONG).json()["kind"] == "error"
    assert pool.status().verdicts == {"timeout": 1, "error": 1}


def test_one_check_does_not_wait_behind_five_hundred() -> None:
    lines: list[str] = []
    first = threading.Event()

    def many(url: str) -> None:
        with httpx2.stream(
            "POST", f"{url}/v1/verify/batch", json={"checks": sums(500)}, headers={"X-Client": "many"}, timeout=60
        ) as response:
            for line in response.iter_lines():
                lines.append(line)
                first.set()

    with Pool(1, batch=16) as pool, serving.thread(pool) as url:
        thread = threading.Thread(target=many, args=(url,))
        thread.start()
        assert first.wait(60)
        before = pool.status().waiting
        answer = httpx2.post(f"{url}/v1/verify", json=GOOD, headers={"X-Client": "one"}, timeout=60).json()
        after = pool.status().waiting
        thread.join()
    assert answer["kind"] == "accepted" and len(lines) == 500
    assert before > after > 0


def test_metrics_count_what_was_answered() -> None:
    with (
        Pool(2) as pool,
        serving.thread(pool, ServiceSettings("a-key")) as url,
        httpx2.Client(base_url=url, headers=KEY, timeout=60) as http,
    ):
        for check in (GOOD, GOOD, WRONG, {**GOOD, "proof": "by sorry"}):
            http.post("/v1/verify", json=check)
        http.post("/v1/verify/batch", json={"checks": sums(10)})
        http.post("/v1/verify", json={})
        httpx2.post(f"{url}/v1/verify", json=GOOD)
        families = {family.name: family for family in text_string_to_metric_families(http.get("/metrics").text)}
        status = http.get("/v1/status").json()
    kinds = {sample.labels["kind"]: sample.value for sample in families["lean_checks"].samples if sample.name == "lean_checks_total"}
    assert kinds == {"accepted": 10.0, "error": 3.0, "hole": 1.0}
    refused = {
        sample.labels["code"]: sample.value for sample in families["lean_requests_refused"].samples if sample.name.endswith("_total")
    }
    assert refused == {"401": 1.0, "422": 1.0}
    counted = [sample.value for sample in families["lean_check_latency_seconds"].samples if sample.name.endswith("_count")]
    assert counted == [14.0]
    single = {name: family.samples[0].value for name, family in families.items() if len(family.samples) == 1}
    assert (single["lean_queue_length"], single["lean_running"], single["lean_workers"]) == (0, 0, 2)
    assert single["lean_sessions"] == status["sessions"] >= 1 and single["lean_memory_bytes"] > 1e6
    assert single["lean_sessions_started"] == status["sessions_started"] >= 1


def test_the_openapi_page_describes_every_address(http: httpx2.Client) -> None:
    document = http.get("/openapi.json").json()
    expected = {
        "/v1/verify",
        "/v1/verify/batch",
        "/v1/goals",
        "/v1/holes",
        "/v1/extract",
        "/v1/disprove",
        "/v1/lint",
        "/v1/lean",
        "/v1/verify/file",
        "/v1/status",
        "/metrics",
        "/health",
        "/",
        "/api/check",
        "/verify",
        "/one_pass_verify_batch",
    }
    assert set(document["paths"]) == expected
    text = json.dumps(document)
    names = {piece.split('"')[0] for piece in text.split("#/components/schemas/")[1:]}
    assert "VerifyAnswer" in names and names <= set(document["components"]["schemas"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_process_outlives_the_service(number: int, code: int) -> None:
    with serving.command("--timeout", "600", "--workers", "2") as service:
        asking = [
            subprocess.Popen([sys.executable, "-c", _ASK, service.url, json.dumps(hang(n))], stderr=subprocess.DEVNULL) for n in range(2)
        ]
        # two trees, each of library, header, statement and a candidate that hangs
        until(lambda: len(descendants(service.process.pid)) == 8, 60.0)
        left = descendants(service.process.pid)
        ended = service.stop(number)
        until(lambda: not any(alive(pid) for pid in left), 60.0)
        refused = [one.wait(timeout=60) for one in asking]
    assert ended == code and all(refused)


_ASK = """import sys, urllib.request as r
r.urlopen(r.Request(sys.argv[1] + '/v1/verify', sys.argv[2].encode(), {'Content-Type': 'application/json'}))"""


def test_the_command_serves_with_a_key_and_never_says_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a-secret\nanother line\n")
    with serving.command("--key-file", str(tmp_path / "key"), "--cache", str(tmp_path / "cache")) as service:
        for key in ("a-secret", "a-wrong-secret"):
            httpx2.post(f"{service.url}/v1/verify", json=GOOD, headers={"Authorization": f"Bearer {key}"}, timeout=60)
        httpx2.post(f"{service.url}/v1/verify", content=b"a-secret", headers={**JSON, "Authorization": "Bearer a-secret"})
        assert service.stop() == 0
        assert service.process.stdout is not None
        assert "secret" not in service.process.stdout.read()


def test_the_cache_outlives_the_service(tmp_path: Path) -> None:
    answers = []
    for _ in range(2):
        with serving.command("--cache", str(tmp_path / "cache"), LEAN_WORKER_KEY="a-key") as service:
            answers.append(httpx2.post(f"{service.url}/v1/verify", json=GOOD, headers=KEY, timeout=60).json())
            sessions = httpx2.get(f"{service.url}/v1/status", headers=KEY).json()["sessions_started"]
            assert service.stop() == 0
    assert answers[0] == answers[1] and sessions == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--host", "0.0.0.0"), "--host: 0.0.0.0"),
        (("--key-file", "no_such_file"), "--key-file: no_such_file cannot be read"),
        (("--key-file", os.devnull), "the first line"),
        (("--workers", "0"), "at least 1"),
        (("--cache", "/no/such/folder/file"), "--cache: /no/such/folder/file"),
    ],
)
def test_what_cannot_be_served_is_one_sentence_and_exit_code_2(arguments: tuple[str, ...], words: str) -> None:
    _assert_refused(("--port", "0", *arguments), words)


def test_a_port_that_is_taken_is_one_sentence_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        _assert_refused(("--port", str(taken.getsockname()[1])), "give another --port")


def _assert_refused(arguments: tuple[str, ...], words: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LEAN_WORKER_KEY"}
    words_of_command = [sys.executable, "-m", "lean_worker.cli", "serve", *arguments]
    done = subprocess.run(words_of_command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("key", ["", " a", "schlüssel", "a\nb"])
def test_a_key_that_no_client_could_send_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        ServiceSettings(key)


FILE = (
    "namespace A\n  theorem right (p : Prop) (h : p) : p := by\n    exact h\nend A\n"
    "theorem wrong : 1 = 2 := by decide\ntheorem part : 1 = 1 ∧ 2 = 2 := ⟨rfl, sorry⟩\n"
)


def test_a_file_theorem_by_theorem(http: httpx2.Client) -> None:
    report = http.post("/v1/verify/file", json={"text": FILE, "tactics": True}).raise_for_status().json()
    found = [(theorem["name"], theorem["kind"], theorem["span"]["line"], theorem["span"]["column"]) for theorem in report["theorems"]]
    assert found == [("A.right", "accepted", 2, 2), ("wrong", "error", 5, 0), ("part", "hole", 6, 0)]
    assert report["kind"] == "error" and report["seconds"] > 0 and len(report["tactics"]) == 2
    assert [(hole["goal"], hole["theorem"]) for hole in report["holes"]] == [("⊢ 2 = 2", 2)]
    assert http.post("/v1/verify/file", json={"text": "theorem t : True := trivial\n"}).json()["kind"] == "accepted"


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("import Mathlib\ntheorem t : 1 = 1 := rfl", "unreadable", "module Mathlib is not available"),
        ("#eval 1\ntheorem t : 1 = 1 := rfl", "forbidden", "`#eval`"),
        ("theorem t : 1 = 1 := by run_tac pure ()", "forbidden", "`run_tac`"),
    ],
)
def test_a_file_from_the_network_is_filtered(http: httpx2.Client, text: str, kind: str, words: str) -> None:
    report = http.post("/v1/verify/file", json={"text": text}).raise_for_status().json()
    assert report["kind"] == kind and words in report["messages"][0]["text"] and not report["theorems"]


def test_limits_of_a_file(http: httpx2.Client, slow: tuple[Pool, httpx2.Client]) -> None:
    hang = "theorem t : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by decide +kernel"
    report = slow[1].post("/v1/verify/file", json={"text": hang, "timeout": 0.5}).raise_for_status().json()
    assert report["kind"] == "timeout" and "within 0.5 s" in report["messages"][0]["text"]
    for body in ({"text": "example : 1 = 1 := rfl\n" * 257}, {"text": " " * 200_001}, {"text": "", "timeout": 0}, {}):
        assert http.post("/v1/verify/file", json=body).status_code in (413, 422)


def test_a_file_is_described(http: httpx2.Client) -> None:
    document = http.get("/openapi.json").json()
    body = document["paths"]["/v1/verify/file"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["$ref"].endswith("/FileRequest")
    assert {"FileReport", "FileTheorem", "Hole", "Span"} <= set(document["components"]["schemas"])
