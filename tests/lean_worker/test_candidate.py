"""Whole declarations and helpers: the statement is always ours, helpers come in only where they are permitted, and prove nothing else."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lean_worker.candidate import Refused, read_candidate, split_candidate
from lean_worker.lexer import LexError
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict
from lean_worker.statement import split_statement

pytestmark = pytest.mark.lean

STATEMENT = "theorem tgt (p q : Prop) (hp : p) (hq : q) : q ∧ p := by sorry"
FALSE = "theorem tgt : 2 + 2 = 5 := by sorry"


def ask(pool: Pool, statement: str, proof: str, helpers: bool = True) -> Verdict:
    return pool.submit(Check("x", statement, proof, helpers=helpers)).result()


T = split_statement("theorem t : True := by sorry")


@pytest.mark.parametrize(
    "text, body, helpers",
    [
        ("by simp", "by simp", ""),
        ("theorem t : 1 = 1 := rfl", ":= rfl", ""),
        ("theorem t (h : a = (b := c)) : 1 = 1 := by\n  rfl", ":= by\n  rfl", ""),
        ("lemma t : ∀ n : Nat, n = n\n  | 0 => rfl\n  | _ => rfl", "| 0 => rfl\n  | _ => rfl", ""),
        ("theorem a : True := trivial\n\ntheorem t : True := a", ":= a", "theorem a : True := trivial\n\n"),
        ("@[simp, foo [1]] private theorem t : True := trivial", ":= trivial", ""),
        ("-- words\n/-- more -/\ntheorem t : True := trivial", ":= trivial", "-- words\n"),
        ("set_option maxHeartbeats 400000 in\ntheorem t : True := trivial", ":= trivial", ""),
        ("theorem t : True :=\r\n  trivial", ":=\n  trivial", ""),
        ("theorem t : 2 = 2 :=\n  h\nwhere\n  h : 2 = 2 := rfl", ":=\n  h\nwhere\n  h : 2 = 2 := rfl", ""),
        ("theorem t : let x := 5; x = 5 := rfl", ":= rfl", ""),
        ("theorem t : match 0 with | 0 => True | _ + 1 => True := trivial", ":= trivial", ""),
        ("theorem t : |(0 : Int)| = 0 := rfl", ":= rfl", ""),
        (
            "/-- one -/\ntheorem a : True := trivial\n\n/-- two -/\n@[simp]\ntheorem t : True := a",
            ":= a",
            "/-- one -/\ntheorem a : True := trivial\n\n",
        ),
        (
            "import Mathlib\nopen Nat\nnamespace N\ntheorem t : True := trivial\nend N",
            ":= trivial\nend N",
            "              \nopen Nat\nnamespace N\n",
        ),
    ],
)
def test_taken_apart(text: str, body: str, helpers: str) -> None:
    candidate = split_candidate(text.replace("\r\n", "\n"), T)
    assert (candidate.body, candidate.helpers) == (body, helpers)
    assert bool(candidate.verbatim) == (text != "by simp")


def test_an_answer_under_another_name_is_attached_to_the_statement() -> None:
    assert split_candidate("theorem other : 1 = 1 := rfl", T).verbatim == ""
    assert split_candidate("example : 1 = 1 := rfl", T).verbatim == ""


HEADER = "open Nat\nnamespace Used\ndef two := 2\nend Used\nnamespace Mine\nvariable (n : Nat)\n"


@pytest.mark.parametrize(
    "repeated, kept",
    [
        (HEADER, ""),
        ("open Nat\nnamespace Mine\n", ""),
        ("namespace Used\ndef two := 2\nend Used\n", ""),
        ("namespace Used\ndef three := 3\nend Used\n", "namespace Used\ndef three := 3\nend Used\n"),
        ("open Nat\nopen List\n", "open List\n"),
    ],
)
def test_what_the_header_says_already_is_not_said_twice(repeated: str, kept: str) -> None:
    candidate = split_candidate(f"{repeated}theorem t : True := trivial", T, HEADER)
    assert candidate.verbatim.lstrip() == f"{kept}theorem t : True := trivial"
    assert candidate.verbatim.count("\n") == repeated.count("\n")


@given(st.text(alphabet="theorm ldf:=|\n()⟨⟩-/\"'«»`#@[]xλ₀0", max_size=60))
def test_nothing_is_lost_or_invented(text: str) -> None:
    try:
        candidate = split_candidate(text, T)
    except LexError:
        return
    assert candidate.body in text and text.startswith(candidate.helpers) and candidate.verbatim in ("", text)


def test_a_restated_theorem_proves_ours_only(pool: Pool) -> None:
    assert ask(pool, STATEMENT, "theorem tgt (p q : Prop) (hp : p) (hq : q) : q ∧ p := ⟨hq, hp⟩", helpers=False).kind == "accepted"
    assert ask(pool, FALSE, "theorem tgt : 2 + 2 = 4 := rfl").kind == "error"
    assert ask(pool, FALSE, "theorem tgt : 2 + 2 = 4 ∨ 2 + 2 = 5 := Or.inl rfl").kind == "error"
    assert ask(pool, FALSE, "theorem tgt : 2 + 2 = 4 := by decide\nend", helpers=False).accepted is False


RESTATED = [
    ("theorem t : let x := 5; x = 5 := by sorry", "theorem t : let x := 5; x = 5 := rfl"),
    (
        "theorem t (m : Nat) :\n    let a := m + 1\n    a = m + 1 := by sorry",
        "theorem other (m : Nat) : let a := m + 1\n    a = m + 1 := rfl",
    ),
    ("theorem t : match 0 with | 0 => True | _ + 1 => True := by sorry", "theorem t : match 0 with | 0 => True | _ + 1 => True := trivial"),
    (
        "theorem t (n : Nat) : match n with | 0 => True | _ + 1 => True := by sorry",
        "theorem t (n : Nat) : /- again -/ match n with\n  | 0 => True\n  | _ + 1 => True := by\n  cases n <;> trivial",
    ),
    ("theorem t (n : Nat) : n = n := by sorry", "theorem t (n : Nat) : n = n :=\n  match n with\n  | 0 => rfl\n  | _ + 1 => rfl"),
    ("theorem t : ∀ n : Nat, n = n := by sorry", "theorem t : ∀ n : Nat, n = n\n  | 0 => rfl\n  | _ + 1 => rfl"),
    ("example : let x := 5; x = 5 := by sorry", "theorem t : let x := 5; x = 5 := rfl"),
    ("theorem t : let x := 5; x = 5 := by sorry", "example : let x := 5; x = 5 := rfl"),
    ("theorem t.{u} (α : Sort u) (a : α) : a = a := by sorry", "theorem t.{u} (α : Sort u) (a : α) : a = a := rfl"),
    ("theorem «Problem 1.2» : True := by sorry", "theorem «Problem 1.2» : True := trivial"),
    (
        "theorem t (n : Nat) : True := by sorry",
        "theorem t (n : Nat) : True :=\n  if h : n = 0 then trivial else t (n - 1)\ntermination_by n",
    ),
    (
        "theorem t (n : Nat) : True := by sorry",
        "theorem t (n : Nat) : True :=\n  if h : n = 0 then trivial else t (n - 1)\ntermination_by n\ndecreasing_by omega",
    ),
    ("theorem t : 2 = 2 := by sorry", "private theorem t : 2 = 2 :=\n  helper\nwhere\n  helper : 2 = 2 := rfl"),
    ("theorem t : 1 = 1 := by sorry", "/-- By computation. -/\n@[simp] theorem t : 1 = 1 := rfl"),
    ("theorem t (p : Prop) (stop : p) : p := by sorry", "theorem t (p : Prop) (stop : p) : p := by\n  exact id stop"),
]


@pytest.mark.parametrize("statement, answer", RESTATED)
def test_an_answer_that_restates_the_statement_is_read_as_it_is(pool: Pool, statement: str, answer: str) -> None:
    assert ask(pool, statement, answer, helpers=False).kind == "accepted"


@pytest.mark.parametrize("statement, answer", RESTATED)
def test_its_proof_alone_goes_through_as_any_other(pool: Pool, statement: str, answer: str) -> None:
    candidate = split_candidate(answer, split_statement(statement))
    assert ask(pool, statement, candidate.body, helpers=False).kind == "accepted"


@pytest.mark.parametrize(
    "answer",
    [
        "theorem t : True := trivial\naxiom c : False",
        "theorem t : True := trivial\n#print axioms t",
        "set_option debug.skipKernelTC true in\ntheorem t : True := trivial",
    ],
)
def test_what_no_answer_may_hold(answer: str) -> None:
    with pytest.raises(Refused):
        read_candidate(answer, True, T)


def test_the_commands_are_those_of_the_lean_at_hand() -> None:
    with pytest.raises(Refused):
        read_candidate("theorem a : True := trivial frob\ntheorem t : True := trivial", True, commands=frozenset({"frob"}))
    with pytest.raises(Refused):
        read_candidate("trivial frob", True, commands=frozenset({"frob"}))


@pytest.mark.parametrize(
    "piece", ["theorem ", "theorem a := ", "@[", "] theorem ", "@[a] ", "/-- a -/ theorem a := b ", ":= ", "| ", "(", "a\n"]
)
def test_taking_apart_takes_time_in_proportion_to_the_length(piece: str) -> None:
    began = time.process_time()
    text = "theorem a := b " + piece * (100_000 // len(piece)) + "\ntheorem t : True := trivial"
    try:
        assert read_candidate(text, True, T).body == ":= trivial"
    except Refused as refused:
        assert str(refused)
    assert time.process_time() - began < 10


def test_no_soup_of_tokens_raises_anything_else() -> None:
    draw = random.Random(7)
    pieces = [
        "theorem",
        "lemma",
        "def",
        "example",
        " ",
        "\n",
        "a",
        ":=",
        "|",
        "(",
        ")",
        "@[",
        "]",
        "private",
        "in",
        "/-- -/",
        "set_option",
        "«",
        "'",
    ]
    for _ in range(20_000):
        text = " ".join(draw.choices(pieces, k=draw.randint(0, 12)))
        try:
            candidate = read_candidate(text, True, split_statement("theorem a : a := by sorry"))
        except Refused:
            continue
        assert candidate.body in text


HELPED = """theorem mid (p q : Prop) (hp : p) (hq : q) : p ∧ q := ⟨hp, hq⟩

theorem tgt (p q : Prop) (hp : p) (hq : q) : q ∧ p :=
  (mid q p hq hp)"""


def test_helpers_where_they_are_permitted(pool: Pool) -> None:
    assert ask(pool, STATEMENT, HELPED).kind == "accepted"
    assert ask(pool, STATEMENT, HELPED, helpers=False).kind == "forbidden"
    assert ask(pool, STATEMENT, "def two := 2\ntheorem other : two = 2 := ⟨hq, hp⟩").kind == "accepted"
    assert ask(pool, STATEMENT, "def two := 2\ntheorem tgt : two = 2 := ⟨hq, hp⟩").kind == "error"


def test_a_wrong_helper_is_a_wrong_proof_and_its_line_is_named(pool: Pool) -> None:
    verdict = ask(pool, STATEMENT, HELPED.replace("⟨hp, hq⟩", "⟨hq,\n  hp⟩"))
    assert verdict.kind == "error"
    assert min(message.line for message in verdict.messages) == 1


@pytest.mark.parametrize(
    "helper",
    [
        "axiom c : False",
        'macro "x" : tactic => `(tactic| sorry)',
        "@[simp] theorem c : 2 + 2 = 5 := sorry",
        "theorem c : 2 + 2 = 5 := sorry",
        "theorem c : 2 + 2 = 5 := by native_decide",
        "set_option debug.skipKernelTC true",
        "unsafe def c : False := c",
        "partial def f : Nat → Nat := f",
        "#exit",
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
