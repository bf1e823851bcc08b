"""Hostile requests to the rollout server: each is refused or answered, nobody else notices, and nothing is left behind."""

import asyncio
import contextlib
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import jax
import pytest
import rollout_server

from oprover_jax.data.chat import ChatTemplate
from oprover_jax.data.codec import load_codec
from oprover_jax.models.hf.load import load_hf
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.server.service import Service
from oprover_jax.server.settings import ServerSettings

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

GOOD = {"text": "theorem one", "sampling_params": {"max_new_tokens": 6, "sampling_seed": 3, "top_k": 30}, "return_logprob": True}


@pytest.fixture(scope="module")
def service(model_folder: Path, mesh: jax.sharding.Mesh) -> Iterator[Service]:
    config, params = load_hf(model_folder, mesh)
    with JaxEngine(config, params, mesh, slots=4, max_len=64, prefill_batches=(2,), decode_chunk=4, max_stop_ids=16) as engine:
        yield Service(engine, load_codec(model_folder), ServerSettings("tiny", max_prompt_tokens=5000), model_folder)


@pytest.fixture(scope="module")
def http(service: Service) -> Iterator[httpx2.Client]:
    with rollout_server.thread(service) as url, httpx2.Client(base_url=url, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def answer(http: httpx2.Client) -> dict:
    """What the good client is answered on an idle server."""
    return told(http)


def told(http: httpx2.Client) -> dict:
    found = http.post("/generate", json=GOOD)
    assert found.status_code == 200
    answered = found.json()
    del answered["meta_info"]["id"]
    return answered


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def idle(service: Service) -> bool:
    stats = service.engine.stats()
    return service.active_samples == stats.waiting == stats.decoding == 0


BIG = 2**31
DRAWN: list[dict] = [
    {"top_k": BIG - 1},
    {"top_k": BIG},
    {"top_k": 2**64},
    {"stop_token_ids": [BIG]},
    {"stop_token_ids": [2**40, -1, -5]},
    {"top_p": 1e-40},
    {"top_p": 1e-300},
    {"min_p": 1},
    {"temperature": 1e-45},
    {"temperature": 1e39},
    {"temperature": 1e308},
]


@pytest.mark.parametrize("numbers", DRAWN, ids=str)
def test_numbers_beyond_the_device_are_drawn_by_on_every_route(http: httpx2.Client, answer: dict, numbers: dict) -> None:
    native = http.post("/generate", json={"text": "abc", "sampling_params": {"max_new_tokens": 3, **numbers}, "return_logprob": True})
    assert native.status_code == 200
    meta = native.json()["meta_info"]
    assert all(0 <= token < 288 for token in native.json()["output_ids"])
    assert all(isinstance(entry[0], float) and entry[0] <= 1e-6 for entry in meta["output_token_logprobs"])
    common = {"max_tokens": 3, **numbers}
    assert http.post("/v1/completions", json={"prompt": "abc", **common}).status_code == 200
    assert http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "abc"}], **common}).status_code == 200
    assert told(http) == answer


@pytest.mark.parametrize("seed", [0, -1, 2**63, 2**64 - 1, -(2**63)])
def test_seeds_of_64_bits_are_repeatable(http: httpx2.Client, seed: int) -> None:
    body = {"text": "abc", "sampling_params": {"max_new_tokens": 5, "sampling_seed": seed}}
    first, second = (http.post("/generate", json=body) for _ in range(2))
    assert first.status_code == 200 and first.json()["output_ids"] == second.json()["output_ids"]


def native(**sampling: object) -> dict:
    return {"text": "a", "sampling_params": sampling}


def chat(**more: object) -> dict:
    return {"messages": [{"role": "user", "content": "a"}], **more}


def nested(body: dict, depth: int) -> str:
    """JSON with "NESTED" in it replaced by so many arrays in each other."""
    return json.dumps(body).replace('"NESTED"', "[" * depth + "]" * depth)


REFUSED: list[tuple[str, dict | str]] = [
    ("/generate", native(n=10**9)),
    ("/generate", native(n=10**300)),
    ("/generate", native(n=-(2**40))),
    ("/generate", {"text": ["a"] * 100, "sampling_params": {"n": 11}}),
    ("/generate", {"text": ["a"] * 2, "sampling_params": [{"n": 1000}, {"n": 25}]}),
    ("/generate", {"text": ["a"] * 200_000}),
    ("/generate", {"text": []}),
    ("/generate", {"input_ids": [[1]] * 200_000}),
    ("/generate", {"input_ids": [1] * 2_000_000}),
    ("/generate", {"input_ids": [[1] * 60] * 90}),
    ("/generate", {"input_ids": [[]]}),
    ("/generate", {"input_ids": [BIG]}),
    ("/generate", {"input_ids": [-1]}),
    ("/generate", {"input_ids": [10**300]}),
    ("/generate", {"text": "a b " * 700_000}),
    ("/generate", {"text": "a b " * 5_000}),
    ("/generate", {"text": ["a", "b"], "sampling_params": [{}] * 300_000}),
    ("/generate", {"text": "a", "rid": "r" * 257}),
    ("/generate", {"text": ["a"], "rid": ["r"] * 300_000}),
    ("/generate", native(max_new_tokens=10**300)),
    ("/generate", native(max_new_tokens=-1)),
    ("/generate", native(sampling_seed=2**64)),
    ("/generate", native(sampling_seed=-(2**63) - 1)),
    ("/generate", native(top_p=0)),
    ("/generate", native(min_p=-1e-300)),
    ("/generate", native(temperature=-1e-300)),
    ("/generate", native(stop=["s"] * 17)),
    ("/generate", native(stop=["s"] * 300_000)),
    ("/generate", native(stop="s" * 257)),
    ("/generate", native(stop_token_ids=[1] * 1025)),
    ("/generate", native(stop_token_ids=list(range(17)))),
    ("/generate", nested({"text": "a", "nobody_knows": "NESTED"}, 50_000)),
    ("/generate", {"text": "a", "x" * 200_000: 1}),
    ("/v1/completions", {"prompt": "a", "n": 10**9}),
    ("/v1/completions", {"prompt": ["a"] * 2000}),
    ("/v1/completions", {"prompt": [1] * 1_000_000}),
    ("/v1/completions", {"prompt": [[1] * 60] * 90}),
    ("/v1/completions", {"prompt": [[1]] * 200_000}),
    ("/v1/completions", {"prompt": "a", "seed": 2**70}),
    ("/v1/completions", {"prompt": "a", "model": "m" * 200_000}),
    ("/v1/completions", nested({"prompt": "a", "metadata": {"a": "NESTED"}}, 10_000)),
    ("/v1/completions", {"prompt": "a", "logprobs": 2**40}),
    ("/v1/chat/completions", chat(n=10**9)),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}] * 1025}),
    ("/v1/chat/completions", {"messages": [{"role": "r" * 3_000_000, "content": "a"}]}),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": [{"type": "text", "text": "a" * 99}] * 30_000}]}),
    ("/v1/chat/completions", chat(chat_template_kwargs={"a": "b" * 20_000})),
    ("/v1/chat/completions", nested(chat(chat_template_kwargs={"a": "NESTED"}), 9)),
    ("/v1/chat/completions", chat(chat_template_kwargs={"a": 10**9})),
    ("/v1/chat/completions", chat(chat_template_kwargs={"messages": 1})),
    ("/abort_request", {"rid": "r" * 100_000}),
    ("/pause_generation", {"mode": "m" * 100_000}),
    ("/update_weights_from_disk", {"model_path": "p" * 100_000}),
    ("/update_weights_from_disk", {"model_path": "/tmp/\0"}),
    ("/update_weights_from_disk", {"model_path": ""}),
    ("/update_weights_from_disk", {"model_path": "/dev/null"}),
    ("/update_weights_from_disk", {"model_path": "/proc/self/mem"}),
    ("/update_weights_from_disk", {"model_path": ".", "weight_version": 2**63}),
    ("/update_weights_from_disk", {"model_path": ".", "weight_version": "-1"}),
    ("/update_weights_from_disk", {"model_path": ".", "weight_version": "9" * 5000}),
]


def test_what_is_too_much_is_refused_in_one_sentence(http: httpx2.Client, answer: dict, service: Service) -> None:
    for path, body in REFUSED:
        content = body if isinstance(body, str) else json.dumps(body)
        refused = http.post(path, content=content, headers={"Content-Type": "application/json"})
        assert 400 <= refused.status_code < 500, (path, content[:100], refused.status_code)
        said = refused.json()
        sentence = said["error"]["message"] if "error" in said else said["message"]
        assert 0 < len(sentence) < 1100 and "\n" not in sentence, (path, content[:100], sentence)
        assert told(http) == answer and idle(service)


def test_counts_are_refused_at_once(http: httpx2.Client) -> None:
    began = time.monotonic()
    for n in (10**6, 10**9, 10**18):
        assert http.post("/generate", json=native(n=n)).status_code == 400
    assert time.monotonic() - began < 10  # making a million samples took 8 s, of 10^9 all memory


def test_long_texts_keep_nobody_waiting(http: httpx2.Client, answer: dict, service: Service) -> None:
    text = "a ∧ b → c " * 150_000
    asked = [
        ("/generate", {"text": text}),
        ("/v1/completions", {"prompt": text}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": text}]}),
    ]
    statuses: list[int] = []

    def ask(path: str, body: dict) -> None:
        statuses.append(httpx2.post(f"{http.base_url}{path}", json=body, timeout=300).status_code)

    threads = [threading.Thread(target=ask, args=one) for one in asked]
    for thread in threads:
        thread.start()
    longest, answered = 0.0, 0
    while any(thread.is_alive() for thread in threads):
        began = time.monotonic()
        assert told(http) == answer
        longest, answered = max(longest, time.monotonic() - began), answered + 1
        time.sleep(0.05)
    assert statuses == [400] * 3  # no text of so many characters fits
    assert answered > 5 and longest < 4  # one of them alone kept everybody waiting longer
    assert idle(service)


def test_web_pages_cannot_reach_a_server_without_a_key(http: httpx2.Client, service: Service) -> None:
    for path in ("/pause_generation", "/update_weights_from_disk", "/abort_request", "/continue_generation", "/generate"):
        for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            assert http.post(path, json={"text": "a"}, headers=headers).status_code == 403
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            assert http.post(path, content=b'{"text": "a"}', headers={"Content-Type": kind}).status_code == 415
    assert http.get("/health", headers={"Host": "evil.example"}).status_code == 403
    assert service.status == "ready"
    own = {"Origin": str(http.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert http.post("/generate", json=GOOD, headers=own).status_code == 200


def test_the_key_guards_what_changes_the_server(model_folder: Path, service: Service) -> None:
    locked = Service(service.engine, service.codec, ServerSettings("tiny", key="secret"), model_folder)
    with rollout_server.thread(locked) as url:
        for path in ("/pause_generation", "/update_weights_from_disk", "/abort_request", "/continue_generation", "/flush_cache"):
            assert httpx2.post(f"{url}{path}", json={"model_path": str(model_folder), "abort_all": True}).status_code == 401
    assert locked.status == "ready" and locked.engine.version == 0


def test_the_page_loads_nothing_and_no_other_page_is_there(http: httpx2.Client) -> None:
    page = http.get("/docs")
    assert page.status_code == 200 and "/update_weights_from_disk" in page.text
    assert "<script" not in page.text and "https://" not in page.text
    for path in ("/redoc", "/docs/oauth2-redirect"):
        assert http.get(path).status_code == 404


def test_hang_ups_and_half_bodies_leave_nothing_behind(http: httpx2.Client, answer: dict, service: Service) -> None:
    rng = random.Random(5)
    host, port = urlsplit(str(http.base_url)).hostname, urlsplit(str(http.base_url)).port
    long = {"max_new_tokens": 40, "n": 8, "ignore_eos": True}
    bodies = [
        ("/generate", {"text": "theorem", "sampling_params": long, "stream": True}),
        ("/generate", {"text": ["theorem"] * 4, "sampling_params": long, "return_logprob": True, "logprob_start_len": 0}),
        ("/v1/completions", {"prompt": "theorem", "max_tokens": 40, "n": 8, "ignore_eos": True, "stream": True}),
        ("/v1/chat/completions", chat(max_tokens=40, n=8, stream=True)),
        ("/generate", {"text": "ab " * 20_000}),
    ]
    for turn in range(60):
        path, body = rng.choice(bodies)
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        whole = head + content
        with socket.create_connection((host, port)) as connection:
            connection.sendall(whole[: rng.randrange(1, len(whole))] if turn % 3 == 0 else whole)
            if turn % 3 == 1:
                connection.settimeout(60)
                connection.recv(100)
            time.sleep(rng.choice([0, 0.01, 0.05]))
            if rng.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if turn % 10 == 0:
            assert told(http) == answer
    wait_for(lambda: idle(service))
    assert told(http) == answer and service.engine.failure is None and not service._in_flight


def test_half_bodies_hold_bounded_memory(service: Service, model_folder: Path) -> None:
    settings = ServerSettings("tiny", max_body_bytes=1 << 20, max_large_bytes=4 << 20)
    narrow = Service(service.engine, service.codec, settings, model_folder)
    with rollout_server.thread(narrow) as url, httpx2.Client(base_url=url, timeout=60) as http:
        place = urlsplit(url)
        head = f"POST /generate HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n".encode()
        large = {"text": "a", "rid": "r" * 200_000}
        with contextlib.ExitStack() as connections:
            for length in (b"Content-Length: 1048576", b"Transfer-Encoding: chunked") * 2:
                half = connections.enter_context(socket.create_connection((place.hostname, place.port)))
                half.sendall(head + length + b"\r\n\r\n")
            wait_for(lambda: narrow.large_bytes == 4 << 20)
            refused = http.post("/generate", json=large)
            assert refused.status_code == 429 and refused.headers["retry-after"]
            assert http.post("/generate", json=GOOD).status_code == 200
        wait_for(lambda: narrow.large_bytes == 0)
        assert http.post("/generate", json=large).status_code == 400  # read, and its rid refused


def test_a_failed_engine_is_said_everywhere(model_folder: Path, mesh: jax.sharding.Mesh) -> None:
    config, params = load_hf(model_folder, mesh)
    with JaxEngine(config, params, mesh, slots=4, max_len=64, prefill_batches=(2,), decode_chunk=4) as engine:
        service = Service(engine, load_codec(model_folder), ServerSettings("tiny"), model_folder)
        with rollout_server.thread(service) as url, httpx2.Client(base_url=url, timeout=60) as http:
            assert http.get("/health").json() == {"status": "ok"} and http.get("/server_info").json()["status"] == "ready"
            assert http.post("/generate", json=GOOD).status_code == 200

            async def break_it() -> list[httpx2.Response]:
                async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
                    await client.post("/pause_generation")
                    waiting = [asyncio.create_task(client.post("/generate", json=GOOD)) for _ in range(3)]
                    await asyncio.to_thread(wait_for, lambda: service.active_samples == 3)
                    jax.tree.map(lambda x: x.delete(), engine.params)
                    engine._post(lambda: engine._params["embedding"] + 1)  # the next thing that the device does
                    return list(await asyncio.gather(*waiting))

            for refused in asyncio.run(break_it()):
                assert refused.status_code == 503 and "deleted" in refused.json()["error"]["message"] and refused.headers["retry-after"]
            health = http.get("/health")
            assert health.status_code == 503 and "deleted" in health.json()["error"]["message"] and health.headers["retry-after"]
            assert http.get("/server_info").json()["status"] == "failed"
            for path, body in (("/generate", GOOD), ("/generate", {**GOOD, "stream": True}), ("/v1/completions", {"prompt": "a"})):
                late = http.post(path, json=body)
                assert late.status_code == 503 and late.headers["retry-after"]
            for late in (http.get("/health_generate"), http.post("/pause_generation")):
                assert late.status_code == 503 and late.headers["retry-after"]
            assert service.active_samples == 0


def test_the_command_ends_when_its_engine_fails(model_folder: Path) -> None:
    server = rollout_server.breakable_command(model_folder, "--slots", "2", "--max-len", "64")
    try:
        with httpx2.Client(base_url=server.url, timeout=60) as http:
            assert http.post("/generate", json=GOOD).status_code == 200
            assert httpx2.get(f"{server.url}/health").status_code == 200
            server.break_engine()
            failed = http.post("/generate", json=GOOD)
            assert failed.status_code == 503 and failed.headers["retry-after"]
        assert server.process.wait(timeout=60) == 1
        assert server.process.stdout is not None
        said = server.process.stdout.read()
        assert "oprover: the engine failed" in said and "Traceback" not in said
    finally:
        server.process.kill()
        server.process.communicate()


@pytest.mark.parametrize(
    "source, variables",
    [
        ("{{ 'x' * n }}", {"n": 10**9}),
        ("{{ messages * n }}", {"n": 10**9}),
        ("{{ n ** n }}", {"n": 10**6}),
        ("{% for a in range(n) %}{% for b in range(n) %}{{ messages[0].content }}{% endfor %}{% endfor %}", {"n": 90_000}),
        ("{% for a in range(n) %}{% for b in range(n) %}{% for c in range(9) %}{% endfor %}{% endfor %}{% endfor %}", {"n": 90_000}),
        ("{% for a in range(n) %}{% for b in range(n) %}xxxxxxxxxxxxxxxx{% endfor %}{% endfor %}", {"n": 90_000}),
        ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", {}),
        ("{{ messages[0].content.nothing.more }}", {}),
        ("{{ n // 0 }}", {"n": 1}),
        ("{{ messages[0].content }}", {"add_generation_prompt": False}),
    ],
)
def test_a_chat_template_takes_bounded_time_and_memory(source: str, variables: dict) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="refuses"):
        ChatTemplate(source, {})([{"role": "user", "content": "hello"}], **variables)
    assert time.monotonic() - began < 60
