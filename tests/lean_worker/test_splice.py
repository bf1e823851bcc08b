"""Proofs in the place of holes: the first way to write one is readable, and Lean accepts one of them wherever the hole stands."""

import pytest

from lean_worker.filling import fill, open_file
from lean_worker.holes import is_whole
from lean_worker.pool import Pool
from lean_worker.splice import fill_hole, fill_whole


@pytest.fixture
def pool(trusting: Pool) -> Pool:
    return trusting


BLOCK = "by\n  skip\n  simp"
ONE = "by simp"
TERM = "Nat.add_zero _"
FUNCTION = "(fun\n  | 0 => rfl\n  | _ + 1 => rfl : ∀ n : Nat, n + 0 = n) _"
PLACES = [
    "theorem t (n : Nat) : n + 0 = n := by sorry",
    "theorem t (n : Nat) : n + 0 = n := by sorry -- a remark",
    "theorem t (n : Nat) : n + 0 = n :=\n  sorry",
    "section\n  theorem t (n : Nat) : n + 0 = n := by\n    -- first\n    sorry\nend",
    "theorem t (n : Nat) : n + 0 = n ∧ True := ⟨sorry, trivial⟩",
    "theorem t (n : Nat) : n + 0 = n ∧ True := ⟨by sorry, trivial⟩",
    "theorem t (n : Nat) : n + 0 = n ∧ True := And.intro sorry trivial",
    "theorem t (n : Nat) : n + 0 = n := by\n  have h : n + 0 = n := sorry\n  exact h",
    "theorem t (n : Nat) : n + 0 = n := by\n  have h : n + 0 = n := by sorry\n  exact h",
    "theorem t (n : Nat) : n + 0 = n ∧ n + 0 = n := by\n  constructor\n  · sorry\n  · exact Nat.add_zero _",
    "theorem t (n : Nat) : n + 0 = n := by\n  skip; sorry",
    "theorem t (n : Nat) : n + 0 = n := by\n  skip <;> sorry",
    "theorem t (n : Nat) : n + 0 = n := by\n  first | fail | sorry",
    "theorem t (n : Nat) : n + 0 = n := by\n  (sorry)",
    "theorem t (n : Nat) : n + 0 = n := by (skip; sorry)",
    "theorem t (n : Nat) : n + 0 = n := by\n  exact sorry",
    "theorem t (n : Nat) : n + 0 = n := by\n  refine id ?_; case _ => sorry",
    "theorem t (n : Nat) : n + 0 = n :=\n  calc n + 0 = n := by sorry\n    _ = n := rfl",
    "theorem t (n : Nat) : n + 0 = n :=\n  calc\n    n + 0 = n := sorry\n    _ = n := rfl",
    "theorem t (n : Nat) : n + 0 = n := by\n  cases n with\n  | zero => sorry\n  | succ n => rfl",
    "theorem t (n : Nat) : n + 0 = n :=\n  match n with\n  | 0 => rfl\n  | n + 1 => sorry",
    "theorem t (n : Nat) : n + 0 = n := show n + 0 = n from sorry",
    "theorem t (n : Nat) : n + 0 = n := by\n  show n + 0 = n\n  admit",
    "theorem t (n : Nat) : n + 0 = n := by\n  rw [show n + 0 = n by sorry]",
    "theorem t (n : Nat) : n + 0 = n := id <| sorry",
]


@pytest.mark.lean
@pytest.mark.parametrize("proof", [BLOCK, ONE, TERM, FUNCTION])
def test_proofs_of_all_forms_are_accepted_in_all_places(pool: Pool, proof: str) -> None:
    for place in PLACES:
        file = open_file(pool, f"{place}\n")
        [hole] = file.report.holes
        theorem = file.report.theorems[0]
        if is_whole(file.report, hole, file.text):
            texts = fill_whole(file.text, hole, theorem.proof, theorem.span.end, proof)
        else:
            texts = fill_hole(file.text, hole, (), proof)
        filled, reason = fill(pool, file, hole, texts)
        assert filled is not None, f"{place}\n{reason}\n{texts[0]}"
        assert filled.report.kind == "accepted" and filled.text in texts[:2], filled.text


@pytest.mark.lean
def test_the_first_text_is_as_people_write_it(pool: Pool) -> None:
    expected = {
        "theorem t (n : Nat) : n + 0 = n := by\n  -- why\n  sorry": "theorem t (n : Nat) : n + 0 = n := by\n  -- why\n  skip\n  simp",
        "theorem t (n : Nat) : n + 0 = n := (sorry)": "theorem t (n : Nat) : n + 0 = n := by\n  skip\n  simp",
        "theorem t (n : Nat) : n + 0 = n := by\n  · skip\n    have h := sorry\n    exact h": None,
        "theorem t (n : Nat) : n + 0 = n := by\n  constructor\n  · have h : 1 + 0 = 1 := by sorry": None,
        "theorem t : (n : Nat) → n + 0 = n\n  | 0 => rfl\n  | n + 1 => by sorry": (
            "theorem t : (n : Nat) → n + 0 = n\n  | 0 => rfl\n  | n + 1 => by\n    skip\n    simp"
        ),
        "theorem t (n : Nat) : n + 0 = n := by\n  · sorry": "theorem t (n : Nat) : n + 0 = n := by\n  skip\n  simp",
        "theorem t (n : Nat) : n + 0 = n := by\n  skip\n  · sorry": "theorem t (n : Nat) : n + 0 = n := by\n  skip\n  · skip\n    simp",
    }
    for place, wanted in expected.items():
        file = open_file(pool, f"{place}\n")
        [hole] = file.report.holes
        theorem = file.report.theorems[0]
        whole = is_whole(file.report, hole, file.text)
        texts = fill_whole(file.text, hole, theorem.proof, theorem.span.end, BLOCK) if whole else fill_hole(file.text, hole, (), BLOCK)
        assert wanted is None or texts[0] == f"{wanted}\n"


@pytest.mark.lean
@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        ("by skip", "unsolved goals"),
        ("by sorry", "it leaves 1 holes of 1"),
        ("by exact odd n", "t would depend on odd"),
        ("by simp\n\ntheorem u : 1 = 1 := by rfl", ""),
    ],
)
def test_a_text_that_is_worse_does_not_count(pool: Pool, proof: str, reason: str) -> None:
    file = open_file(pool, "axiom odd (n : Nat) : n + 0 = n\ntheorem t (n : Nat) : n + 0 = n := by sorry\n")
    [hole] = file.report.holes
    theorem = file.report.theorems[0]
    filled, why = fill(pool, file, hole, fill_whole(file.text, hole, theorem.proof, theorem.span.end, proof)[:1])
    assert (filled is None) == bool(reason) and why.startswith(reason)
