"""Prompts keep their parts and budgets; answers round-trip through the parser."""

from pathlib import Path

import pytest
from chat_model import write_chat_tokenizer
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from oprover_jax.agent.answer import parse_answer
from oprover_jax.agent.feedback import CUT
from oprover_jax.agent.template import (
    ANSWER,
    ATTEMPT,
    FEEDBACK,
    FENCE,
    FENCE_END,
    NONE,
    PHRASES,
    REFERENCES,
    TASK,
    Budget,
    State,
    Template,
    answer_text,
    plan_of,
    shown,
    shown_proof,
)
from oprover_jax.data.codec import codec_of, load_codec
from oprover_jax.data.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from oprover_jax.errors import InputError
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.statements.declarations import stated_proof

PROOF = "by\n  intro h\n  exact ⟨h.2, h.1⟩"


def statement(formal: str = "theorem and_swap (p q : Prop) : p ∧ q → q ∧ p := by sorry") -> Statement:
    return Statement("id", "and_swap", formal)


def record(proof: str) -> ProofRecord:
    return ProofRecord(statement(), proof, "4", "lib", (), 0.0, "test")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer([stated_proof(statement().formal, PROOF)] * 10, 400, PHRASES)


def test_every_phrase_is_one_token_and_text_survives(tokenizer: Tokenizer, tmp_path) -> None:
    for phrase in PHRASES:
        assert len(tokenizer.encode(phrase)) == 1
    tokenizer.save(tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    text = answer_text(PROOF) + "<|end|> ∀ ε > 0, ∃ δ\n"
    assert again.encode(text) == tokenizer.encode(text)
    assert again.decode(again.encode(text)) == text
    assert again.end_id not in again.encode(text)


@given(st.text(max_size=200))
def test_any_text_survives_the_tokenizer(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_prompt_has_its_parts_in_order(tokenizer: Tokenizer) -> None:
    template = Template(codec_of(tokenizer), Budget(512, 64, 128, 64, 64))
    first = tokenizer.decode(template.prompt(State(statement())))
    later = tokenizer.decode(template.prompt(State(statement(), (record(PROOF),), "by exact h", ("unknown identifier",))))
    assert first.count("(none)") == 3 and "(none)" not in later
    order = [
        "theorem goal (p q : Prop)",
        "Reference theorems",
        "exact ⟨h.2, h.1⟩",
        "Previous failed",
        "by exact h",
        "feedback",
        "unknown",
        "Answer:",
    ]
    places = [later.index(part) for part in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "formal, prompt",
    [
        ("theorem foo(x : Nat) : x = x := by sorry", "theorem goal(x : Nat) : x = x := by sorry"),
        ("theorem t: 2+2=4 := by sorry", "theorem goal: 2+2=4 := by sorry"),
        (
            "/-- theorem a -/\ntheorem A.b.{u} (α : Type u) : True := sorry",
            "/-- theorem a -/\ntheorem goal.{u} (α : Type u) : True := sorry",
        ),
        ("def f := 1\n@[simp] lemma foo{x : Nat} : x = x :=", "def f := 1\n@[simp] lemma goal{x : Nat} : x = x :="),
        ("def data (n : Nat) : Nat := by sorry", "def data (n : Nat) : Nat := by sorry"),
        ("not a statement", "not a statement"),
    ],
)
def test_a_prompt_shows_every_character_but_the_name(formal: str, prompt: str) -> None:
    assert shown(formal) == prompt
    assert shown_proof(formal, "by rfl").startswith(prompt.removesuffix("sorry").removesuffix("by ").removesuffix(":= "))


def test_budgets_drop_whole_proofs_and_hold(tokenizer: Tokenizer) -> None:
    budget = Budget(prompt=128, statement=64, references=40, attempt=8, feedback=8)
    template = Template(codec_of(tokenizer), budget)
    long = record("by\n  " + "exact h\n  " * 200)
    text = tokenizer.decode(template.prompt(State(statement(), (long, record(PROOF)), "by " + "simp; " * 99, ("error " * 99,))))
    assert "exact h\n" not in text and "exact ⟨h.2, h.1⟩" in text
    assert len(template.prompt(State(statement(), (long, record(PROOF)), "by " + "simp; " * 99, ("error " * 99,)))) <= budget.prompt
    assert "exact ⟨h.2" not in tokenizer.decode(
        Template(codec_of(tokenizer), Budget(64, 32, 40, 8, 8)).prompt(State(statement(), (record(PROOF),), "x " * 9))
    )
    headed = Statement("id", "and_swap", statement().formal, header="open Nat\n")
    for header in ("open Nat", "open Nat\n", "open Nat\n\n"):
        shown_header = tokenizer.decode(template.prompt(State(replace(headed, header=header))))
        assert "open Nat\n\ntheorem goal" in shown_header and shown_header.count("open Nat") == 1
    longer = Statement("id", "and_swap", statement().formal, header="open Nat\n" * 99)
    assert template.fits(longer) and "open Nat" not in tokenizer.decode(template.prompt(State(longer)))
    with pytest.raises(ValueError, match="budget allows 4"):
        Template(codec_of(tokenizer), Budget(64, 4, 40, 8, 8)).prompt(State(statement()))


@pytest.mark.parametrize(
    "proof", [PROOF, "fun h => ⟨h.2, h.1⟩", "by simp", ":= by simp", "by\n  cases h with\n  | inl h => exact h\n  | inr h => exact h"]
)
def test_answers_round_trip(proof: str) -> None:
    answer = parse_answer(answer_text(proof))
    assert (answer.proof, answer.well_formed) == (proof, True)


LINES = st.lists(st.text(st.sampled_from("abc ∀⟨⟩.="), max_size=30), min_size=1, max_size=6).map("\n".join)


@given(st.lists(LINES.filter(str.strip), max_size=6), LINES, st.lists(LINES, max_size=4), st.integers(32, 60))
def test_what_is_left_out_is_said_and_the_prompt_keeps_its_budget(
    tokenizer: Tokenizer, errors: list[str], attempt: str, proofs: list[str], room: int
) -> None:
    budget = Budget(prompt=64 + 2 * room + 16, statement=64, references=room, attempt=room, feedback=room)
    template = Template(codec_of(tokenizer), budget)
    ids = template.prompt(State(statement(), tuple(record("by " + proof) for proof in proofs), attempt, tuple(errors)))
    assert len(ids) <= budget.prompt
    text = tokenizer.decode(ids)
    head, rest = text.split(ATTEMPT, 1)
    shown_attempt, rest = rest.rsplit(FEEDBACK, 1)
    shown_errors = rest.removesuffix(ANSWER)
    references = head.split(REFERENCES, 1)[1]

    shown_references = [shown_proof(statement().formal, "by " + proof) + "\n" for proof in proofs]
    while references and references != NONE:
        fitting = [i for i, whole in enumerate(shown_references) if references.startswith(whole)]
        assert fitting, "a retrieved proof is there whole or not at all"
        references, shown_references = references.removeprefix(shown_references[fitting[0]]), shown_references[fitting[0] + 1 :]

    if shown_attempt not in (attempt, NONE):
        assert len(tokenizer.encode(attempt)) > room and shown_attempt.endswith(CUT) and len(tokenizer.encode(shown_attempt)) <= room
        kept = shown_attempt.removesuffix(f"\n{CUT}")
        assert attempt.startswith(kept + "\n") or ("\n" not in kept and attempt.startswith(kept))

    assert shown_errors in ("\n".join(errors), NONE) or len(tokenizer.encode(shown_errors)) <= room  # the rest: test_feedback.py


def test_first_errors_stay_whole_and_the_rest_are_counted(tokenizer: Tokenizer) -> None:
    template = Template(codec_of(tokenizer), Budget(256, 64, 64, 20, 48))
    errors = ("exact h\nunknown", "intro h\nno goals", "exact h " * 20)
    text = tokenizer.decode(template.prompt(State(statement(), (), "by\n  intro h\n" + "  exact h\n" * 20, errors)))
    assert "exact h\nunknown\nintro h\nno goals\n(1 more error)\nAnswer:" in text
    assert f"by\n  intro h\n  exact h\n{CUT}\nLean feedback:" in text.replace("  exact h\n  exact h\n", "  exact h\n")
    long = tokenizer.decode(template.prompt(State(statement(), (), "by simp", (errors[2] + "\n⊢ q", *errors[:2]))))
    assert f"{CUT}\n(2 more errors)" in long


def test_a_tokenizer_that_needs_more_room_for_the_phrases_is_refused() -> None:
    bytes_only = train_tokenizer(["by simp"], 260, [])
    with pytest.raises(InputError, match=r"budget\.prompt is 64; with this tokenizer .* may take"):
        Template(codec_of(bytes_only), Budget(64, 16, 16, 16, 16))


def test_a_chat_model_reads_the_same_parts_in_one_turn_and_the_budget_counts_the_marks(tmp_path: Path) -> None:
    inner = write_chat_tokenizer(tmp_path)
    codec = load_codec(tmp_path)
    state = State(statement(), (record(PROOF),), "by exact <|im_end|>", ("unknown",))
    written = inner.decode(Template(codec, Budget(1024, 256, 256, 256, 256)).prompt(state), skip_special_tokens=False)
    plain = Template(codec_of(train_tokenizer(["by simp"], 270, [])), Budget(1024, 256, 256, 256, 256))
    parts = plain.codec.decode(plain.prompt(state)).removesuffix(ANSWER)
    assert written == f"<|im_start|>user\n{parts}<|im_end|>\n<|im_start|>assistant\n"
    answer = plain.codec.encode_plain(answer_text(PROOF))
    assert Template(codec, Budget(1024, 256, 256, 256, 256)).answer(PROOF) == [*codec.encode_plain(answer_text(PROOF)), codec.end_ids[0]]
    assert parse_answer(plain.codec.decode(answer)).proof == PROOF

    before, after = codec.turn
    phrases = (TASK, FENCE, FENCE_END, REFERENCES, NONE, ATTEMPT, FEEDBACK)
    least = sum(len(codec.encode_plain(phrase)) for phrase in phrases) + len(before) + len(after) + 3 * 64
    full = State(statement(), (), "x " * 99, ("error " * 99,))
    assert len(Template(codec, Budget(least, 64, 64, 64, 64)).prompt(full)) <= least
    with pytest.raises(InputError, match=f"may take {least}"):
        Template(codec, Budget(least - 1, 64, 64, 64, 64))


WHOLE = "import A\n\nlemma aux : True := trivial\n\ntheorem and_swap (p q : Prop) : p ∧ q → q ∧ p := by\n  intro h\n  exact and_swap h"


def test_whole_declarations_are_shown_as_they_are_under_the_name_of_the_prompt(tokenizer: Tokenizer) -> None:
    template = Template(codec_of(tokenizer), Budget(2048, 256, 512, 512, 256))
    renamed = WHOLE.replace("and_swap", "goal")
    assert shown_proof(statement().formal, WHOLE) == renamed and shown_proof(statement().formal, PROOF).startswith("theorem goal (p q")
    text = tokenizer.decode(template.prompt(State(statement(), (record(WHOLE),), WHOLE, ("unknown",))))
    assert f"{REFERENCES}{renamed}\n" in text and f"{ATTEMPT}{renamed}\n" in text and text.count("theorem goal") == 3
    answer = parse_answer(answer_text(renamed), statement().formal)
    assert (answer.proof, answer.well_formed) == (WHOLE, True)
    assert answer_text(renamed).startswith("Plan: intro exact\n")


def test_plan_names_the_tactics_once_each() -> None:
    assert plan_of(PROOF) == "intro exact"
    assert plan_of("fun h => h") == "term"
    assert plan_of("by\n  cases h with\n  | inl h => exact h\n  | inr h => exact h") == "cases exact"
    assert plan_of("by induction n <;> simp_all") == "induction simp_all"
