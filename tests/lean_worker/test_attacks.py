"""Every way we know to make a compile-only check accept a falsehood; none may be accepted, none may write or outlive its check."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from backends import BACKENDS

from lean_worker.candidate import Candidate
from lean_worker.pool import Pool
from lean_worker.proof_filter import filter_proof
from lean_worker.protocol import Check, Message, Verdict
from lean_worker.tools.attacks import Attack, attacks
from lean_worker.tools.attacks.large import PROOFS
from lean_worker.tools.attacks.trial import Trial, is_well, outcomes, try_alone, try_together

pytestmark = [pytest.mark.lean, pytest.mark.slow]

ATTACKS = list(attacks())
CLASSES = sorted({attack.category for attack in ATTACKS})
SLOW_CLASSES = ["batch", "command", "false_rejection", "header"]
FORBIDDEN = {attack.check.id: attack.check for attack in ATTACKS if attack.category == "forbidden"}
FALSE = FORBIDDEN["sorry"].statement

# of the texts as they were written out, before `large.py` made them shorter
DIGESTS = {
    "deep recursion": "49e6afc47fe9bc5e7bbfc6228709ee9449455c45231436f31301fb79d0827a9a",
    "hole_marker_deadline": "1abd1c703601b9a4b495904d78e1dd8de2d0fdd1129da3aaf6fe45479c4b8924",
    "new_arrow_nest": "e59c7efe015859918a693d32c991387ca929826590bf91b6eb2ef2a9d422c716",
    "new_binder_nest": "722a2df49ec6f23f24579e4d116974c2f2cebba780983e39b5acdaad3a24bacc",
    "new_have_chain": "2186eaf9c9e9df67f6573fa6b587d12d4ba754a0e34719c62de4b10af899a64b",
    "new_level_imax_bomb": "6180e276057ab7e1a11a0baba75870f6fc615e9c8f299721b83bd55c4893b448",
    "new_list_literal": "b98ad320ce5d1cc6498b18ce9ab98cbb41d02911dddc64be1dd61680ce6b1602",
    "new_string_kernel": "4ac1bf5a669ce6cb930c16844593b07e91db29df6cae3e4684045e87d06e4b34",
}

Fixture = tuple[Pool, list[Trial]]


@pytest.fixture(scope="module", params=BACKENDS)
def attacked(request: pytest.FixtureRequest) -> Iterator[Fixture]:
    """Every attack on every backend, alone and together with its accomplices, and the pool that stood them."""
    backend = BACKENDS[request.param]()
    with Pool(2, backend=backend) as running, Pool(1, backend=backend) as single:
        yield running, try_alone(running, ATTACKS, "fast") + try_together(single, ATTACKS, "fast")


@pytest.fixture
def pool(attacked: Fixture) -> Pool:
    return attacked[0]


@pytest.mark.parametrize("category", CLASSES)
def test_no_attack_succeeds(attacked: Fixture, category: str) -> None:
    trials = [trial for trial in attacked[1] if trial.attack.category == category]
    assert len(trials) >= sum(attack.category == category for attack in ATTACKS)
    assert [str(trial) for trial in trials if trial.failed] == []


def test_the_pool_is_well_after_the_attacks(pool: Pool) -> None:
    assert is_well(pool)


@pytest.fixture(scope="module")
def slow_trials() -> list[Trial]:
    """Those classes by which the fast tier is most easily taken in; what it rejects never comes to the slow one."""
    kept = [attack for attack in ATTACKS if attack.category in SLOW_CLASSES]
    with Pool(1) as single:
        return try_alone(single, kept, "slow") + try_together(single, kept, "slow")


@pytest.mark.parametrize("category", SLOW_CLASSES)
def test_no_attack_succeeds_on_the_slow_tier(slow_trials: list[Trial], category: str) -> None:
    trials = [trial for trial in slow_trials if trial.attack.category == category]
    assert trials and [str(trial) for trial in trials if trial.failed] == []


def test_names_are_unique_and_long_proofs_are_what_they_were() -> None:
    assert [name for name, count in Counter(attack.check.id for attack in ATTACKS).items() if count > 1] == []
    assert {name: hashlib.sha256(proof.encode()).hexdigest() for name, proof in PROOFS.items()} == DIGESTS
    assert PROOFS.keys() == {attack.check.id for attack in ATTACKS if attack.check.proof in PROOFS.values()}


def test_a_trial_fails_by_a_wrong_verdict_a_missing_one_and_a_secret_shown() -> None:
    def tried(category: str, expected: Literal["accepted", "rejected"], verdict: Verdict, secret: str = "") -> Trial:
        return Trial(
            Attack(Check(verdict.kind + secret, FALSE, "rfl"), category, expected=expected, secret=secret), "fast", "alone", verdict
        )

    message = Message("error", 1, 0, 1, 0, "root:x")
    accepted, error, timeout = Verdict("a", True, "accepted"), Verdict("e", False, "error", (message,)), Verdict("t", None, "timeout")
    fine = [tried("logic", "rejected", error), tried("right", "accepted", accepted), tried("resource", "rejected", timeout)]
    failed = [
        tried("logic", "rejected", accepted),
        tried("right", "accepted", error),
        tried("logic", "rejected", timeout),
        tried("resource", "rejected", accepted),
        tried("logic", "rejected", error, secret="root:"),
    ]
    assert [trial.failed for trial in fine] == [False] * 3 and [trial.failed for trial in failed] == [True] * 5
    assert {category: dict(counted) for category, counted in outcomes(fine + failed).items()} == {
        "logic": {"wrong": 2, "as expected": 1, "no verdict": 1},
        "right": {"as expected": 1, "wrong": 1},
        "resource": {"no verdict": 1, "wrong": 1},
    }


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
    assert filter_proof(FORBIDDEN[name].proof)


def test_what_the_screen_refuses_is_forbidden_and_never_runs(attacked: Fixture) -> None:
    verdicts = [trial.verdict for trial in attacked[1] if trial.attack.category == "forbidden"]
    assert {verdict.kind for verdict in verdicts} <= {"forbidden", "hole", "error"}  # what a helper may hold is for Lean to refuse
    assert all(verdict.accepted is False and verdict.messages for verdict in verdicts)


def test_what_the_screen_lets_through_is_rejected_by_lean(attacked: Fixture) -> None:
    verdicts = [trial.verdict for trial in attacked[1] if trial.attack.category == "rejected_by_lean"]
    assert {v.id: v.kind for v in verdicts if v.accepted is not False} == {}
    assert {v.id: v.kind for v in verdicts if v.kind not in ("error", "mismatch")} == {}


@pytest.fixture
def unscreened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every proof reach Lean."""
    monkeypatch.setattr("lean_worker.pool.read_candidate", lambda proof, *_: Candidate(proof))


@pytest.mark.usefixtures("unscreened")
def test_audit_and_judge_hold_without_the_screen(pool: Pool) -> None:
    known = [name for name in UNSCREENED if name in FORBIDDEN]
    futures = [pool.submit(Check(name, FALSE, FORBIDDEN[name].proof)) for name in known]
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


@pytest.mark.usefixtures("unscreened")
def test_a_candidate_of_lean_cannot_write_files(pool: Pool, tmp_path: Path) -> None:
    """Without the proof filter, and with a header that binds a native function: the process may not write a byte."""
    header = '@[extern "n"] opaque IO.FS.createDir : String → Nat'
    proof = f'by\n  have := IO.FS.createDir "{tmp_path}/x"\n  decide'
    with Pool(1, timeout=30, backend=pool.backend, trusted_headers=True) as trusting:
        assert trusting.submit(Check("x", FALSE, proof, header)).result().accepted is not True
    assert list(tmp_path.iterdir()) == []


def test_the_pool_is_well_afterwards(pool: Pool) -> None:
    assert pool.submit(Check("after", "theorem t (p : Prop) (h : p) : p := by sorry", "h")).result().kind == "accepted"
