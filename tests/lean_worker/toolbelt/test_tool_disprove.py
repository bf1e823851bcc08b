"""Refutation by the real Lean: false statements are disproved, true ones never, and no proof of a negation may use the statement."""

import asyncio

import pytest

from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.toolbelt.asking import PoolLean
from lean_worker.toolbelt.context import Hypothesis
from lean_worker.toolbelt.counterexamples import instances, values
from lean_worker.toolbelt.disprove import Refutation, disprove

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess]

# with the negation as one would write it, or an empty text
FALSE = {
    "(n : Nat) : n + 1 = n": "∀ n : Nat, n + 1 = n",
    "(a b : Nat) (h : a < b) : a + 2 < b": "∀ a b : Nat, a < b → a + 2 < b",
    "{α : Type u} (a b : α) : a = b": "",
    "{α : Sort u} (P : α → Prop) (h : ∃ x, P x) : ∀ x, P x": "",
    "(p q : Prop) : p ∨ q → p ∧ q": "∀ p q : Prop, p ∨ q → p ∧ q",
    "(l m : List α) : l ++ m = m ++ l": "",
    "(f : Nat → Nat) (h : ∀ x y, x ≤ y → f x ≤ f y) : f 0 = 0": "∀ f : Nat → Nat, (∀ x y, x ≤ y → f x ≤ f y) → f 0 = 0",
    "{α : Type u} {β : Type v} (f g : α → β) : f = g": "",
    ": ∃ n : Nat, n < 0": "∃ n : Nat, n < 0",
    "(x y : Int) (h : x * y = 12) : x = 3": "∀ x y : Int, x * y = 12 → x = 3",
    "{α : Type} [Inhabited α] (a : α) : a = default": "∀ {α : Type} [Inhabited α] (a : α), a = default",
    "(n : Fin 4) : n.val < 3": "∀ n : Fin 4, n.val < 3",
    ": ∀ n : Nat, n ^ 2 + n + 41 ≠ 1681": "∀ n : Nat, n ^ 2 + n + 41 ≠ 1681",
}
TRUE = [
    "(n : Nat) : n + 0 = n",
    ": 1 = 1",
    "(p : Prop) (h : p) : p",
    "(p q : Prop) (h : p ∧ ¬p) : q",
    "{α : Type u} (l : List α) : l ++ [] = l",
    "(x : Fin 0) : 1 = 2",
    "(x y : Int) (h : x * y = 12) : y * x = 12",
    "{α : Sort u} (P : α → Prop) (h : ∀ x, P x) (a : α) : ∃ x, P x",
    "(f g : Nat → Nat) (h : ∀ n, f n = g n) : f = g",
    "(a b : Nat) (h : a - b = 0) : a ≤ b",
]


def refute(pool: Pool, statement: str, header: str = "", proof: str = "") -> Refutation:
    return asyncio.run(disprove(PoolLean(pool), statement, header, proof))


@pytest.mark.slow
@pytest.mark.parametrize("claim", FALSE)
def test_a_false_statement_is_disproved_by_a_proof_that_holds_on_its_own(pool: Pool, claim: str) -> None:
    result = refute(pool, f"theorem t {claim} := by sorry")
    assert result.outcome == "disproved" and result.tactic and "sorryAx" not in result.axioms
    again = refute(pool, f"theorem t {claim} := by sorry", proof=result.proof)
    assert again.outcome == "disproved" and again.tried == 1
    if FALSE[claim]:
        (verdict,) = pool.check_many([Check("", f"theorem n : ¬ ({FALSE[claim]}) := by sorry", result.proof)])
        assert verdict.accepted, verdict.messages


@pytest.mark.slow
@pytest.mark.parametrize("claim", TRUE)
def test_a_true_statement_is_never_disproved(pool: Pool, claim: str) -> None:
    result = refute(pool, f"@[simp] theorem t {claim} := by sorry")
    assert result.outcome == "not disproved" and result.tried >= 14 and not result.proof


def test_a_candidate_must_not_use_the_statement_or_a_hole(pool: Pool) -> None:
    statement = "theorem t (n : Nat) : n = 0 := by sorry"
    assert refute(pool, statement, proof="fun h => absurd (h 1) (by decide)").outcome == "disproved"
    for proof in ("by sorry", "fun h => nomatch h 0", "by intro h; exact absurd (@h 0) (by decide)"):
        result = refute(pool, statement, proof=proof)
        assert result.outcome == "not disproved" and result.messages and result.kind in ("hole", "error")
    # whatever a candidate writes, the statement itself depends on `sorryAx`
    absurd = "theorem t : ¬ (1 = 1) := by sorry"
    assert refute(pool, absurd, header="theorem cheat : 1 = 2 := sorry", proof="fun h => absurd cheat (by decide)").kind == "hole"


def test_header_commands_and_scopes_belong_to_the_statement(pool: Pool) -> None:
    statement = "namespace A\nvariable (k : Nat)\n@[simp] private theorem B.t (h : k = two) : k = 3 := by sorry"
    result = refute(pool, statement, "import Init\ndef two : Nat := 2")
    assert result.outcome == "disproved", result.messages
    header = 'class Big (n : Nat) : Prop where big : 3 < n\ninstance : Big 4 := ⟨by decide⟩\ninfix:50 " ⊏ " => LT.lt'
    assert refute(pool, "theorem t (n : Nat) [Big n] : n ⊏ 4 := by sorry", header).outcome == "disproved"


def test_a_statement_that_lean_does_not_read_is_unreadable_at_its_place(pool: Pool) -> None:
    result = refute(pool, "theorem t (n : Nat) :\n  n = nowhere.x := by sorry", "def a : Nat := 1\n\n")
    assert result.outcome == "unreadable" and (result.messages[0].line, result.messages[0].column) == (2, 6)
    for statement in ("nothing", "def t : Nat := 1", "theorem t : 1 = := by sorry", "#eval 1\ntheorem t : 1 = 1 := sorry"):
        unreadable = refute(pool, statement)
        assert unreadable.outcome == "unreadable" and unreadable.messages, statement


@pytest.mark.parametrize(
    ("type", "some"),
    [
        ("Nat", "64"),
        ("(List Int)", "[0, 1]"),
        ("Nat → Nat → Prop", "fun _ => fun _ => True"),
        ("ℝ", "-1"),
        ("Option (Fin 2)", "some ⟨1, by decide⟩"),
        ("Nat × Bool", "(0, true)"),
    ],
)
def test_values_of_types(type: str, some: str) -> None:
    assert some in values(type)
    assert values("Unheard of") == () and values("Fin 0") == () and values("∀ n, P n → Nat") == ()


def test_counterexamples_are_distinct_and_small_ones_come_first() -> None:
    variables = [
        Hypothesis("α", "Type"),
        Hypothesis("x", "α"),
        Hypothesis("n", "Nat"),
        Hypothesis("inst✝", "Inhabited α"),
        Hypothesis("h", "n = 1"),
    ]
    found = [each.arguments for each in instances(variables, 100)]
    assert found[0] == ("Nat", "0", "0", "inferInstance", "?_") and len(found) == len(set(found)) == 100
    assert {each[1] for each in found if each[0] == "Bool"} == {"true", "false"}
    assert all(each[1] == "()" for each in found if each[0] == "Unit")
    assert [each.arguments for each in instances([Hypothesis("b", "Bool")], 100)] == [("true",), ("false",)]
