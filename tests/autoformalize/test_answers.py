"""What formalizers and critics write, read."""

import pytest

from oprover_jax.autoformalize.answers import NotATheorem, Theorem, read_score, read_theorem


def fenced(code: str, tag: str = "lean4") -> str:
    return f"Here it is.\n```{tag}\n{code}\n```\n"


def test_the_statement_is_taken_and_its_proof_dropped() -> None:
    expected = Theorem("t", "theorem t (n : Nat) : n + 0 = n := by sorry", ())
    assert read_theorem(fenced("theorem t (n : Nat) : n + 0 = n := by sorry")) == expected
    assert read_theorem(fenced("theorem t (n : Nat) : n + 0 = n := by\n  simp", "lean")) == expected
    assert read_theorem(fenced("/-- Doc. -/\n@[simp] private lemma t (n : Nat) : n + 0 = n := sorry")) == expected
    kept = read_theorem(fenced("theorem t (n : Nat) :\n    let k := n\n    k = n := by\n  rfl")).formal
    assert kept == "theorem t (n : Nat) :\n    let k := n\n    k = n := by sorry"
    assert read_theorem(fenced("example (n : Nat) : n + 0 = n := by sorry")).formal.startswith("theorem statement (n")


def test_imports_are_ours_and_opens_are_kept() -> None:
    code = "import Mathlib\nset_option maxHeartbeats 400000\nopen Nat\nopen scoped Foo\n\n-- a comment\ntheorem t : 1 = 1 := by sorry"
    assert read_theorem(fenced(code)) == Theorem("t", "theorem t : 1 = 1 := by sorry", ("open Nat", "open scoped Foo"))


def test_the_last_block_after_the_thought_counts() -> None:
    answer = "<think>" + fenced("theorem a : 1 = 1 := by sorry") + "</think>" + fenced("theorem b : 2 = 2 := by sorry")
    assert read_theorem(answer).name == "b"
    with pytest.raises(NotATheorem, match="no code block"):
        read_theorem("<think>" + fenced("theorem a : 1 = 1 := by sorry") + "</think> I give up.")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("theorem t : 1 = 1 := by sorry", "no code block"),
        (fenced("theorem t : 1 = 1 := by sorry\ntheorem u : 1 = 1 := by sorry"), "several theorems"),
        (fenced("def x := 1"), "no theorem"),
        (fenced(""), "no theorem"),
        (fenced("theorem t : 1 = 1"), "no theorem"),
        (fenced("axiom a : False\ntheorem t : 1 = 1 := by sorry"), "more than a theorem"),
        (fenced("theorem t : 1 = 1 := by sorry\n#eval 1"), "more than a theorem"),
        (fenced('theorem t : "open = 1 := by sorry'), "not Lean text"),
        (fenced("theorem t : (sorry : Prop) := by sorry"), "not a statement"),
        (fenced("theorem t : 1 = 1 := rfl\n\n@[simp] def x := 1"), "no theorem"),
    ],
)
def test_what_is_no_single_theorem_is_refused(answer: str, reason: str) -> None:
    with pytest.raises(NotATheorem) as refused:
        read_theorem(answer)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    ("judgement", "score"),
    [
        ("All is there.\nScore: 9", 0.9),
        ("Score: 3\nNo, wait.\n**Score: 8.5/10**", 0.85),
        ("<think>Score: 1</think>\nscore: 10.", 1.0),
        ("Score: 11", None),
        ("The score is 9.", None),
        ("", None),
    ],
)
def test_the_last_score_counts(judgement: str, score: float | None) -> None:
    assert read_score(judgement) == score
