"""The prover's side of the Lean workers, over the real pool: asked once, retried where nobody could say, never guessed."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict
from oprover_jax.records import Statement
from oprover_jax.verify.verifier import Verifier

pytestmark = pytest.mark.lean

TRUE = Statement("a", "a", "theorem a (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry")
FALSE = Statement("b", "b", "theorem b : 2 + 2 = 5 := by sorry")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1) as pool:
        yield pool


class CountingWorkers:
    """The real pool behind a counter; the first `lost` checks are lost on the way, as when a worker dies."""

    def __init__(self, pool: Pool, lost: int = 0) -> None:
        self.pool, self.lost, self.asked = pool, lost, 0

    def submit(self, check: Check) -> "Future[Verdict]":
        self.asked += 1
        if self.asked <= self.lost:
            gone: Future[Verdict] = Future()
            gone.set_result(Verdict(check.id, None, "crash"))
            return gone
        return self.pool.submit(check)


def test_verdicts_are_lean_s_and_equal_questions_are_asked_once(pool: Pool) -> None:
    workers = CountingWorkers(pool)
    verifier = Verifier(workers)
    pairs = [(TRUE, "by exact ⟨h.2, h.1⟩"), (TRUE, "by exact h"), (FALSE, "by decide"), (FALSE, "by sorry"), (TRUE, "by exact ⟨h.2, h.1⟩")]
    verdicts = asyncio.run(verifier.verify_many(pairs))
    assert [v.kind for v in verdicts] == ["accepted", "error", "error", "hole", "accepted"]
    assert [v.id for v in verdicts] == ["a", "a", "b", "b", "a"] and workers.asked == 4
    assert asyncio.run(verifier.verify(TRUE, "by exact h")).accepted is False and workers.asked == 4
    assert verifier.counts == {"accepted": 2, "error": 3, "hole": 1}


def test_a_lost_check_is_asked_again(pool: Pool) -> None:
    workers = CountingWorkers(pool, lost=2)
    assert asyncio.run(Verifier(workers, retries=2).verify(TRUE, "by exact ⟨h.2, h.1⟩")).accepted is True
    assert workers.asked == 3


def test_no_verdict_is_reported_as_none_and_not_remembered(pool: Pool) -> None:
    verifier = Verifier(CountingWorkers(pool, lost=2), retries=1)
    assert asyncio.run(verifier.verify(FALSE, "by decide")).accepted is None
    assert asyncio.run(verifier.verify(FALSE, "by decide")).accepted is False


def test_what_will_be_stored_is_judged_twice(pool: Pool) -> None:
    workers = CountingWorkers(pool)
    verifier = Verifier(workers)
    assert asyncio.run(verifier.verify(TRUE, "by exact ⟨h.2, h.1⟩")).tier == "fast"
    verdicts = asyncio.run(verifier.verify_many([(TRUE, "by exact ⟨h.2, h.1⟩"), (FALSE, "by decide")], "slow"))
    assert [(v.kind, v.tier) for v in verdicts] == [("accepted", "slow"), ("error", "fast")] and workers.asked == 3


def test_proofs_may_have_helpers(pool: Pool) -> None:
    helper = "theorem aux (p q : Prop) (h : p ∧ q) : q := h.2\n\ntheorem a (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨aux p q h, h.1⟩"
    verdicts = asyncio.run(Verifier(pool).verify_many([(TRUE, helper), (FALSE, helper)]))
    assert [v.accepted for v in verdicts] == [True, False]
