"""The HTTP client against `oprover serve` in processes of their own: killed, stopped, restarted, full, aborting."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import jax
import pytest
import rollout_server
from scripted_server import Scripted

from oprover_jax.models.hf.load import load_hf
from oprover_jax.rollout.engine import Completion, Engine, EngineError, Request, Sampling
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.sglang_engine import SGLangEngine

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

OPTIONS = ("--slots", "4", "--max-len", "64", "--name", "tiny")
REQUESTS = [
    Request(tuple(range(3, 6 + n)), Sampling(30 + n, 0.9, (1, 7), top_p=0.9, top_k=30), num_samples=1 + n % 3, seed=n) for n in range(8)
]


@pytest.fixture(scope="module")
def expected(model_folder: Path, mesh: jax.sharding.Mesh) -> list[list[Completion]]:
    """What the in-process engine draws."""
    config, params = load_hf(model_folder, mesh)
    with JaxEngine(config, params, mesh, slots=8, max_len=64) as engine:
        return ask(engine, REQUESTS)


def ask(engine: Engine, requests: list[Request]) -> list[list[Completion]]:
    async def all_at_once() -> list[list[Completion]]:
        return await asyncio.wait_for(asyncio.gather(*(engine.generate(request) for request in requests)), 300)

    return asyncio.run(all_at_once())


def check_same(found: list[list[Completion]], expected: list[list[Completion]], version: int = 0) -> None:
    for group, wanted in zip(found, expected, strict=True):
        for answer, other in zip(group, wanted, strict=True):
            assert (answer.token_ids, answer.finish_reason) == (other.token_ids, other.finish_reason)
            assert answer.logprobs == pytest.approx(other.logprobs, abs=1e-4)
            assert answer.policy_version == version


@pytest.fixture(scope="module")
def server(model_folder: Path) -> Iterator[rollout_server.Command]:
    started = rollout_server.command(model_folder, *OPTIONS)
    yield started
    started.process.kill()
    started.process.communicate()


def test_its_answers_are_those_of_the_in_process_engine(server: rollout_server.Command, expected: list[list[Completion]]) -> None:
    with SGLangEngine(server.url, connections=3) as engine:
        assert isinstance(engine, Engine)
        check_same(ask(engine, REQUESTS), expected)
        check_same(ask(engine, REQUESTS[:2]), expected[:2])  # from another event loop
        with pytest.raises(ValueError, match="max_len 64"):
            ask(engine, [Request((3,) * 60, Sampling(9))])
    with pytest.raises(EngineError, match="closed"):
        ask(engine, REQUESTS[:1])


def test_a_killed_server_loses_no_request(server: rollout_server.Command, model_folder: Path, expected: list[list[Completion]]) -> None:
    """Both servers are asked; one dies in mid-flight with kill -9 and comes back on its port, the other is frozen until it has."""
    port = rollout_server.free_port()
    victim = rollout_server.command(model_folder, *OPTIONS, port=port)
    many = REQUESTS * 12

    async def scenario(engine: SGLangEngine) -> list[list[Completion]]:
        tasks = [asyncio.create_task(engine.generate(request)) for request in many]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        server.process.send_signal(signal.SIGSTOP)  # what it holds stays open: only patience or its return ends that
        victim.process.kill()
        assert sum(task.done() for task in tasks) < len(tasks)
        restarted.append(await asyncio.to_thread(rollout_server.command, model_folder, *OPTIONS, port=port))
        server.process.send_signal(signal.SIGCONT)
        return await asyncio.wait_for(asyncio.gather(*tasks), 300)

    restarted: list[rollout_server.Command] = []
    try:
        with SGLangEngine(server.url, victim.url, connections=8) as engine:
            check_same(asyncio.run(scenario(engine)), expected * 12)
    finally:
        server.process.send_signal(signal.SIGCONT)
        for process in (victim.process, *(one.process for one in restarted)):
            process.kill()
            process.communicate()


def test_aborted_answers_are_asked_again(server: rollout_server.Command, expected: list[list[Completion]]) -> None:
    async def scenario(engine: SGLangEngine) -> list[list[Completion]]:
        tasks = [asyncio.create_task(engine.generate(request)) for request in REQUESTS * 6]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        async with httpx2.AsyncClient(base_url=server.url, timeout=60) as client:
            await client.post("/pause_generation", json={})
            await client.post("/continue_generation", json={})
        return await asyncio.wait_for(asyncio.gather(*tasks), 300)

    with SGLangEngine(server.url, connections=16) as engine:
        check_same(asyncio.run(scenario(engine)), expected * 6)


def test_cancelling_hangs_up_and_nobody_there_is_an_error_after_the_patience(server: rollout_server.Command) -> None:
    async def cancelled(engine: SGLangEngine) -> None:
        task = asyncio.create_task(engine.generate(Request((3,), Sampling(60), num_samples=500)))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with httpx2.AsyncClient(base_url=server.url, timeout=60) as client, asyncio.timeout(60):
            while "oprover_decoding 0.0" not in (await client.get("/metrics")).text:
                await asyncio.sleep(0.05)

    with SGLangEngine(server.url) as engine:
        asyncio.run(cancelled(engine))
    with (
        SGLangEngine(f"http://127.0.0.1:{rollout_server.free_port()}", patience=0.5) as engine,
        pytest.raises(EngineError, match="answered"),
    ):
        ask(engine, REQUESTS[:1])


def said(ids: list[int], kind: str = "length", **meta: object) -> dict:
    entries = [[-0.5, token, None] for token in ids]
    return {
        "text": "",
        "meta_info": {"finish_reason": {"type": kind}, "completion_tokens": len(ids), "output_token_logprobs": entries} | meta,
    }


def playing(answers: Callable[[int], tuple[int, object]], generated: list[dict]) -> Scripted:
    """`answers(i)` is the answer to the i-th request to /generate, counted from 1."""

    def script(path: str, body: dict) -> tuple[int, object]:
        if path != "/generate":
            return 200, {"model_path": "m", "is_generation": True}
        generated.append(body)
        return answers(len(generated))

    return Scripted(script)


def test_a_server_that_ignores_n_is_asked_once_for_each_sample() -> None:
    generated: list[dict] = []
    with playing(lambda count: (200, said([count, 2])), generated) as other, SGLangEngine(other.url, version=5) as engine:
        (group,) = ask(engine, [Request((1, 2), Sampling(2), num_samples=4)])
        assert sorted(answer.token_ids[0] for answer in group) == [1, 2, 3, 4]
        assert {answer.policy_version for answer in group} == {5}
        ask(engine, [Request((1, 2), Sampling(2), num_samples=3)])
    assert [body["sampling_params"]["n"] for body in generated] == [4, 1, 1, 1, 1, 1, 1]
    assert not any("sampling_seed" in body["sampling_params"] for body in generated)


def test_the_weight_version_is_the_policy_version_and_faulty_answers_are_asked_again() -> None:
    faults: list[tuple[int, object]] = [
        (200, said([1, 2], completion_tokens=3)),  # a token is lost
        (200, said([1])),  # too short, and not stopped
        (200, said([1, 2], "abort")),
        (429, {"error": {"message": "full"}}),
        (500, {"error": "oops"}),
        (200, [said([1, 2])] * 2),
    ]
    good = (200, said([1, 2], weight_version="7"))
    generated: list[dict] = []
    with playing(lambda count: [*faults, good][count - 1], generated) as other, SGLangEngine(other.url) as engine:
        (group,) = ask(engine, [Request((1, 2), Sampling(2, stop_ids=(9,)))])
    assert (group[0].token_ids, group[0].logprobs, group[0].policy_version) == ((1, 2), (-0.5, -0.5), 7)
    assert len(generated) == len(faults) + 1


def test_a_stop_token_in_the_last_place_is_a_stop_though_sglang_calls_it_a_full_length() -> None:
    with playing(lambda count: (200, said([1, [9, 3][count - 1]])), []) as other, SGLangEngine(other.url) as engine:
        reasons = [ask(engine, [Request((1, 2), Sampling(2, stop_ids=(9,)))])[0][0].finish_reason for _ in range(2)]
    assert reasons == ["stop", "length"]


def test_a_refusal_is_passed_on_and_not_repeated() -> None:
    refusals: list[tuple[int, object]] = [(400, {"error": {"message": "too long"}}), (401, {"error": "no key"})]
    generated: list[dict] = []
    with playing(lambda count: refusals[count - 1], generated) as other, SGLangEngine(other.url) as engine:
        with pytest.raises(ValueError, match="too long"):
            ask(engine, [Request((1,), Sampling(2))])
        with pytest.raises(EngineError, match="no key"):
            ask(engine, [Request((1,), Sampling(2))])
