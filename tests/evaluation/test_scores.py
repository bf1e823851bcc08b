"""pass@k against exhaustive counting; scores of stored rollouts, with proofs that Lean could not finish among them."""

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lean_worker.protocol import Verdict
from oprover_jax.corpus import store
from oprover_jax.data.rollouts import Rollout, scan
from oprover_jax.evaluation.evaluate import family_scores, outcomes, score
from oprover_jax.evaluation.pass_at_k import bootstrap_interval, pass_at_k
from oprover_jax.records import Round, Statement, Trajectory


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_with_a_success(case: tuple[int, int, int]) -> None:
    n, correct, k = case
    draws = list(combinations([True] * correct + [False] * (n - correct), k))
    assert pass_at_k(n, correct, k) == pytest.approx(sum(any(d) for d in draws) / len(draws), abs=1e-12)


@pytest.mark.parametrize(("n", "correct", "k"), [(4, 5, 1), (4, 2, 5), (4, 2, 0), (4, -1, 1)])
def test_undefined_pass_at_k_is_refused(n: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match="not defined"):
        pass_at_k(n, correct, k)


def test_interval_holds_the_mean_and_narrows() -> None:
    few, many = [0.0, 1.0] * 10, [0.0, 1.0] * 1000
    low, high = bootstrap_interval(few, seed=0)
    low2, high2 = bootstrap_interval(many, seed=0)
    assert low < 0.5 < high and low < low2 < 0.5 < high2 < high
    assert bootstrap_interval(few, seed=0) == (low, high)


def one(accepted: bool | None) -> Round:
    kind = {True: "accepted", False: "error", None: "timeout"}[accepted]
    verdict = Verdict("s", accepted, kind)  # type: ignore[arg-type]
    return Round((1,), (2,), (0.0,), 0, "stop", (), "by simp", True, verdict, "", float(accepted or 0))


def rollouts(folder: Path, name: str, *made: tuple[bool | None, ...], family: str = "f") -> list[Rollout]:
    statement = Statement(name, name, "theorem t : True := by sorry", family=family)
    found = [Trajectory(statement, i, "stage", tuple(one(a) for a in rollout)) for i, rollout in enumerate(made)]
    return list(scan([str(store.append(folder, store.TRAJECTORIES, found))]))


def test_any_accepted_round_is_success_and_a_proof_that_lean_cannot_finish_is_failure(tmp_path: Path) -> None:
    found = outcomes(rollouts(tmp_path, "a", (False, True), (False, False), (None,), (False, None), (True,)))
    assert {name: (each.rollouts, each.accepted) for name, each in found.items()} == {"a": (5, 2)}


def test_score_counts_statements_that_were_never_read(tmp_path: Path) -> None:
    solved = rollouts(tmp_path, "a", *[(True,)] * 8)
    failed = rollouts(tmp_path, "b", *[(False, False)] * 8, family="g")
    found = outcomes([*solved, *failed])
    result = score("x", found, 4, 8, 1.0, seed=0)
    assert (result.pass_at_1, result.pass_at_8, result.unread, result.statements) == (0.25, 0.25, 2, 4)
    assert (result.first_round, result.attempts, result.n) == (0.5, 24, 8)
    assert [(f.family, f.pass_at_8) for f in family_scores("x", found)] == [("f", 1.0), ("g", 0.0)]


def test_fewer_than_eight_rollouts_are_not_scored(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pass@8 of 7 accepted out of 7"):
        score("x", outcomes(rollouts(tmp_path, "a", *[(True,)] * 7)), 1, 7, 1.0, seed=0)
