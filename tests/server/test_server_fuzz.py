"""Malformed requests to `oprover serve`, while a client works: it notices nothing, and the server has no errors and nothing left over."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
import rollout_server
from malformed import malformed, send

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

SEED, COUNT = 11, 300
QUEUE = 64
EVERYBODYS = frozenset({"/pause_generation", "/continue_generation", "/abort_request"})  # they may stop the good client, as they should
GOOD = [
    ("/generate", {"text": "theorem one", "sampling_params": {"max_new_tokens": 20, "sampling_seed": 3, "n": 2}, "return_logprob": True}),
    ("/generate", {"input_ids": [5, 9, 17], "sampling_params": {"max_new_tokens": 9, "temperature": 0, "ignore_eos": True}}),
    ("/v1/completions", {"prompt": "by exact", "max_tokens": 12, "seed": 5, "top_p": 0.9, "logprobs": 1}),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "h : p"}], "max_tokens": 8, "seed": 1}),
]


@pytest.fixture(scope="module")
def server(model_folder: Path) -> Iterator[rollout_server.Command]:
    started = rollout_server.command(model_folder, "--slots", "4", "--max-len", "64", "--queue-limit", str(QUEUE))
    try:
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


def ask(http: httpx2.Client) -> list[object]:
    """The answers to all that the good client asks, without what differs from one time to the next.

    Log-probabilities keep four digits: in which batch a prompt was read, and which program drew, shows in the last ones.
    """
    found = []
    for path, body in GOOD:
        answer = http.post(path, json=body)
        while answer.status_code in (429, 503) and answer.headers["retry-after"]:
            answer = http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        found.append(lasting(answer.json()))
    return found


def lasting(value: object) -> object:
    if isinstance(value, dict):
        return {name: lasting(part) for name, part in value.items() if name not in ("id", "created")}
    if isinstance(value, list):
        return [lasting(part) for part in value]
    return pytest.approx(value, abs=1e-4) if isinstance(value, float) else value


def resident_bytes(server: rollout_server.Command) -> int:
    said = Path(f"/proc/{server.process.pid}/status").read_text()
    return 1024 * int(re.search(r"VmRSS:\s+(\d+)", said)[1])  # type: ignore[index]


def test_malformed_requests_harm_nobody(server: rollout_server.Command) -> None:
    place = urlsplit(server.url)
    assert place.hostname is not None and place.port is not None
    with httpx2.Client(base_url=server.url, timeout=120) as http:
        idle = ask(http)
        document = http.get("/openapi.json").json()
        before = resident_bytes(server)
        done = threading.Event()
        answers: list[list[object]] = []
        failures: list[BaseException] = []

        def work() -> None:
            try:
                with httpx2.Client(base_url=server.url, timeout=120) as client:
                    while not done.is_set():
                        answers.append(ask(client))
            except BaseException as error:
                failures.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            for request in malformed(document, COUNT, SEED, place.netloc, skip=EVERYBODYS):
                answer = send((place.hostname, place.port), request)
                assert not answer.broken, (request.name, answer.text[:500])
        finally:
            done.set()
            worker.join()
        assert not failures and answers
        for answer in answers:
            assert answer == idle
        assert http.get("/health").json() == {"status": "ok"}
        everything = {"text": "a", "sampling_params": {"n": QUEUE, "max_new_tokens": 1}}
        assert len(http.post("/generate", json=everything).json()) == QUEUE  # nothing of the fuzz holds a place any more
        state = http.get("/server_info").json()["internal_states"][0]
        assert (state["waiting"], state["decoding"]) == (0, 0)
        assert resident_bytes(server) - before < 1 << 30
    assert server.stop() == 0
    assert server.process.stdout is not None
    assert "Traceback" not in server.process.stdout.read()
