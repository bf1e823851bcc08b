import asyncio
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oprover_jax.losses.vocab_head import token_logprobs
from oprover_jax.models.qwen3 import Params, Qwen3Config, head_matrix, hidden_states
from oprover_jax.rollout.engine import Completion, Request, Sampling
from oprover_jax.rollout.jax_engine import EngineError, JaxEngine
from oprover_jax.sharding import MeshConfig, make_mesh

pytestmark = pytest.mark.slow

Logits = Callable[[Params, tuple[int, ...]], np.ndarray]

SHAPES = {"slots": 4, "max_len": 32, "prefill_batches": (1, 2), "prefill_multiple": 8, "decode_chunk": 3}
PROMPTS = [tuple(np.random.default_rng(n).integers(1, 32, n).tolist()) for n in (3, 9, 1, 14, 8, 5)]


@pytest.fixture(scope="module")
def engine(config: Qwen3Config, params: Params, mesh: jax.sharding.Mesh) -> Iterator[JaxEngine]:
    with JaxEngine(config, params, mesh, **SHAPES) as made:
        yield made


def run(engine: JaxEngine, *requests: Request) -> list[list[Completion]]:
    async def all_at_once() -> list[list[Completion]]:
        return await asyncio.wait_for(asyncio.gather(*(engine.generate(r) for r in requests)), 60)

    return asyncio.run(all_at_once())


async def started(engine: JaxEngine) -> None:
    async with asyncio.timeout(60):
        while engine.stats().decoding == 0:
            await asyncio.sleep(0.001)


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True)) - x.max(-1, keepdims=True)


def mixed_requests(samples: int = 2) -> list[Request]:
    return [Request(p, Sampling(4 + i, 0.8 + 0.1 * i, stop_ids=(7,)), samples, seed=100 + i) for i, p in enumerate(PROMPTS)]


def test_greedy_takes_the_argmax_of_the_full_forward_pass(engine: JaxEngine, params: Params, logits: Logits) -> None:
    answers = run(engine, *(Request(p, Sampling(10, temperature=0.0)) for p in PROMPTS))
    for prompt, (answer,) in zip(PROMPTS, answers):
        said = logits(params, prompt + answer.token_ids[:-1])[len(prompt) - 1 :]
        assert list(answer.token_ids) == said.argmax(axis=1).tolist()


def test_logprobs_are_those_the_trainer_computes(engine: JaxEngine, mesh: jax.sharding.Mesh, config: Qwen3Config, params: Params) -> None:
    @jax.jit
    def score(tokens: jax.Array, length: jax.Array) -> jax.Array:
        positions = jnp.arange(tokens.shape[1])[None]
        hidden = hidden_states(config, params, tokens, positions, (positions < length).astype(jnp.int32))
        return token_logprobs(hidden, head_matrix(params), jnp.roll(tokens, -1), chunk=32, temperature=0.8).logprob[0]

    requests = [Request(p, Sampling(4 + i, 0.8), num_samples=3, seed=i) for i, p in enumerate(PROMPTS)]
    for request, answers in zip(requests, run(engine, *requests)):
        for answer in answers:
            ids = request.prompt_ids + answer.token_ids
            with jax.set_mesh(mesh):
                expected = np.asarray(score(np.array([[*ids, *[0] * (32 - len(ids))]], np.int32), np.int32(len(ids))))
            np.testing.assert_allclose(answer.logprobs, expected[len(request.prompt_ids) - 1 : len(ids) - 1], atol=1e-5)


def test_a_completion_does_not_depend_on_what_else_is_in_flight(
    engine: JaxEngine, config: Qwen3Config, params: Params, mesh: jax.sharding.Mesh
) -> None:
    requests = mixed_requests()
    together = run(engine, *requests)
    assert [run(engine, r)[0] for r in requests] == together
    with JaxEngine(config, params, mesh, slots=7, max_len=32, prefill_batches=(4,), prefill_multiple=16, decode_chunk=5) as other:
        elsewhere = run(other, *reversed(requests))[::-1]
    for here, there in zip(together, elsewhere):
        assert [a.token_ids for a in here] == [a.token_ids for a in there]
        for a, b in zip(here, there):
            np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-5)


def test_a_group_shares_its_prefill_and_a_smaller_group_is_its_beginning(engine: JaxEngine) -> None:
    before = engine.stats()
    (group,) = run(engine, Request(PROMPTS[1], Sampling(8), num_samples=9, seed=5))
    assert engine.stats().prompt_tokens - before.prompt_tokens == len(PROMPTS[1])
    assert engine.stats().completions - before.completions == 9
    assert len({a.token_ids for a in group}) > 5
    (fewer,) = run(engine, Request(PROMPTS[1], Sampling(8), num_samples=3, seed=5))
    assert fewer == group[:3]


def test_first_tokens_follow_the_softmax(engine: JaxEngine, params: Params, logits: Logits) -> None:
    n = 2000
    (answers,) = run(engine, Request(PROMPTS[3], Sampling(1), num_samples=n, seed=1))
    expected = n * np.exp(log_softmax(logits(params, PROMPTS[3])[-1]))
    counts = np.bincount([a.token_ids[0] for a in answers], minlength=len(expected))
    rare = expected < 5
    observed = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    chi_square = ((observed - expected) ** 2 / expected).sum()
    degrees = (~rare).sum()
    assert degrees >= 5
    assert chi_square < degrees + 4 * np.sqrt(2 * degrees)


def test_a_completion_ends_with_its_stop_token_or_at_its_length(engine: JaxEngine) -> None:
    (free,) = run(engine, Request(PROMPTS[0], Sampling(12), num_samples=6, seed=2))
    assert {(len(a.token_ids), a.finish_reason) for a in free} == {(12, "length")}
    stop = (free[0].token_ids[4], free[1].token_ids[7])
    (stopped,) = run(engine, Request(PROMPTS[0], Sampling(12, stop_ids=stop), num_samples=6, seed=2))
    for whole, cut in zip(free, stopped):
        ends = [i for i, token in enumerate(whole.token_ids) if token in stop]
        length = ends[0] + 1 if ends else 12
        assert cut.token_ids == whole.token_ids[:length]
        assert cut.logprobs == pytest.approx(whole.logprobs[:length], abs=1e-6)
        assert cut.finish_reason == ("stop" if ends else "length")
    assert any(a.finish_reason == "stop" for a in stopped)


def test_a_listener_hears_what_its_samples_draw_and_may_end_them(engine: JaxEngine) -> None:
    request = Request(PROMPTS[0], Sampling(18), num_samples=6, seed=2)
    (free,) = run(engine, request)
    heard: dict[int, list[tuple[int, float]]] = {sample: [] for sample in range(6)}

    def listen(sample: int, token_ids: list[int], logprobs: list[float]) -> bool:
        heard[sample] += zip(token_ids, logprobs, strict=True)
        return sample == 4 and len(heard[sample]) > 5

    async def listening() -> list[Completion]:
        return await asyncio.wait_for(engine.generate(request, listen), 60)

    answers = asyncio.run(listening())
    for sample, (answer, whole) in enumerate(zip(answers, free)):
        assert [token for token, _ in heard[sample]] == list(answer.token_ids)
        assert answer.token_ids == whole.token_ids[: len(answer.token_ids)]
        assert [logprob for _, logprob in heard[sample]] == pytest.approx(answer.logprobs)
    assert [len(a.token_ids) for a in answers if a is not answers[4]] == [18] * 5
    assert 5 < len(answers[4].token_ids) <= 18
    assert (engine.stats().waiting, engine.stats().decoding) == (0, 0)


def test_top_k_of_one_is_greedy_whatever_the_temperature(engine: JaxEngine) -> None:
    greedy, one = run(engine, *(Request(PROMPTS[3], Sampling(9, t, top_k=k), seed=8) for t, k in ((0.0, 0), (1.7, 1))))
    assert greedy[0].token_ids == one[0].token_ids
    assert greedy[0].logprobs != one[0].logprobs


def test_a_request_that_cannot_fit_is_refused_with_the_remedy(engine: JaxEngine) -> None:
    with pytest.raises(ValueError, match=r"prompt of 14 tokens and max_new_tokens 19 .* larger max_len"):
        run(engine, Request(PROMPTS[3], Sampling(19)))
    (fits,) = run(engine, Request(PROMPTS[3], Sampling(18)))
    assert len(fits[0].token_ids) == 18


def test_published_weights_serve_new_requests_and_started_ones_keep_theirs(
    config: Qwen3Config, params: Params, mesh: jax.sharding.Mesh, other_params: Params, logits: Logits
) -> None:
    with JaxEngine(config, params, mesh, version=3, **SHAPES) as engine:

        async def scenario() -> tuple[list[Completion], list[Completion]]:
            old = asyncio.create_task(engine.generate(Request(PROMPTS[1], Sampling(20, top_k=1), num_samples=40)))
            await started(engine)
            engine.publish(other_params, 4)
            new = await engine.generate(Request(PROMPTS[1], Sampling(20, 0.0)))
            return await old, new

        old, new = asyncio.run(asyncio.wait_for(scenario(), 60))
    assert {a.policy_version for a in old} == {3}
    assert {a.policy_version for a in new} == {4}
    for weights, answers in ((params, old), (other_params, new)):
        for answer in answers:
            said = logits(weights, PROMPTS[1] + answer.token_ids[:-1])[len(PROMPTS[1]) - 1 :]
            assert list(answer.token_ids) == said.argmax(axis=1).tolist()


def test_the_engine_keeps_a_copy_of_what_is_published(
    config: Qwen3Config, params: Params, mesh: jax.sharding.Mesh, other_params: Params
) -> None:
    with JaxEngine(config, params, mesh, **SHAPES) as engine:
        in_use = engine.publish(other_params, 1)
        jax.tree.map(lambda x: x.delete(), other_params)
        in_use.result(60)
        assert engine.version == 1
        ((answer,),) = run(engine, Request(PROMPTS[0], Sampling(3)))
        assert answer.policy_version == 1
        with pytest.raises(ValueError, match="same Qwen3Config"):
            engine.publish({**params, "head": params["embedding"]}, 2)


def test_cancelled_tasks_give_their_slots_back(engine: JaxEngine) -> None:
    async def scenario() -> None:
        tasks = [asyncio.create_task(engine.generate(Request(p, Sampling(18), num_samples=200))) for p in PROMPTS]
        await started(engine)
        for task in tasks:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(a, asyncio.CancelledError) for a in answers)
        before = engine.stats().generated_tokens
        await asyncio.wait_for(engine.generate(Request(PROMPTS[0], Sampling(2), num_samples=4)), 60)
        assert engine.stats().generated_tokens - before < 200
        assert (engine.stats().waiting, engine.stats().decoding) == (0, 0)

    asyncio.run(scenario())


def test_a_failure_on_the_device_thread_reaches_everybody(config: Qwen3Config, params: Params, mesh: jax.sharding.Mesh) -> None:
    with JaxEngine(config, params, mesh, **SHAPES) as engine:

        async def scenario() -> list[object]:
            tasks = [asyncio.create_task(engine.generate(Request(p, Sampling(18), num_samples=200))) for p in PROMPTS]
            await started(engine)
            jax.tree.map(lambda x: x.delete(), engine._params)
            return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)

        answers = asyncio.run(scenario())
        assert all(isinstance(a, EngineError) and "deleted" in str(a.__cause__) for a in answers)
        with pytest.raises(EngineError, match="failed"):
            run(engine, Request(PROMPTS[0], Sampling(2)))


def test_closing_ends_those_who_wait_and_refuses_newcomers(config: Qwen3Config, params: Params, mesh: jax.sharding.Mesh) -> None:
    engine = JaxEngine(config, params, mesh, **SHAPES)

    async def scenario() -> None:
        task = asyncio.create_task(engine.generate(Request(PROMPTS[0], Sampling(18), num_samples=1000)))
        await started(engine)
        await asyncio.to_thread(engine.close)
        with pytest.raises(EngineError, match="closed"):
            await task

    asyncio.run(scenario())
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        run(engine, Request(PROMPTS[0], Sampling(2)))


def test_thousands_of_requests_from_one_loop(engine: JaxEngine) -> None:
    requests = [Request(PROMPTS[i % 6], Sampling(1 + i % 3), seed=i) for i in range(2000)]
    answers = run(engine, *requests)
    assert [len(a[0].token_ids) for a in answers] == [r.sampling.max_new_tokens for r in requests]
    assert engine.stats().seconds > 0


@pytest.mark.parametrize("shape", [MeshConfig(dcn=2, fsdp=2, tensor=2)])
def test_a_sharded_mesh_gives_the_results_of_one_device(
    engine: JaxEngine, config: Qwen3Config, params: Params, devices: list[jax.Device], shape: MeshConfig
) -> None:
    requests = [*mixed_requests(3), Request(PROMPTS[1], Sampling(6, temperature=0.0))]
    with JaxEngine(config, params, make_mesh(shape, devices), **{**SHAPES, "slots": 16}) as sharded:
        there = run(sharded, *requests)
    for here, other in zip(run(engine, *requests), there):
        assert [a.token_ids for a in here] == [a.token_ids for a in other]
        for a, b in zip(here, other):
            np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-5)
