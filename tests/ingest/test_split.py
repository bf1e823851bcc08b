"""Lean texts taken apart: each example is one way in which a looser reader goes wrong."""

import pytest

from oprover_jax.ingest.sources.split import bare, blanked, the_one, theorems, unfenced

WHOLE = """import Mathlib
import Aesop

set_option maxHeartbeats 400000

open BigOperators Real Nat Topology Rat

/- The sum of two even numbers is even. := by sorry -/
lemma helper (n : ℕ) (h : n = 2 := by rfl) : n + 0 = n := by
  simp

/-- Prove that $|x|$ is not negative. -/
@[simp] theorem main_one (x : ℝ)
    -- theorem fake : False := by
    (s : String := "theorem quoted : False := by") :
    |x| ≥ 0 := by
  have h : x = x := rfl
  -- closing remark: := by sorry
  exact abs_nonneg x -- done

end Nowhere

#print axioms main_one
"""


def test_a_whole_text_is_parted_into_header_statement_and_proof() -> None:
    found = theorems(WHOLE)
    assert [one.name for one in found] == ["helper", "main_one"]
    main = found[1]
    assert main.header.endswith("lemma helper (n : ℕ) (h : n = 2 := by rfl) : n + 0 = n := by\n  simp")
    assert main.statement.startswith("@[simp] theorem main_one (x : ℝ)")
    assert main.statement.endswith("|x| ≥ 0 := by sorry")
    assert main.proof.startswith("by\n  have h") and main.proof.endswith("exact abs_nonneg x -- done")
    assert main.informal == "Prove that $|x|$ is not negative."
    assert main.line == 13
    assert found[0].header.endswith("open BigOperators Real Nat Topology Rat")
    assert found[0].informal == "The sum of two even numbers is even. := by sorry"


@pytest.mark.parametrize(
    ("text", "statement", "proof"),
    [
        ("theorem t (n : ℕ := 5) : n = n := rfl", "theorem t (n : ℕ := 5) : n = n := by sorry", "rfl"),
        ("theorem t : let x := 5; x = 5 := by rfl", "theorem t : let x := 5; x = 5 := by sorry", "by rfl"),
        ("theorem t :\n  haveI : P := q\n  R := by\n  simp", "theorem t :\n  haveI : P := q\n  R := by sorry", "by\n  simp"),
        ("theorem t (x : ℝ) :\n  |x| ≥ 0 := by simp", "theorem t (x : ℝ) :\n  |x| ≥ 0 := by sorry", "by simp"),
        ("theorem t : ∀ n, P n\n  | 0 => a\n  | n + 1 => by\n    have h := b\n    simp", "theorem t : ∀ n, P n := by sorry", None),
        ("theorem t : P -- why := by\n  := trivial", "theorem t : P -- why := by\n:= by sorry", "trivial"),
        ("theorem t : P := by\nsimp\nring\n\ntheorem u : Q := q", "theorem t : P := by sorry", "by\nsimp\nring"),
        ("theorem t : do\n  let y ← f\n  g y = x := rfl", "theorem t : do\n  let y ← f\n  g y = x := by sorry", "rfl"),
        ('theorem t : "/- := " = s := by rfl', 'theorem t : "/- := " = s := by sorry', "by rfl"),
        ("example : 1 = 1 := by\n  rfl\n\n/-- of the next -/\ntheorem u : Q := q", "example : 1 = 1 := by sorry", "by\n  rfl"),
        ("theorem t : P := f\nwhere\n  f := g", "theorem t : P := by sorry", "f\nwhere\n  f := g"),
    ],
)
def test_where_the_proof_begins_and_ends(text: str, statement: str, proof: str | None) -> None:
    one = theorems(text)[0]
    assert one.statement == statement
    assert one.proof == (text[text.index("| 0") :] if proof is None else proof)


@pytest.mark.parametrize("ending", [":= by sorry", ":=  by sorry", ":= sorry", ":= by", ":=", ":= by\n  sorry -- to do", ":= by\n  admit"])
def test_a_place_for_a_proof_is_no_proof(ending: str) -> None:
    one = the_one(theorems(f"theorem t (p : Prop) : p → p {ending}\n"))
    assert one is not None
    assert (one.statement, one.proof) == ("theorem t (p : Prop) : p → p := by sorry", "")


def test_a_statement_without_an_end_says_so() -> None:
    one = the_one(theorems("theorem t (p : Prop) : p → p"))
    assert one is not None and one.statement == ""


def test_what_is_scoped_to_a_declaration_becomes_lines_before_it() -> None:
    one = the_one(theorems("import Mathlib\n\nset_option maxHeartbeats 0 in\nopen Real in\n/-- why -/\nprivate lemma t : P := q"))
    assert one is not None
    assert (one.header, one.options) == ("import Mathlib", "set_option maxHeartbeats 0\nopen Real")
    assert one.context == "import Mathlib\n\nset_option maxHeartbeats 0\nopen Real"
    assert (one.statement, one.informal) == ("private lemma t : P := by sorry", "why")
    (same,) = theorems("omit [Fintype α] in @[simp] theorem t : P := by sorry")
    assert (same.context, same.statement) == ("omit [Fintype α]", "@[simp] theorem t : P := by sorry")


def test_the_named_theorem_is_found_among_others() -> None:
    text = "theorem a : P := p\n\ntheorem b : Q := q\n"
    assert the_one(theorems(text), "a").proof == "p"  # type: ignore[union-attr]
    assert the_one(theorems(text)).name == "b"  # type: ignore[union-attr]
    assert the_one(theorems(text), "c") is None
    assert the_one(theorems("def x := 1 -- theorem y : P := q")) is None


def test_blanking_keeps_every_place() -> None:
    text = 'a /- /- nested -/ "still" -/ b "quo\\"te -- " c \'"\' d -- end\ne /- open'
    clear = blanked(text)
    assert len(clear) == len(text)
    assert clear.split() == ["a", "b", '"', '"', "c", "'", "'", "d", "e"]


def test_fences_and_line_ends() -> None:
    assert unfenced("```lean4\r\ntheorem t : P := p\r\n```\r\n") == "theorem t : P := p"
    assert unfenced("theorem t : P := p") == "theorem t : P := p"
    assert bare(":=\n  fun h => h\n") == "fun h => h"
    assert bare("  by\n    simp") == "by\n    simp"
