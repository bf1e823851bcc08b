"""The screen: what ordinary proofs need passes, and no keyword hides behind comments, strings, quotes or odd letters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lean_worker.lexer import LexError, tokens
from lean_worker.screen import DENIED, MAX_PROOF_LENGTH, screen

ORDINARY = [
    "by simp",
    "by\n  intro h\n  rcases h with ⟨x, hx⟩ | h'\n  · exact ⟨x, hx.2, hx.1⟩\n  · simp_all [Nat.add_comm] at h' ⊢",
    "fun ⟨hp, hq⟩ => ⟨hq, hp⟩",
    "λ x => x",
    "by induction n with\n  | zero => rfl\n  | succ n ih => rw [← ih, Nat.add_succ]",
    "by -- the end of the section; open the example\n  exact rfl",
    "by /- a theorem /- nested: sorry -/ in comments -/ rfl",
    "show_term (by exact l.head?.isSome)",
    "by exact (xs.get? 0)",
    "by refine ⟨?_, ?h⟩ <;> decide +kernel",
    "h.elim (fun x₁ => x₁) fun y' => absurd y' ‹_›",
    "by exact (show 'a' = 'a' from rfl)",
    'by exact (rfl : "a\\n" = "a\\n")',
    "calc a = b := h\n  _ = c := h'",
    "f #[1, 2] |>.trans rfl",
    "by simp (config := { decide := true })",
    "Prod.fst «odd name»",
]


@pytest.mark.parametrize("proof", ORDINARY)
def test_ordinary_proofs_pass(proof: str) -> None:
    assert screen(proof) is None


def test_a_long_proof_is_refused() -> None:
    assert screen("x" * (MAX_PROOF_LENGTH + 1))


words = st.sampled_from(sorted(DENIED))
separators = st.sampled_from(
    [" ", "\n", "(", ")", ";", "⟨", "=>", ",", "+", ":=", "·", "λ", "∀", "Σ", "- ", "\t", "/- x -/", "--\n", '"s"', "«n»."]
)


@given(words, separators, separators, st.sampled_from(["«{}»", "{}", "a.{}", "{}.b", "«a».{}", "_root_.{}", "{}!", "{}'"]))
@settings(max_examples=400, deadline=None)
def test_no_word_hides_behind_what_stands_beside_it(word: str, before: str, after: str, form: str) -> None:
    assert screen(f"by exact x{before}{form.format(word)}{after}y") is not None


@given(st.text(alphabet="abαλ«»/-\"'\\ \n.#@[]()`sorry!?₁0x", max_size=60))
@settings(max_examples=600, deadline=None)
def test_tokens_cover_the_text_or_the_text_is_refused(text: str) -> None:
    """Outside its tokens the text holds nothing but blanks and comments."""
    try:
        found = tokens(text)
    except LexError as error:
        assert 0 <= error.position < len(text)
        return
    at = 0
    for token in found:
        assert token.start >= at and text[token.start : token.end] == token.text
        gap = text[at : token.start].strip()
        assert gap == "" or gap.startswith(("--", "/-"))
        at = token.end


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_gets_an_answer(text: str) -> None:
    reason = screen(text)
    assert reason is None or reason


@given(st.lists(st.sampled_from(["/-", "-/", "--", "\n", '"', "x", "sorry", " "]), max_size=14))
@settings(max_examples=600, deadline=None)
def test_sorry_outside_comments_is_always_seen(pieces: list[str]) -> None:
    """Against an independent reading of comments and strings, character by character."""
    text = "".join(pieces)
    depth, line, string, at, visible = 0, False, False, 0, ""
    while at < len(text):
        pair = text[at : at + 2]
        if line:
            line = text[at] != "\n"
        elif depth:
            depth += (pair == "/-") - (pair == "-/")
            at += pair in ("/-", "-/")
        elif string:
            visible += text[at]
            string = text[at] != '"'
        elif pair == "--":
            line = True
        elif pair == "/-":
            depth, at = 1, at + 1
        else:
            string = text[at] == '"'
            visible += text[at]
        at += 1
    if "sorry" in visible.split():
        assert screen(text) is not None
