"""Every way we know to make a compile-only check accept a falsehood; none may be accepted, none may write or outlive its check."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from backends import BACKENDS

from lean_worker.attacks import FALSE, FORBIDDEN, REJECTED_BY_LEAN
from lean_worker.candidate import Candidate
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.screen import screen


@pytest.fixture(scope="module", params=BACKENDS)
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    """Every attack on every backend."""
    with Pool(2, backend=BACKENDS[request.param]()) as running:
        yield running


UNSCREENED = [
    "sorry",
    "sorryAx",
    "sorryAx in guillemets",
    "admit",
    "native_decide",
    "search",
    "search apply",
    "exit",
    "axiom after",
    "opaque",
    "sorry inside",
    "run_tac",
    "end of slot",
    "warning switched off",
    "proof as sorry",
    "guarded messages",
    "stop",
    "trace",
    "elaborator",
    "variable",
]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_the_screen_refuses(name: str) -> None:
    assert screen(FORBIDDEN[name])


def test_what_the_screen_refuses_is_forbidden_and_never_runs(pool: Pool) -> None:
    verdicts = pool.check_many([Check(name, FALSE, proof) for name, proof in FORBIDDEN.items()])
    assert {verdict.kind for verdict in verdicts} == {"forbidden"}
    assert all(verdict.accepted is False and verdict.messages for verdict in verdicts)


def test_what_the_screen_lets_through_is_rejected_by_lean(pool: Pool) -> None:
    verdicts = pool.check_many([Check(name, *attack) for name, attack in REJECTED_BY_LEAN.items()])
    assert {v.id: v.kind for v in verdicts if v.accepted is not False} == {}
    assert {v.id: v.kind for v in verdicts if v.kind != "error"} == {}


def test_audit_and_judge_hold_without_the_screen(pool: Pool) -> None:
    known = [name for name in UNSCREENED if name in FORBIDDEN]
    futures = [pool._submit(name, "", FALSE, Candidate(FORBIDDEN[name])) for name in known]
    assert {future.result().id: future.result().kind for future in futures if future.result().accepted} == {}


def test_one_candidate_cannot_use_the_proof_of_another(pool: Pool) -> None:
    statement = "theorem shared (p q : Prop) (hp : p) (hq : q) : p ∧ q := by sorry"
    proofs = ["⟨hp, hq⟩", "shared p q hp hq", "by assumption", "by solve_by_elim", "Candidate0.shared p q hp hq", "by apply_assumption"]
    verdicts = pool.check_many([Check(str(i), statement, proof) for i, proof in enumerate(proofs)])
    assert [v.kind for v in verdicts[:2]] == ["accepted", "error"]
    assert all(v.kind == "error" for v in (verdicts[2], verdicts[4], verdicts[5]))


def test_a_wrong_neighbour_changes_nothing(pool: Pool) -> None:
    """Unbalanced brackets, half a `match`, half a `where`: the checks before and behind are judged as if alone."""
    statement = "theorem good (p : Prop) (h : p) : p := by sorry"
    bad = ["by exact (h", "match h with", "h where x", "by cases h with", "fun x =>", "⟨", "by\n  have : p := by", "calc p", "if", "| "]
    checks = [check for i, proof in enumerate(bad) for check in (Check(f"bad{i}", statement, proof), Check(f"good{i}", statement, "h"))]
    verdicts = pool.check_many(checks)
    assert [v.id for v in verdicts if v.id.startswith("good") and v.kind != "accepted"] == []
    assert [v.id for v in verdicts if v.id.startswith("bad") and v.kind != "error"] == []


def test_a_candidate_of_lean_cannot_write_files(pool: Pool, tmp_path: Path) -> None:
    """Without the screen, and with a header that binds a native function: the process may not write a byte."""
    header = '@[extern "n"] opaque IO.FS.createDir : String → Nat'
    pool._submit("x", header, FALSE, Candidate(f'by\n  have := IO.FS.createDir "{tmp_path}/x"\n  decide')).result()
    assert list(tmp_path.iterdir()) == []


def test_the_pool_is_well_afterwards(pool: Pool) -> None:
    assert pool.submit(Check("after", "theorem t (p : Prop) (h : p) : p := by sorry", "h")).result().kind == "accepted"
