"""Lint by the real Lean: every code has statements that have the smell, and near misses that have not."""

import asyncio

import pytest

from lean_worker.pool import Pool
from lean_worker.toolbelt.asking import PoolLean, ToolError
from lean_worker.toolbelt.codes import CODES
from lean_worker.toolbelt.lint import LintReport, TheoremLint, lint

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

HITS = {
    "does-not-elaborate": ['(n : Nat) : n + "a" = n', ": nowhere.x = 1"],
    "contradictory-hypotheses": ["(a b : Nat) (h : a < b) (g : b < a) : a + 3 = 7", "(p q : Prop) : p → ¬p → q ∧ q"],
    "empty-domain": ["(x : Fin 0) (n : Nat) : n = n + x.val", ": ∀ e : Empty, e = e"],
    "assumes-conclusion": ["(n m : Nat) (h : n = m) : n = m", "(a b : Nat) : a < b → a < b"],
    "trivial-conclusion": [": 2 + 2 = 4", "(n : Nat) : n = n"],
    "trivial-witness": [": ∃ n : Nat, n = n", "(n : Nat) : ∃ m, m * n = 0"],
    "unused-variable": ["(n k : Nat) : 0 + n = n", "(l : List α) (m : List β) : [] ++ l = l"],
    "unused-hypothesis": ["(a b c d : Nat) (h : c < d) : a + b = b + a", "(a c : Nat) (h : c = 3) (g : 0 < a) : 0 + a = a"],
    "auto-bound": [": 0 + k = k", "(a : Nat) (h : b < a) : b + c < a + c"],
    "truncated-subtraction": [
        "(a b : Nat) : a - b + b = a",
        "(f : Nat → Nat) (h : ∀ n, f (n - 1) = n) : f 0 = 1",
        "(a b : Nat) (x : Int) (h : x - 1 = 0) (g : a - b = 0) : x = 1 ∧ a ≤ b",
    ],
    "literal-division": [
        "(x : Nat) (h : x = 5 / 2) : x * 2 = 5",
        "(x : Int) (h : 1 / x = -7 / 2) : x = 0",
        "(n : Nat) (h : 1 / n = 1) : n = 1",
    ],
    "division-by-zero": ["(n k : Nat) (h : n / 0 = k) : k = 0"],
}
NEAR_MISSES = {
    "does-not-elaborate": ["(n : Nat) : n + 1 = n"],
    "contradictory-hypotheses": [
        "(a b : Nat) (h : a < b) (g : b < a + 2) : a + 1 = b",
        "(a b : Nat) (h : a < b) (g : b < a) : False",
        "(p q : Prop) (h : p) (g : ¬p) : q",
        "(P : Nat → Prop) (n : Nat) (h : n < n) : P n",
    ],
    "empty-domain": ["(x : Fin 1) : x = 0", "(x : Option Empty) : x = none", "(h : 1 = 2) (n : Nat) : n = 3"],
    "assumes-conclusion": ["(n m : Nat) (h : m = n) : n = m", "(p q : Prop) (hp : p) (hq : q) : p"],
    "trivial-conclusion": ["(n m : Nat) : n + 0 + m = m + n", "(p q : Prop) (h : p) (g : q) : p ∧ q"],
    "trivial-witness": ["(n : Nat) : ∃ m, n < m", ": ∃ n : Nat, n * n = 49"],
    "unused-variable": ["(n k : Nat) (h : k = n) : 0 + n = k", "(n _k : Nat) : 0 + n = n", "[Inhabited α] (l : List α) : [] ++ l = l"],
    "unused-hypothesis": [
        "(a b c d : Nat) (h : c < d) (g : a < c) : a + 1 < d + b",
        "(n : Nat) (h : n * n = 49) : ∃ m : Nat, m * m = 49",
        "(p q r : Prop) (h : q ∧ ¬q) : p",
    ],
    "auto-bound": ["(k : Nat) : 0 + k = k", "(l : List α) : [] ++ l = l", ": ∀ k : Nat, 0 + k = k"],
    "truncated-subtraction": [
        "(a b : Nat) (h : b ≤ a) : a - b + b = a",
        "(a b : Int) : a - b + b = a",
        "(f : Nat → Nat) (h : ∀ n, 0 < n → f (n - 1) = n) : f 0 = 1",
        "(a : Nat) (h : ∃ n, 0 < n ∧ n - 1 = a) : 0 ≤ a + 1",
        "(a : Nat) : (if 3 ≤ a then a - 3 else 0) ≤ a",
        "(a : Nat) : (a + 3) - 3 = a",
    ],
    "literal-division": ["(x : Nat) (h : x = 4 / 2) : x * 2 = 4", "(x y : Nat) (h : x = y / 2) : x * 2 ≤ y", "(n : Nat) : 0 / n = 0"],
    "division-by-zero": ["(n k : Nat) (h : n / 1 = k) : k = n", "(n : Nat) : 0 / (n + 1) = 0"],
}


def linted(pool: Pool, text: str) -> LintReport:
    return asyncio.run(lint(PoolLean(pool), text))


def codes(theorem: TheoremLint) -> set[str]:
    return {smell.code for smell in theorem.smells}


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_hits_and_near_misses(pool: Pool, code: str) -> None:
    hits, misses = HITS[code], NEAR_MISSES[code]
    text = "".join(f"theorem t{number} {claim} := by sorry\n" for number, claim in enumerate([*hits, *misses]))
    report = linted(pool, text)
    assert report.clean is False and not any(theorem.problem for theorem in report.theorems)
    for claim, theorem in zip([*hits, *misses], report.theorems, strict=True):
        assert (code in codes(theorem)) == (claim in hits), (claim, theorem)
    assert {smell.code for theorem in report.theorems for smell in theorem.smells} <= set(CODES)


def test_positions_are_those_of_the_file(pool: Pool) -> None:
    text = """import Init
/-- about `5 / 2` -/
def a : Nat := 5 / 2

namespace N
variable (k : Nat)
open Nat in
/-- doc -/
@[simp] protected theorem first (x y : Nat) (z : Int)
    (h : z - 1 = -2) (g : x - y = k * (5 / 2)) : k + x = f := by
  sorry
end N
"""
    report = linted(pool, text)
    (theorem,) = report.theorems
    assert (theorem.theorem, theorem.line, theorem.column) == ("N.first", 9, 18)
    lines = text.split("\n")

    def place(code: str) -> str:
        (smell,) = (smell for smell in theorem.smells if smell.code == code)
        assert smell.line is not None and smell.column is not None
        return lines[smell.line - 1][smell.column :]

    assert place("truncated-subtraction").startswith("- y = k")
    assert place("literal-division").startswith("/ 2)) :")
    assert place("auto-bound").startswith("f :=")
    assert place("unused-hypothesis").startswith("h : z")
    assert "`y ≤ x`" in next(smell.message for smell in theorem.smells if smell.code == "truncated-subtraction")


def test_notations_and_implicit_arguments_of_the_file_do_not_disturb(pool: Pool) -> None:
    text = """def divides (x y : Nat) : Prop := ∃ k, k * x = y
infix:50 " | " => divides
def symmetric (r : Nat → Nat → Prop) : Prop := ∀ {a b : Nat}, r a b → r b a
theorem t (x y z : Nat) (h : x | y) (g : y = z) (e : Fin 0) : x | (2 * z) := by sorry
theorem u (r : Nat → Nat → Prop) (h : symmetric r) : symmetric (fun a b => ¬ r a b) := by sorry
"""
    first, second = linted(pool, text).theorems
    assert not first.problem and codes(first) >= {"empty-domain"}
    assert not second.problem and not second.smells


def test_the_statement_itself_is_no_help_for_its_proof(pool: Pool) -> None:
    report = linted(pool, "@[simp] theorem t (f : Nat → Nat) (h : f 0 = 1) : ∃ n, f n = 3 := by sorry")
    assert report.clean is True


def test_a_theorem_that_cannot_be_examined_says_so_and_others_are(pool: Pool) -> None:
    text = """mutual
theorem a (n : Nat) : n = n := rfl
theorem b (n : Nat) : n = n := rfl
end
theorem c : nowhere.x = 1 := rfl
theorem d (n : Nat) : 1 + n = n := by omega
example (n m : Nat) (h : n = m) : n = m := h
"""
    a, b, c, d, e = linted(pool, text).theorems
    assert "mutual" in a.problem and "mutual" in b.problem
    assert codes(c) == {"does-not-elaborate"} and (c.smells[0].line, c.smells[0].column) == (5, 12)
    assert not d.problem and not d.smells and codes(e) == {"assumes-conclusion"}


def test_no_answer_is_not_clean(pool: Pool) -> None:
    for text in ("#eval 1\ntheorem t : 1 = 1 := rfl", "import Nowhere\ntheorem t : 1 = 1 := rfl"):
        report = linted(pool, text)
        assert report.clean is None and report.messages and not report.theorems
    assert linted(pool, "def a : Nat := 1").clean is True
    with pytest.raises(ToolError, match="3 theorems, more than 2"):
        asyncio.run(lint(PoolLean(pool), "theorem t : 1 = 1 := rfl\n" * 3, most=2))
