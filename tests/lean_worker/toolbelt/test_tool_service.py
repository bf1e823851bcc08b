"""The toolbelt over HTTP: the examples of the OpenAPI page, limits, untrusted text, and clients that disconnect."""

import socket
from collections.abc import Iterator

import httpx2
import pytest
import serving
from watching import until

from lean_worker.pool import Pool
from lean_worker.service.settings import ServiceSettings

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

PATHS = ("/v1/goals", "/v1/holes", "/v1/extract", "/v1/disprove", "/v1/lint")
HANG = "theorem t : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by decide +kernel"


@pytest.fixture(scope="module")
def http(pool: Pool) -> Iterator[httpx2.Client]:
    settings = ServiceSettings(max_snippet=2000, max_statement=2000, max_positions=3, max_linted=2)
    with serving.thread(pool, settings) as url, httpx2.Client(base_url=url, timeout=120) as client:
        yield client


def test_the_examples_are_answered_as_described(http: httpx2.Client) -> None:
    document = http.get("/openapi.json").json()
    answers = {}
    for path in PATHS:
        operation = document["paths"][path]["post"]
        example = operation["requestBody"]["content"]["application/json"]["example"]
        answers[path] = http.post(path, json=example).raise_for_status().json()
        name = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        described = document["components"]["schemas"][name]["properties"]
        assert set(answers[path]) == set(described), path
    assert "⊢ q" in answers["/v1/goals"]["goals"][0]["goal"] and answers["/v1/goals"]["kind"] == "accepted"
    assert [(hole["line"], hole["column"]) for hole in answers["/v1/holes"]["holes"]] == [(4, 17)]
    assert answers["/v1/extract"]["lemmas"][0]["statement"] == "theorem t_at_2_24 (n : Nat) : 0 + n = n := by sorry"
    assert answers["/v1/disprove"]["outcome"] == "disproved" and "a := 0" in answers["/v1/disprove"]["tactic"]
    assert "literal-division" in {smell["code"] for smell in answers["/v1/lint"]["theorems"][0]["smells"]}


@pytest.mark.parametrize("bad", ["#eval 1", "run_cmd return", "@[implemented_by x] def a : Nat := 1", "initialize x : Nat ← pure 1"])
def test_text_that_runs_code_never_reaches_lean(http: httpx2.Client, pool: Pool, bad: str) -> None:
    text = f"{bad}\ntheorem t : 1 = 1 := by sorry"
    before = pool.status().sessions_started
    for path, body in (
        ("/v1/goals", {"text": text, "positions": [{"line": 1, "column": 0}]}),
        ("/v1/holes", {"text": text}),
        ("/v1/extract", {"text": text, "haves": True}),
        ("/v1/lint", {"text": text}),
    ):
        answer = http.post(path, json=body).raise_for_status().json()
        assert answer["kind"] == "forbidden" and answer["messages"], answer
    for body in ({"statement": text}, {"statement": "theorem t : 1 = 1 := by sorry", "header": bad}):
        answer = http.post("/v1/disprove", json=body).raise_for_status().json()
        assert answer["outcome"] == "unreadable" and answer["kind"] == "forbidden" and answer["messages"], answer
    answer = http.post("/v1/disprove", json={"statement": "theorem t : 1 = 2 := by sorry", "proof": f"by decide\n{bad}"}).json()
    assert answer["outcome"] == "not disproved" and answer["kind"] in ("forbidden", "error"), answer
    assert pool.status().sessions_started <= before + 1


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/v1/goals", {"text": "x" * 2001, "positions": []}, "text has 2001 characters"),
        ("/v1/goals", {"text": "", "positions": [{"line": 1, "column": 0}] * 4}, "positions: 4 are more than 3"),
        ("/v1/goals", {"text": "", "positions": [{"line": 2, "column": 0}]}, "the file has lines 1 to 1"),
        ("/v1/goals", {"text": "", "positions": [{"line": 1.5, "column": 0}]}, "body: "),
        ("/v1/holes", {}, "body: "),
        ("/v1/holes", {"text": "x" * 2001}, "text has 2001 characters"),
        ("/v1/extract", {"text": "theorem t : 1 = 1 := sorry\n" * 3}, "3 holes, more than 2"),
        ("/v1/lint", {"text": "theorem t : 1 = 1 := rfl\n" * 3}, "3 theorems, more than 2"),
        ("/v1/disprove", {"statement": "x" * 2001}, "statement has 2001 characters"),
        ("/v1/disprove", {"statement": "", "header": "x" * 200_000}, "header has 200000 characters"),
    ],
)
def test_what_exceeds_a_limit_is_refused_in_one_sentence(http: httpx2.Client, path: str, body: object, words: str) -> None:
    response = http.post(path, json=body)
    assert response.status_code == 422 and words in response.json()["detail"]


def test_a_disconnecting_client_leaves_nothing_in_the_queue() -> None:
    with Pool(1, timeout=3.0) as pool, serving.thread(pool) as url, httpx2.Client(base_url=url, timeout=60) as client:
        host, port = url.removeprefix("http://").split(":")
        body = b'{"text": "' + HANG.encode() + b'"}'
        sockets = []
        for path in (b"/v1/holes", b"/v1/lint", b"/v1/disprove"):
            sent = body if path != b"/v1/disprove" else b'{"statement": "theorem t : 1 = 2 := by sorry"}'
            connection = socket.create_connection((host, int(port)))
            head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
                path,
                len(sent),
            )
            connection.sendall(head + sent)
            sockets.append(connection)
            until(lambda: pool.status().running == 1)
        until(lambda: pool.status().waiting >= 1)
        for connection in sockets:
            connection.close()
        until(lambda: pool.status().waiting == 0 and pool.status().running == 0)
        assert client.post("/v1/holes", json={"text": "theorem t : 1 = 1 := sorry"}).json()["holes"]
