import numpy as np
import pytest

from oprover_jax.rollout.engine import Request, Sampling
from oprover_jax.rollout.scheduler import Job, Limits, Scheduler

LIMITS = Limits(slots=4, max_len=32, prefill_batches=(1, 2), prefill_multiple=8, decode_chunk=2, max_stop_ids=2)


def job(length: int, samples: int = 1, new: int = 3, stop: tuple[int, ...] = ()) -> Job:
    return Job(Request(tuple(range(1, length + 1)), Sampling(new, stop_ids=stop), samples))


def scheduler(*jobs: Job) -> Scheduler:
    made = Scheduler(LIMITS)
    for j in jobs:
        made.submit(j)
    return made


def drawn(chunk: int, counts: list[int], token: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.full((chunk, len(counts)), token), np.zeros((chunk, len(counts))), np.array(counts)


def test_the_oldest_request_is_in_the_next_prefill_with_others_of_its_length_first() -> None:
    jobs = [job(5), job(20), job(7), job(6)]
    made = scheduler(*jobs)
    first = made.next_prefill()
    assert first is not None
    assert first.jobs == [jobs[0], jobs[2]]
    assert first.tokens.shape == (2, 8)
    assert first.lengths.tolist() == [5, 7]
    assert first.tokens[0].tolist() == [1, 2, 3, 4, 5, 0, 0, 0]
    made.prefilled(first, "a", 0)
    assert made.next_prefill() is None  # its samples come first
    assert made.next_insert() is not None
    second = made.next_prefill()
    assert second is not None
    assert second.jobs == [jobs[1], jobs[3]]
    assert second.tokens.shape == (2, 24)


def test_a_group_takes_slots_as_they_come_free_and_is_prefilled_once() -> None:
    group = job(4, samples=6, new=2)
    made = scheduler(group)
    plan = made.next_prefill()
    assert plan is not None
    made.prefilled(plan, "batch", 7)
    inserts = [made.next_insert(), made.next_insert()]
    assert [move.slots.tolist() for move in inserts if move is not None] == [[0, 1], [2, 3]]
    assert made.next_insert() is None
    assert made.table.samples.tolist() == [0, 1, 2, 3]
    assert made.advance(*drawn(2, [2, 2, 2, 2])) == []
    last = made.next_insert()
    assert last is not None and last.batch == "batch"
    assert made.table.active.sum() == 2
    assert made.advance(*drawn(2, made.table.active.astype(int).tolist())) == []
    assert made.advance(*drawn(2, made.table.active.astype(int).tolist())) == [group]
    assert not made.started
    assert [c.policy_version for c in group.completions if c is not None] == [7] * 6


def test_stop_and_length() -> None:
    stopping, running = job(4, new=3, stop=(8, 9)), job(4, new=3)
    made = scheduler(stopping, running)
    plan = made.next_prefill()
    assert plan is not None
    made.prefilled(plan, "batch", 0)
    made.next_insert()
    assert made.advance(*drawn(2, [1, 2, 0, 0])) == [stopping]
    assert made.table.positions.tolist() == [0, 6, 0, 0]
    assert made.advance(*drawn(2, [0, 1, 0, 0])) == [running]
    (stopped,), (long,) = stopping.completions, running.completions
    assert stopped is not None and (stopped.token_ids, stopped.finish_reason) == ((9,), "stop")
    assert long is not None and (len(long.token_ids), long.finish_reason) == (3, "length")


def test_a_listener_hears_each_chunk_and_a_sample_may_be_ended_early() -> None:
    heard: list[tuple[int, list[int]]] = []
    group = job(4, samples=2, new=8)
    group.on_tokens = lambda sample, ids, logprobs: heard.append((sample, ids))
    made = scheduler(group)
    plan = made.next_prefill()
    assert plan is not None
    made.prefilled(plan, "batch", 0)
    made.next_insert()
    counts = made.table.active.astype(int).tolist()
    made.advance(*drawn(2, [2 * c for c in counts]))
    made.advance(*drawn(2, counts, token=8))
    assert heard == [(0, [9, 9]), (1, [9, 9]), (0, [8]), (1, [8])]
    assert not made.end(group, 1) and made.decoding == 1
    assert not made.end(group, 1)  # it has ended already
    assert made.end(group, 0) and not made.started
    assert [(c.token_ids, c.finish_reason) for c in group.completions if c is not None] == [((9, 9, 8), "stop")] * 2


@pytest.mark.parametrize("wrong", [{"top_p": 0.0}, {"top_p": 1.1}, {"top_k": -1}, {"min_p": 1.5}, {"temperature": -1.0}])
def test_impossible_sampling_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Sampling(3, **wrong)


def test_a_cancelled_job_is_forgotten_wherever_it_is() -> None:
    decoding, waiting = job(4, samples=5), job(20)
    made = scheduler(decoding, waiting)
    plan = made.next_prefill()
    assert plan is not None
    made.prefilled(plan, "batch", 0)
    while made.next_insert():
        pass
    assert made.decoding == 4
    made.cancel(decoding)
    assert (made.decoding, made.started, made.waiting) == (0, False, 1)
    assert not made.table.active.any()
    made.cancel(waiting)
    assert made.waiting == 0 and made.next_prefill() is None


@pytest.mark.parametrize(
    "wrong", [{"slots": 0}, {"prefill_batches": ()}, {"prefill_batches": (4, 2)}, {"prefill_batches": (0, 2)}, {"decode_chunk": 0}]
)
def test_impossible_limits_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)


@pytest.mark.parametrize(
    "bad, word", [(job(30), "max_len"), (job(4, samples=0), "samples"), (job(4, stop=(1, 2, 3)), "max_stop_ids"), (job(0), "prompt")]
)
def test_impossible_requests_are_refused(bad: Job, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        LIMITS.check(bad.request)


def test_padded_shapes_are_few() -> None:
    assert {LIMITS.bucket(n) for n in range(1, 33)} == {8, 16, 24, 32}
    assert [LIMITS.rows(n) for n in (1, 2, 5)] == [1, 2, 2]
