"""The normal form: blind to disguises, sharp on differences."""

import pytest
from disguise import bound_names, disguise
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.corpus.families import FAMILIES
from oprover_jax.corpus.generate import distinct
from oprover_jax.corpus.normalize import normalise, statement_id, strip_comments, tokens

_STATEMENTS = [
    made.statement.formal for family in FAMILIES for difficulty in (1, 4) for made in distinct(family, difficulty, 3, 2, set())[0]
]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(_STATEMENTS), st.integers(0, 10**6))
def test_a_disguise_changes_nothing(formal: str, seed: int) -> None:
    assert normalise(disguise(formal, seed)) == normalise(formal)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(_STATEMENTS))
def test_normal_forms_keep_no_name_of_a_variable(formal: str) -> None:
    heads = {token.split(".")[0] for token in tokens(normalise(formal))}
    assert heads.isdisjoint(bound_names(formal))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("(a b : Nat) : a + b = b + a", "(a : Nat) (b : Nat) : a + b = b + a"),
        (": ∀ x y : Nat, x = y → y = x", ": ∀ (x : Nat), ∀ (y : Nat), x = y -> y = x"),
        (": (fun x => x + 1) = Nat.succ", ": (λ y ↦ y + 1) = Nat.succ"),
        ("{α : Type} [Inhabited α] (h : ∃ x : α, x = x) : True", "{β : Type} [Inhabited β] (k : ∃ y : β, y = y) : True"),
        ("(h : p ∧ q) : h.left = h.1", "(h2 : p ∧ q) : h2.left = h2.1"),
    ],
)
def test_equal_meanings(left: str, right: str) -> None:
    assert normalise(f"theorem a {left} := by sorry") == normalise(f"theorem b {right} := sorry")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("(a b : Nat) : a + b = b + a", "(a b : Nat) : a + b = a + b"),
        ("(a b : Nat) : a ≤ b", "(a b : Nat) : b ≤ a"),
        ("(p q : Prop) : p → q → p", "(p q : Prop) : p → q → q"),
        ("(p : Prop) : p → p", "{p : Prop} : p → p"),
        (": ∀ x, P x", ": ∃ x, P x"),
        (": ∀ x, P x", ": ∀ x, Q x"),
        (": (∀ x, x = y) → x = y", ": (∀ z, z = y) → y = y"),
        (': s = "a -- b"', ': s = "a"'),
    ],
)
def test_different_meanings(left: str, right: str) -> None:
    assert normalise(f"theorem a {left} := by sorry") != normalise(f"theorem a {right} := by sorry")


def test_a_free_name_is_not_captured() -> None:
    assert normalise("theorem a : (∀ x, x = 1) → x = 1 := by sorry") != normalise("theorem a : (∀ y, y = 1) → z = 1 := by sorry")
    assert "x" in tokens(normalise("theorem a : (∀ x, x = 1) ∧ x = 1 := by sorry"))


def test_a_header_is_part_of_the_statement() -> None:
    formal = "theorem a : f 1 = 2 := by sorry"
    assert statement_id(formal, "def f := fun x => x + 1") == statement_id(formal, "def f :=  fun x => x + 1 -- next")
    assert statement_id(formal, "def f := fun x => x + 1") != statement_id(formal, "def f := fun x => x + x")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='ab(){}:,∀∃⟨⟩"-/\\ .=\n⟩λ', max_size=60))
def test_any_text_has_a_normal_form(text: str) -> None:
    assert normalise(text) == normalise(text)
    assert "--" not in strip_comments(text.replace('"', "")) or "/-" in text or "-/" in text
