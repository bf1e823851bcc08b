"""The prover's side of the Lean workers, over the real pool: asked once, waited for while away, never guessed, never blamed for a proof."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from lean_worker.pool import Pool
from lean_worker.protocol import Check, Kind, Verdict
from oprover_jax.errors import LeanAway
from oprover_jax.records import Statement
from oprover_jax.verify.verifier import Verifier

pytestmark = pytest.mark.lean

TRUE = Statement("a", "a", "theorem a (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry")
FALSE = Statement("b", "b", "theorem b : 2 + 2 = 5 := by sorry")
RIGHT = "by exact ⟨h.2, h.1⟩"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1) as pool:
        yield pool


class FaultyWorkers:
    """The real pool behind a counter. `fault` says of each check, by its number from 1, with which kind it is lost, or None."""

    def __init__(self, pool: Pool, fault: Callable[[int, Check], Kind | None] = lambda number, check: None) -> None:
        self.pool, self.fault, self.asked, self.retried = pool, fault, list[Check](), 0

    def submit(self, check: Check, *, retry: bool = True) -> "Future[Verdict]":
        self.asked.append(check)
        self.retried += retry
        kind = self.fault(len(self.asked), check)
        if kind is None:
            return self.pool.submit(check, retry=retry)
        gone: Future[Verdict] = Future()
        gone.set_result(Verdict(check.id, None, kind))
        return gone


def first(count: int, kind: Kind) -> Callable[[int, Check], Kind | None]:
    return lambda number, check: kind if number <= count else None


def of_the_proof(kind: Kind) -> Callable[[int, Check], Kind | None]:
    return lambda number, check: None if check.id == "probe" else kind


def test_verdicts_are_lean_s_and_equal_questions_are_asked_once(pool: Pool) -> None:
    workers = FaultyWorkers(pool)
    verifier = Verifier(workers)
    pairs = [(TRUE, RIGHT), (TRUE, "by exact h"), (FALSE, "by decide"), (FALSE, "by sorry"), (TRUE, RIGHT)]
    verdicts = asyncio.run(verifier.verify_many(pairs))
    assert [v.kind for v in verdicts] == ["accepted", "error", "error", "hole", "accepted"]
    assert [v.id for v in verdicts] == ["a", "a", "b", "b", "a"] and len(workers.asked) == 4
    assert asyncio.run(verifier.verify(TRUE, "by exact h")).accepted is False and len(workers.asked) == 4
    assert verifier.counts == {"accepted": 2, "error": 3, "hole": 1}


def test_the_cache_is_bounded_and_forgets_what_was_not_used(pool: Pool) -> None:
    workers = FaultyWorkers(pool)
    verifier = Verifier(workers, cache_size=2)
    for proof in ("by exact h", RIGHT, "by exact h", "by skip", "by exact h", RIGHT):
        asyncio.run(verifier.verify(TRUE, proof))
    assert [check.proof for check in workers.asked] == ["by exact h", RIGHT, "by skip", RIGHT]


@pytest.mark.parametrize("kind", ["crash", "timeout", "unavailable"])
def test_a_lost_check_is_asked_again(pool: Pool, kind: Kind) -> None:
    workers = FaultyWorkers(pool, first(1, kind))
    assert asyncio.run(Verifier(workers).verify(TRUE, RIGHT)).accepted is True
    assert workers.retried == 0, "the workers were patient too"


@pytest.mark.parametrize(("kind", "times"), [("timeout", 2), ("crash", 3)])
def test_a_proof_that_lean_cannot_finish_while_it_is_well_has_failed(pool: Pool, kind: Kind, times: int) -> None:
    workers = FaultyWorkers(pool, of_the_proof(kind))
    verifier = Verifier(workers)
    verdicts = asyncio.run(verifier.decide_many([(TRUE, "by spin"), (TRUE, "by spin")]))
    assert {(v.accepted, v.kind) for v in verdicts} == {(None, kind)}
    assert [check.id for check in workers.asked] == ["a", "probe"] * times
    assert len({check.statement for check in workers.asked}) == times + 1, "a cache could have answered a probe"


def test_running_out_of_time_while_lean_is_not_well_is_not_the_proof_s_failure(pool: Pool) -> None:
    """The machine is overloaded for a while: the probes time out too."""
    workers = FaultyWorkers(pool, first(6, "timeout"))
    assert asyncio.run(Verifier(workers).decide(TRUE, RIGHT)).accepted is True


def test_a_real_proof_without_end_has_failed() -> None:
    endless = Statement("e", "e", "theorem e : False := by sorry")
    with Pool(workers=1, timeout=0.5, heartbeats=100_000_000) as hasty:
        verdict = asyncio.run(Verifier(hasty, patience=0.0).decide(endless, "by\n  repeat (have h : True := trivial; clear h)"))
        assert (verdict.accepted, verdict.kind) == (None, "timeout")
        assert hasty.status().verdicts == {"timeout": 2, "accepted": 2}


def test_a_lean_that_stays_away_is_an_error_after_one_patience(pool: Pool) -> None:
    away = FaultyWorkers(pool, first(4, "unavailable"))
    verifier = Verifier(away, patience=0.05)
    assert asyncio.run(verifier.verify(FALSE, "by decide")).kind == "unavailable"
    with pytest.raises(LeanAway, match=r"Lean gave no verdict within 0\.05 s"):
        asyncio.run(verifier.decide_many([(FALSE, "by decide"), (TRUE, "by skip")]))
    assert len(away.asked) == 3
    assert asyncio.run(Verifier(away).verify(FALSE, "by decide")).accepted is False
    assert asyncio.run(verifier.verify(FALSE, "by decide")).accepted is False, "remembered that there was no verdict"


def test_what_will_be_stored_is_judged_twice(pool: Pool) -> None:
    workers = FaultyWorkers(pool)
    verifier = Verifier(workers)
    assert asyncio.run(verifier.verify(TRUE, RIGHT)).tier == "fast"
    verdicts = asyncio.run(verifier.verify_many([(TRUE, RIGHT), (FALSE, "by decide")], "slow"))
    assert [(v.kind, v.tier) for v in verdicts] == [("accepted", "slow"), ("error", "fast")] and len(workers.asked) == 3


def test_proofs_may_have_helpers(pool: Pool) -> None:
    helper = "theorem aux (p q : Prop) (h : p ∧ q) : q := h.2\n\ntheorem a (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨aux p q h, h.1⟩"
    verdicts = asyncio.run(Verifier(pool).verify_many([(TRUE, helper), (FALSE, helper)]))
    assert [v.accepted for v in verdicts] == [True, False]
