"""One request cannot harm another: hostile numbers, requests that break on their way, listeners that raise, a device that fails."""

import asyncio
import itertools
from collections.abc import Callable, Iterator

import jax
import numpy as np
import pytest

from oprover_jax.models.qwen3 import Params, Qwen3Config
from oprover_jax.rollout.engine import Completion, EngineError, Request, Sampling
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.job import Job
from oprover_jax.rollout.waiter import Waiter

pytestmark = pytest.mark.slow

SHAPES = {"slots": 4, "max_len": 32, "prefill_batches": (1, 2), "prefill_multiple": 8, "decode_chunk": 3}
PROMPTS = [tuple(np.random.default_rng(n).integers(1, 32, n).tolist()) for n in (3, 9, 1, 14, 8, 5)]
GOOD = [Request(p, Sampling(4 + i, 0.8 + 0.1 * i, stop_ids=(7,), top_k=20), 2, seed=100 + i) for i, p in enumerate(PROMPTS)]


@pytest.fixture(scope="module")
def engine(config: Qwen3Config, params: Params, mesh: jax.sharding.Mesh) -> Iterator[JaxEngine]:
    with JaxEngine(config, params, mesh, **SHAPES) as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(engine: JaxEngine) -> list[list[Completion]]:
    return asyncio.run(gathered(*(engine.generate(request) for request in GOOD)))


async def gathered(*work) -> list:
    return await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 120)


def idle(engine: JaxEngine) -> bool:
    return (engine.stats().waiting, engine.stats().decoding, engine.failure) == (0, 0, None)


def among_good_ones(engine: JaxEngine, undisturbed: list[list[Completion]], *bad: Callable[[], object]) -> list:
    """What becomes of the bad ones, asked between good ones, whose answers must be those of a run without them."""

    async def all_at_once() -> tuple[list, list]:
        calm, hostile = [], []
        for request, one in itertools.zip_longest(GOOD, bad):
            calm += [asyncio.ensure_future(engine.generate(request))] if request is not None else []
            hostile += [asyncio.ensure_future(one())] if one is not None else []
        return await gathered(*calm), await gathered(*hostile)

    answers, of_the_bad = asyncio.run(all_at_once())
    assert answers == undisturbed
    assert asyncio.run(gathered(*(engine.generate(request) for request in GOOD))) == undisturbed
    assert idle(engine)
    return of_the_bad


SEEDS = (0, -1, 2**63, 2**64 - 1, -(2**63))
EXTREMES: list[dict] = [
    {"top_k": 2**31 - 1},
    {"top_k": 2**31},
    {"top_k": 2**63},
    {"top_k": 10**300},
    {"stop_ids": (2**31 - 1, 2**31, 2**40, 10**300)},
    {"stop_ids": (-1, -5, -(2**40), 32)},
    {"top_p": 1e-300},
    {"top_p": 5e-324, "min_p": 1.0, "top_k": 2**31},
    {"top_p": 1 - 1e-16},
    {"min_p": 5e-324},
    {"temperature": 5e-324},
    {"temperature": 1e-45},
    {"temperature": 1e39},
    {"temperature": 1.7e308},
]


def test_extreme_numbers_are_drawn_by_and_harm_nobody(engine: JaxEngine, undisturbed: list[list[Completion]]) -> None:
    requests = [Request(PROMPTS[1], Sampling(6, **one), 3, SEEDS[place % 5]) for place, one in enumerate(EXTREMES)]
    for answer in among_good_ones(engine, undisturbed, *(lambda request=request: engine.generate(request) for request in requests)):
        for completion in answer:
            assert len(completion.token_ids) == 6 and completion.finish_reason == "length"
            assert all(0 <= token < 32 for token in completion.token_ids)
            assert all(np.isfinite(logprob) and logprob <= 1e-6 for logprob in completion.logprobs)


def test_ids_that_no_vocabulary_has_stop_nothing_and_the_others_do(engine: JaxEngine) -> None:
    def draw(*stop_ids: int) -> Completion:
        (answer,) = asyncio.run(gathered(engine.generate(Request(PROMPTS[0], Sampling(12, stop_ids=stop_ids), seed=2))))
        return answer[0]

    free = draw()
    stop = free.token_ids[4]
    assert draw(2**31, -1) == free
    assert draw(2**31, stop).token_ids == draw(stop).token_ids == free.token_ids[: free.token_ids.index(stop) + 1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1e-300])
@pytest.mark.parametrize("name", ["temperature", "top_p", "min_p"])
def test_numbers_that_are_none_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Sampling(3, **{name: value})


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1, 10**300])
def test_a_seed_of_more_than_64_bits_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        Request((1,), Sampling(1), seed=seed)


def test_prompts_outside_the_vocabulary_are_refused(engine: JaxEngine, undisturbed: list[list[Completion]]) -> None:
    prompts = [(1, 32), (-1, 2), (2**31,), (10**300, 1), (1, -(2**63))]
    asked = [lambda ids=ids: engine.generate(Request(ids, Sampling(2))) for ids in prompts]
    scored = [lambda ids=ids: engine.score(ids) for ids in prompts]
    for error in among_good_ones(engine, undisturbed, *asked, *scored):
        assert isinstance(error, ValueError) and "between 0 and 31" in str(error)


def test_counts_are_refused_before_anything_is_made(engine: JaxEngine, undisturbed: list[list[Completion]]) -> None:
    requests = [Request((1,), Sampling(3), samples) for samples in (10**18, 0, -(2**40))]
    requests += [Request((1,), Sampling(10**18)), Request((), Sampling(3)), Request((1,) * 33, Sampling(3))]
    for refused in among_good_ones(engine, undisturbed, *(lambda request=request: engine.generate(request) for request in requests)):
        assert isinstance(refused, ValueError)


def broken(engine: JaxEngine, prompt: np.ndarray | None = None, stop_ids: np.ndarray | None = None, missing: str | None = None):
    """A request whose arrays were damaged after every check, so that the device's thread meets them."""

    async def ask() -> None:
        job = Job(Request(PROMPTS[1], Sampling(6, top_k=20), 3))
        if prompt is not None:
            job.prompt = prompt
        if stop_ids is not None:
            job.row = job.row._replace(stop_ids=stop_ids)
        if missing is not None:
            delattr(job, missing)
        waiter = Waiter(job, None)
        engine._post(lambda: engine._submit(waiter))
        await waiter.future

    return ask


@pytest.mark.parametrize(
    "damage",
    [
        {"missing": "prompt"},  # when it is submitted
        {"prompt": np.zeros((2, 3), np.int32)},  # when it is prefilled
        {"stop_ids": np.zeros(99, np.int32)},  # when it takes its slot
        {"missing": "missing"},  # when its first sample ends
    ],
)
def test_a_request_that_breaks_on_its_way_fails_alone(engine: JaxEngine, undisturbed: list[list[Completion]], damage: dict) -> None:
    for error in among_good_ones(engine, undisturbed, broken(engine, **damage), broken(engine, **damage)):
        assert isinstance(error, EngineError) and "this request failed" in str(error) and error.__cause__ is not None


def test_a_listener_that_raises_fails_its_own_request(engine: JaxEngine, undisturbed: list[list[Completion]]) -> None:
    calls = []

    def raising(sample: int, token_ids: list[int], logprobs: list[float]) -> bool:
        calls.append(sample)
        raise KeyError("no such thing")

    request = Request(PROMPTS[0], Sampling(18), 9)
    (failed,) = among_good_ones(engine, undisturbed, lambda: engine.generate(request, raising))
    assert isinstance(failed, EngineError) and "on_tokens" in str(failed) and isinstance(failed.__cause__, KeyError)
    assert len(calls) == 1


def test_loops_that_close_while_they_are_told_harm_nobody(engine: JaxEngine, undisturbed: list[list[Completion]]) -> None:
    for _ in range(5):
        loop = asyncio.new_event_loop()
        request = Request(PROMPTS[0], Sampling(18), 9)
        task = loop.create_task(engine.generate(request, lambda *_: None))
        loop.run_until_complete(asyncio.sleep(0.02))
        task._log_destroy_pending = False
        loop.close()
    among_good_ones(engine, undisturbed)


def test_a_device_that_fails_fails_everybody_and_says_so(config: Qwen3Config, params: Params, mesh: jax.sharding.Mesh) -> None:
    with JaxEngine(config, params, mesh, **SHAPES) as engine:
        assert engine.failure is None and not engine.ended.done() and not engine.ended.cancel()

        async def scenario() -> list:
            tasks = [asyncio.create_task(engine.generate(Request(p, Sampling(18), num_samples=200))) for p in PROMPTS]
            while engine.stats().decoding == 0:
                await asyncio.sleep(0.001)
            jax.tree.map(lambda x: x.delete(), engine.params)
            return await gathered(*tasks, engine.score(PROMPTS[1]))

        answers = asyncio.run(scenario())
        assert all(isinstance(answer, EngineError) for answer in answers)
        assert isinstance(engine.ended.exception(timeout=60), EngineError)
        assert engine.failure is not None and "deleted" in engine.failure and "\n" not in engine.failure
        for late in asyncio.run(gathered(engine.generate(GOOD[0]), engine.score(PROMPTS[1]))):
            assert isinstance(late, EngineError) and str(late) == engine.failure


def test_a_closed_engine_has_ended_without_a_failure(config: Qwen3Config, params: Params, mesh: jax.sharding.Mesh) -> None:
    engine = JaxEngine(config, params, mesh, **SHAPES)
    engine.close()
    assert engine.ended.result(timeout=60) is None and engine.failure is None
