"""The proof filter: what ordinary proofs need passes, and no keyword hides behind comments, strings, quotes or odd letters."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lean_worker.lexer import LexError, tokens
from lean_worker.proof_filter import ALONE, ANYWHERE, COMMANDS, MAX_PROOF_LENGTH, filter_proof

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
    assert filter_proof(proof) is None


def test_a_long_proof_is_refused() -> None:
    assert filter_proof("x" * (MAX_PROOF_LENGTH + 1))


separators = st.sampled_from(
    [" ", "\n", "(", ")", ";", "⟨", "=>", ",", "+", ":=", "·", "λ", "∀", "Σ", "- ", "\t", "/- x -/", "--\n", '"s"', "«n» "]
)


@given(
    st.sampled_from(sorted(ANYWHERE)),
    separators,
    separators,
    st.sampled_from(["«{}»", "{}", "a.{}", "{}.b", "«a».{}", "_root_.{}", "{}!", "{}'"]),
)
@settings(max_examples=400, deadline=None)
def test_no_word_hides_behind_what_stands_beside_it(word: str, before: str, after: str, form: str) -> None:
    assert filter_proof(f"by exact x{before}{form.format(word)}{after}y") is not None


@given(st.sampled_from(sorted(COMMANDS | ALONE)), separators, separators, st.sampled_from(["«{}»", "{}"]))
@settings(max_examples=400, deadline=None)
def test_no_command_stands_alone(word: str, before: str, after: str, form: str) -> None:
    assert filter_proof(f"by exact x{before}{form.format(word)}{after}y") is not None


@pytest.mark.parametrize("name", ["Polynomial.eval", "List.prefix", "Matrix.trace", "xs.end", "Span.stop", "eval", "init", "theorem'"])
def test_names_that_only_hold_such_a_word_pass(name: str) -> None:
    assert filter_proof(f"by exact {name} x") is None


@pytest.mark.parametrize("proof", ["trivial assert_not_exists Foo", "trivial\nassert_not_exists Foo", "rfl\nunset_option maxHeartbeats"])
def test_commands_of_any_library_are_refused(proof: str) -> None:
    assert filter_proof(proof)


def test_the_commands_are_those_of_the_lean_at_hand() -> None:
    commands = frozenset({"frob", "frob_all%", "#frob", "⊨", "⊨⊨"})
    assert [
        filter_proof(f"trivial {word} x", commands) is not None for word in ["frob", "frob_all%", "frob_all", "⊨", "a.frob", "frobs"]
    ] == [*(True, True, False, True, False, False)]
    assert filter_proof("by exact alias", commands) is None and filter_proof("by exact alias")


@pytest.mark.parametrize("proof", ["fun x : α →oopen Nat in β => x", "x ≃rₗ xset_option", "f ' xopen Nat", "f '' yopen Nat in s"])
def test_commands_behind_symbols_that_may_be_longer_are_refused(proof: str) -> None:
    assert filter_proof(proof.replace("xset", "set"))


SEARCHES = ["exact?", "apply?", "rw?", "simp?", "try?", "decide?", "simp_all?", "aesop?", "exact?!", "«exact?»"]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    "place",
    [
        *("by {}", "by\n  .{}", "by\n  ·{}", "by\n  · .{}", "by (skip;.{})", "by (.{})", "by skip <;>.{}", "by first | .{}", "by\n  . .{}"),
        *("by simp (disch :=.{})", "by cases h with | _ =>.{}", "by iterate 2.{}", "by rw [h]\n  .{}", "by rw [h] .{}", "by {{.{}}}"),
    ],
)
def test_searches_are_refused_wherever_a_tactic_may_stand(search: str, place: str) -> None:
    assert filter_proof(place.format(search))


@pytest.mark.parametrize(
    "term", ["l.head?", "List.head? l", "(f x).head?", "l[0].get?", "⟨x⟩.1.head?", "h.2.head?", "l |>.head?", "‹_›.get?"]
)
def test_fields_whose_names_end_in_a_question_mark_pass(term: str) -> None:
    assert filter_proof(f"by exact {term}") is None


def test_names_of_the_statement_may_stand_in_the_proof() -> None:
    assert filter_proof("by exact stop", known=frozenset({"stop"})) is None and filter_proof("by exact stop")
    assert filter_proof("by exact open", known=frozenset({"open"}))


@pytest.mark.parametrize("string", ['s! "{x}"', 'panic! "{x}"', 'trace[a] "{x}"', 'r"a"', 's!"{x}"', 'dbg "{x}"'])
def test_strings_that_may_hold_code_are_refused(string: str) -> None:
    assert filter_proof(f"by exact {string}")


@pytest.mark.parametrize("piece", ["@ ", "@", "«a» ", "a.", "x? ", ".x? ", '"" ', ":= ", "[", "# ", "/- -/ ", "→o"])
def test_judging_takes_time_in_proportion_to_the_length(piece: str) -> None:
    began = time.process_time()
    filter_proof(piece * (MAX_PROOF_LENGTH // len(piece)))
    assert time.process_time() - began < 5


def test_no_soup_of_tokens_raises_anything() -> None:
    draw = random.Random(6)
    pieces = [
        "open",
        "sorry",
        "exact?",
        ".",
        " ",
        "«",
        "»",
        "'",
        '"',
        "{",
        "#",
        "[",
        "@",
        "`",
        "/-",
        "-/",
        "--",
        "\n",
        "x",
        "0x1",
        "|",
        ">",
        "→o",
        "\ud800",
    ]
    for _ in range(20_000):
        text = "".join(draw.choices(pieces, k=draw.randint(0, 12)))
        reason = filter_proof(text)
        assert reason is None or reason


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
    reason = filter_proof(text)
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
        assert filter_proof(text) is not None
