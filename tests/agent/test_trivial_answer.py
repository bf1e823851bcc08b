"""OProver's guard against trivial answers, and why nothing here needs it: the policy has no hand in what an answer is defined to be."""

from collections.abc import Iterator

import pytest

from lean_worker.pool import Pool
from lean_worker.protocol import Check
from oprover_jax.agent.answer import parse_answer

pytestmark = pytest.mark.lean

HOLE = "def IsEven (n : Nat) : Prop := ∃ k, n = k + k\n\nabbrev answer : Nat → Prop := sorry\n"
FILLED = HOLE.replace("sorry", "fun n => n % 2 = 0")
TARGET = "theorem find_all (n : Nat) : IsEven n ↔ answer n := by sorry"
COPIED = "abbrev answer : Nat → Prop := IsEven"
WHOLE = f"def IsEven (n : Nat) : Prop := ∃ k, n = k + k\n\n{COPIED}\n\ntheorem find_all (n : Nat) : IsEven n ↔ answer n := Iff.rfl"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1) as pool:
        yield pool


def kind(pool: Pool, header: str, code: str, helpers: bool = False) -> str:
    proof = parse_answer(f"Plan: unfold\n```lean4\n{code}\n```").proof
    assert proof is not None
    return pool.submit(Check("x", TARGET, proof, header, helpers=helpers)).result().kind


def test_the_trivial_answer_would_be_accepted_by_whoever_takes_the_model_s_file(pool: Pool) -> None:
    header = WHOLE[: WHOLE.index("theorem")]
    assert kind(pool, header, "Iff.rfl") == "accepted"


@pytest.mark.parametrize("header", [HOLE, FILLED], ids=["open", "filled"])
@pytest.mark.parametrize(
    "code",
    [
        WHOLE,
        f"{COPIED}\n\ntheorem find_all (n : Nat) : IsEven n ↔ answer n := Iff.rfl",
        f"{COPIED.replace('abbrev', 'def')}\n\ntheorem find_all (n : Nat) : IsEven n ↔ answer n := Iff.rfl",
        "theorem find_all (answer : Nat → Prop) (h : answer = IsEven) (n : Nat) : IsEven n ↔ answer n := by rw [h]",
        "by\n  let answer : Nat → Prop := IsEven\n  exact (Iff.rfl : IsEven n ↔ answer n)",
        "Iff.rfl",
        "by unfold answer; exact Iff.rfl",
        "by simp [answer, IsEven]",
        "by\n  have h : answer = IsEven := rfl\n  rw [h]",
    ],
)
@pytest.mark.parametrize("helpers", [False, True], ids=["", "helpers"])
def test_an_answer_that_copies_the_question_is_never_accepted(pool: Pool, header: str, code: str, helpers: bool) -> None:
    assert kind(pool, header, code, helpers) in ("error", "forbidden", "axiom", "hole", "mismatch")


def test_an_open_answer_cannot_be_proved_at_all(pool: Pool) -> None:
    """Whatever the proof: the statement itself rests on `sorryAx`."""
    target = "theorem same : answer = answer := by sorry"
    for proof in ("rfl", "by rfl"):
        assert pool.submit(Check("x", target, proof, HOLE)).result().kind == "hole"
        assert pool.submit(Check("x", target, proof, FILLED)).result().kind == "accepted"
