"""Whole declarations and helpers: the statement is always ours, helpers come in only where they are permitted, and prove nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lean_worker.candidate import Candidate, Refused, read_candidate, split_candidate
from lean_worker.lexer import LexError
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict

STATEMENT = "theorem tgt (p q : Prop) (hp : p) (hq : q) : q ∧ p := by sorry"
FALSE = "theorem tgt : 2 + 2 = 5 := by sorry"


def ask(pool: Pool, statement: str, proof: str, helpers: bool = True) -> Verdict:
    return pool.submit(Check("x", statement, proof, helpers=helpers)).result()


@pytest.mark.parametrize(
    "text, candidate",
    [
        ("by simp", Candidate("by simp")),
        ("theorem t : 1 = 1 := rfl", Candidate(":= rfl")),
        ("theorem t (h : a = (b := c)) : 1 = 1 := by\n  rfl", Candidate(":= by\n  rfl")),
        ("lemma t : ∀ n : Nat, n = n\n  | 0 => rfl\n  | _ => rfl", Candidate("| 0 => rfl\n  | _ => rfl")),
        ("theorem a : True := trivial\n\ntheorem t : True := a", Candidate(":= a", "theorem a : True := trivial\n\n")),
        ("theorem t : True", Candidate("theorem t : True")),
    ],
)
def test_taken_apart(text: str, candidate: Candidate) -> None:
    assert split_candidate(text) == candidate


@given(st.text(alphabet="theorm ldf:=|\n()⟨⟩-/\"'«»`#@[]xλ₀0", max_size=60))
def test_nothing_is_lost_or_invented(text: str) -> None:
    try:
        candidate = split_candidate(text)
    except LexError:
        return
    assert candidate.body in text and text.startswith(candidate.helpers)


def test_a_restated_theorem_proves_ours_only(pool: Pool) -> None:
    assert ask(pool, STATEMENT, "theorem tgt (p q : Prop) (hp : p) (hq : q) : q ∧ p := ⟨hq, hp⟩", helpers=False).kind == "accepted"
    assert ask(pool, FALSE, "theorem tgt : 2 + 2 = 4 := rfl").kind == "error"
    assert ask(pool, FALSE, "theorem tgt : 2 + 2 = 4 ∨ 2 + 2 = 5 := Or.inl rfl").kind == "error"


HELPED = """theorem mid (p q : Prop) (hp : p) (hq : q) : p ∧ q := ⟨hp, hq⟩

theorem tgt (p q : Prop) (hp : p) (hq : q) : q ∧ p :=
  (mid q p hq hp)"""


def test_helpers_where_they_are_permitted(pool: Pool) -> None:
    assert ask(pool, STATEMENT, HELPED).kind == "accepted"
    assert ask(pool, STATEMENT, HELPED, helpers=False).kind == "forbidden"
    assert ask(pool, STATEMENT, "def two := 2\ntheorem tgt : two = 2 := ⟨hq, hp⟩").kind == "accepted"


def test_a_wrong_helper_is_a_wrong_proof_and_its_line_is_named(pool: Pool) -> None:
    verdict = ask(pool, STATEMENT, HELPED.replace("⟨hp, hq⟩", "⟨hq,\n  hp⟩"))
    assert verdict.kind == "error"
    assert min(message.line for message in verdict.messages) == -2  # line 0 is the empty line before the theorem


@pytest.mark.parametrize(
    "helper",
    [
        "axiom c : False",
        "instance : Inhabited False := ⟨c⟩",
        'macro "x" : tactic => `(tactic| sorry)',
        "@[simp] theorem c : 2 + 2 = 5 := sorry",
        "theorem c : 2 + 2 = 5 := sorry",
        "theorem c : 2 + 2 = 5 := by native_decide",
        "open Nat",
        "set_option debug.skipKernelTC true",
        "theorem a : True := trivial\nend Candidate0",
        "unsafe def c : False := c",
        "partial def f : Nat → Nat := f",
        "#exit",
        "def c : Nat := 1 /-",
    ],
)
def test_what_no_helper_may_be(helper: str) -> None:
    with pytest.raises(Refused):
        read_candidate(f"theorem first : True := trivial\n{helper}\ntheorem tgt : 2 + 2 = 5 := c", True)
    with pytest.raises(Refused):
        read_candidate(f"{helper}\ntheorem tgt : 2 + 2 = 5 := by exact c", True)


@pytest.mark.parametrize(
    "proof",
    [
        "def Nat.add (a b : Nat) : Nat := 5\ntheorem tgt : 2 + 2 = 5 := rfl",
        "def instHAdd : HAdd Nat Nat Nat := ⟨fun _ _ => 5⟩\ntheorem tgt : 2 + 2 = 5 := rfl",
        "def OfNat.ofNat (n : Nat) : Nat := 0\ntheorem tgt : 2 + 2 = 5 := rfl",
        "def Eq (a b : Nat) : Prop := True\ntheorem tgt : 2 + 2 = 5 := trivial",
        "theorem tgt : 2 + 2 = 4 := rfl\ntheorem tgt : 2 + 2 = 5 := tgt",
        "theorem c : 2 + 2 = 5 := c\ntheorem tgt : 2 + 2 = 5 := c",
        "theorem a : True := (\ntheorem tgt : 2 + 2 = 5 := rfl",
    ],
)
def test_helpers_cannot_change_the_meaning_of_the_statement(pool: Pool, proof: str) -> None:
    verdict = ask(pool, FALSE, proof)
    assert verdict.accepted is False and verdict.kind == "error"
    assert ask(pool, "theorem good (p : Prop) (h : p) : p := by sorry", "h").kind == "accepted"
