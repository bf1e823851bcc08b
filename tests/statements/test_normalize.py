"""The normal form: blind to disguises, sharp on differences."""

import normalize_oracle
import pytest
from disguise import bound_names, disguise
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.statements.normalize import normalise, statement_id, strip_comments, tokens
from oprover_jax.synthetic.families import FAMILIES
from oprover_jax.synthetic.generate import distinct

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


_WORDS = st.sampled_from(
    ["x", "h.1", "«a b»", "β₁", "∀", "∃", "fun", "λ", "=>", ",", ":", ":=", "->", "0.5", "_", "Nat", '"s -- "', "def", "in", "."]
)
_BALANCED = st.recursive(
    _WORDS,
    lambda inner: st.tuples(st.sampled_from(["()", "[]", "{}", "⟨⟩", "⦃⦄"]), st.lists(inner, max_size=5)).map(
        lambda pair: f"{pair[0][0]}{' '.join(pair[1])}{pair[0][1]}"
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_BALANCED, max_size=12).map(" ".join), st.sampled_from(["theorem a ", "", "@[simp] lemma b\n", "def f := 1\n\ntheorem c "]))
def test_the_fast_normal_form_is_the_plain_one(text: str, before: str) -> None:
    assert normalise(before + text, text) == normalize_oracle.normalise(before + text, text)


@settings(max_examples=1000, deadline=None)
@given(st.text(alphabet='a"-/\\\n ', max_size=40))
def test_comments_are_found_as_by_reading_each_character(text: str) -> None:
    assert strip_comments(text).split() == normalize_oracle.strip_comments(text).split()  # one space for a comment, however nested


def test_what_a_theorem_defines_for_itself_is_part_of_it() -> None:
    statement = "theorem a : IsLeast s answer := by sorry"
    assert normalise(f"abbrev answer := 3\n{statement}") != normalise(f"abbrev answer := 4\n{statement}")
    assert normalise(f"@[simp] private {statement}") == normalise(statement)


def test_what_stands_after_in_is_no_bound_name() -> None:
    assert normalise("theorem a : ∀ᶠ x in atTop, p x := by sorry") != normalise("theorem a : ∀ᶠ x in cofinite, p x := by sorry")


@pytest.mark.parametrize("name", ["«a theorem: of mine»", "Größe.α'₁", "x.«y z».w"])
def test_any_name_of_a_theorem_is_left_out(name: str) -> None:
    assert normalise(f"theorem {name} (n : Nat) : n = n := by sorry") == normalise("example (n : Nat) : n = n := by sorry")
