"""Light reading of Lean text: bare proofs and whole declarations are told apart, shown, compared and renamed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oprover_jax.data.sources import declaration
from oprover_jax.statements.declarations import bare_proof, declared, is_declaration, name_of, renamed, split_restated, stated_proof

FORMAL = "theorem t (a : Nat) : a = a := by sorry"


@pytest.mark.parametrize(
    "text",
    [
        "theorem t : True := trivial",
        "  lemma t : True := trivial",
        "example : True := trivial",
        "/-- A theorem. /- nested -/ -/ theorem t : True := trivial",
        "-- remark\n\ntheorem t : True := trivial",
        "@[simp] theorem t : True := trivial",
        "@[simp, norm_cast]\nprivate theorem t : True := trivial",
        "import Mathlib\nopen Nat\n\ntheorem t : True := trivial",
        "open Nat in\ntheorem t : True := trivial",
        "set_option maxHeartbeats 400000 in theorem t : True := trivial",
        "namespace A\ntheorem t : True := trivial\nend A",
        "def f := 1",
        "#check f",
    ],
)
def test_whole_declarations(text: str) -> None:
    assert is_declaration(text) and stated_proof(FORMAL, text) == text
    assert declaration("", FORMAL, text) == f"{text}\n" and declaration("open A", FORMAL, text).count("theorem t (a") == 0


@pytest.mark.parametrize(
    "text",
    [
        "by simp",
        ":= by simp",
        "| 0 => rfl\n| n + 1 => rfl",
        "fun h => h",
        "open Nat in\nby rfl",
        "set_option maxRecDepth 500 in by decide",
        "by\n  -- theorem x : True\n  rfl",
        "by\n  exact foo.theorem\n",
        "by /-\ntheorem x : True := trivial\n-/ rfl",
        'by exact "\ntheorem x : True"',
        "definition_lemma h",
        "",
    ],
)
def test_bare_proofs(text: str) -> None:
    assert not is_declaration(text) and not declared(text)
    assert stated_proof(FORMAL, text).startswith("theorem t (a : Nat) : a = a ")


def test_names_and_places() -> None:
    text = "theorem A.«b c».d.{u} (x : Nat) : True := trivial\nexample : True := trivial\nprivate lemma z: True := trivial"
    assert [(each.name, text[each.name_start : each.end]) for each in declared(text)] == [("A.«b c».d", "A.«b c».d"), ("", ""), ("z", "z")]
    assert name_of(FORMAL) == "t" and name_of("example : True := by sorry") == ""


def test_restated_theorems_are_taken_apart_only_where_the_text_agrees() -> None:
    assert split_restated(FORMAL, "lemma a : True := trivial\n\ntheorem t (a : Nat)\n  : a = a := by\n  rfl") == (
        "lemma a : True := trivial\n\n",
        ":= by\n  rfl",
    )
    assert split_restated(FORMAL, "theorem goal (a : Nat) : a=a\n  | 0 => rfl\n  | _ => rfl") == ("", "| 0 => rfl\n  | _ => rfl")
    assert split_restated(FORMAL, "theorem t (b : Nat) : b = b := rfl") is None
    assert split_restated(FORMAL, "by rfl") is None
    assert bare_proof(FORMAL, "import A\ntheorem t (a : Nat) : a = a := rfl") == bare_proof(FORMAL, ":= rfl") == bare_proof(FORMAL, "rfl")
    assert bare_proof(FORMAL, "lemma b : True := c\ntheorem t (a : Nat) : a = a := rfl").startswith("lemma b")


@given(st.text(st.sampled_from("th m:=\n\"'/-«».[]")), st.text(st.sampled_from("ab \n.")))
def test_renaming_there_and_back(before: str, after: str) -> None:
    text = f"{before}\ntheorem first : p := by\n  use first{after}"
    changed = renamed(text, frozenset({"first"}), "goal")
    assert renamed(changed, frozenset({"goal"}), "first") == text
    if before.strip("thm:=\n ") == "":
        assert "theorem goal" in changed
