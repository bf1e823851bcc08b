"""The canonical form: blind to the shape of a statement, sharp on what it says."""

import pytest
from disguise import random_theorem, reshape
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.ingest.near import reshaped
from oprover_jax.records import Statement
from oprover_jax.statements.canonical import canonical, canonical_text


def form(formal: str) -> str:
    return canonical_text(canonical(formal))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_shapes_of_one_theorem_are_one(theorem: int, shape: int) -> None:
    plain = random_theorem(theorem)
    assert form(reshape(plain, shape)) == form(plain.written())


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_different_theorems_are_different(first: int, second: int) -> None:
    one, other = random_theorem(first), random_theorem(second)
    assert (form(one.written()) == form(other.written())) == (one == other)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("(a : p) : q", ": p → q"),
        ("(n : ℕ) (h : n > 0) : q n", ": ∀ n : Nat, 0 < n → q n"),
        (": ∀ n > 0, q n", ": ∀ n, n > 0 → q n"),
        (": ∀ n ∈ s, q n", ": ∀ m, m ∈ s → q m"),
        ("(h : p ∧ q ∧ r) : s", "(a : r) (b : q) (c : p) : s"),
        ("[Group G] (a b : G) : a * b = b * a", "[i : Group G] (y x : G) : y * x = x * y"),
        (": ∑ k in Finset.range n, f k = 1", ": ∑ i ∈ Finset.range n, f i = 1"),
        (": {x : ℝ | x = 1} = s", ": {y : ℝ | y = 1} = s"),
        (": p {x : ℝ // 0 < x}", ": p {y : ℝ // 0 < y}"),
        (": s = fun (x, y) => x + y", ": s = fun (a, b) => a + b"),
        (": ∀ᵉ (k ∈ s) (j ∈ t), p k j", ": ∀ᵉ (i ∈ s) (k ∈ t), p i k"),
        (": let x := 1; x = 1", ": let y := 1; y = 1"),
        (": Real.sqrt (2 : ℝ) = b", ": √2 = b"),
        (": (a → b ↔ c) → d", "(h : a → b ↔ c) : d"),
        ("(h : ∃ x, p x ∧ q) : r", ": (∃ y, p y ∧ q) → r"),
        ("(x y : ℝ) (h : x < y) (k : y < 1) : x < 1", "(y x : ℝ) (h : x < 1) (k : y < x) : y < 1"),
    ],
)
def test_equal_contents(left: str, right: str) -> None:
    assert form(f"theorem a {left} := by sorry") == form(f"lemma b {right} := sorry")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (": a → b ↔ c", "(h : a) : b ↔ c"),
        ("(h : a ∨ b ∧ c) : d", "(h : a ∨ b) (k : c) : d"),
        ("(h : ∃ x, p x ∧ q x) : r", "(h : ∃ x, p x) (k : q x) : r"),
        ("(x y : ℝ) (h : x < y) : x < 1", "(x y : ℝ) (h : x < y) : y < 1"),
        (": a + b ≥ c", ": a + b ≤ c"),
        (": a = b ∧ c ≥ d", ": c ≤ d ∧ a = b"),
        ("(x : ℝ) : x = x", "(x : ℚ) : x = x"),
        (": (a → b) → c", ": a → b → c"),
        ("(a b c : ℝ) (h : a < b) (k : b < c) : a < c", "(a b c : ℝ) (h : a < b) (k : c < b) : a < c"),
    ],
)
def test_different_contents(left: str, right: str) -> None:
    assert form(f"theorem a {left} := by sorry") != form(f"theorem a {right} := by sorry")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='ab(){}:,∀∃∑⟨⟩"-/\\ .=\n⟩λ→∧>|', max_size=60))
def test_any_text_has_a_canonical_form(text: str) -> None:
    assert form(text) == form(text)


def test_statements_in_another_shape_name_the_first_of_them() -> None:
    theorems = [random_theorem(number) for number in range(4)]
    formals = [theorem.written() for theorem in theorems] + [reshape(theorems[number], 7) for number in (2, 0, 2)]
    made = [Statement(str(number), "t", formal) for number, formal in enumerate(formals)]
    assert reshaped(made) == {"4": "2", "5": "0", "6": "2"}
    says_nothing = [Statement(name, "t", f"theorem t : {name} = g := by sorry") for name in "fh"]
    assert reshaped(says_nothing) == {}
