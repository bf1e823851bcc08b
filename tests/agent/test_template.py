"""Prompts keep their parts and budgets; answers round-trip through the parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lean_worker.protocol import Message
from oprover_jax.agent.answer import parse_answer
from oprover_jax.agent.template import (
    ERROR_CLOSE,
    ERROR_OPEN,
    PHRASES,
    Budget,
    State,
    Template,
    answer_text,
    feedback_text,
    plan_of,
    stated_proof,
)
from oprover_jax.data.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from oprover_jax.records import ProofRecord, Statement

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
    template = Template(tokenizer, Budget(512, 64, 128, 64, 64))
    first = tokenizer.decode(template.prompt(State(statement())))
    later = tokenizer.decode(template.prompt(State(statement(), (record(PROOF),), "by exact h", "unknown identifier")))
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


def test_budgets_drop_whole_proofs_and_hold(tokenizer: Tokenizer) -> None:
    budget = Budget(prompt=128, statement=64, references=40, attempt=8, feedback=8)
    template = Template(tokenizer, budget)
    long = record("by\n  " + "exact h\n  " * 200)
    text = tokenizer.decode(template.prompt(State(statement(), (long, record(PROOF)), "by " + "simp; " * 99, "error " * 99)))
    assert "exact h\n" not in text and "exact ⟨h.2, h.1⟩" in text
    assert len(template.prompt(State(statement(), (long, record(PROOF)), "by " + "simp; " * 99, "error " * 99))) <= budget.prompt
    assert "exact ⟨h.2" not in tokenizer.decode(
        Template(tokenizer, Budget(64, 32, 40, 8, 8)).prompt(State(statement(), (record(PROOF),), "x " * 9))
    )
    headed = Statement("id", "and_swap", statement().formal, header="open Nat\n")
    assert tokenizer.decode(template.prompt(State(headed))).count("open Nat") == 1
    longer = Statement("id", "and_swap", statement().formal, header="open Nat\n" * 99)
    assert template.fits(longer) and "open Nat" not in tokenizer.decode(template.prompt(State(longer)))
    with pytest.raises(ValueError, match="budget allows 4"):
        Template(tokenizer, Budget(64, 4, 40, 8, 8)).prompt(State(statement()))


@pytest.mark.parametrize(
    "proof", [PROOF, "fun h => ⟨h.2, h.1⟩", "by simp", ":= by simp", "by\n  cases h with\n  | inl h => exact h\n  | inr h => exact h"]
)
def test_answers_round_trip(proof: str) -> None:
    answer = parse_answer(answer_text(proof))
    assert (answer.proof, answer.well_formed) == (proof, True)


def test_feedback_marks_the_span_and_keeps_errors_only() -> None:
    messages = [
        Message("warning", 1, 0, 1, 7, "unused"),
        Message("error", 3, 2, 3, 9, "type mismatch"),
        Message("error", 1, 60, 3, 3, "unsolved goals\n⊢ q"),
    ]
    text = feedback_text(statement().formal, "by\n  intro h\n  exact h", messages)
    assert text == f"{ERROR_OPEN}exact h{ERROR_CLOSE}\ntype mismatch\nunsolved goals\n⊢ q"


def test_feedback_on_the_first_line_shows_the_proof_and_not_the_statement() -> None:
    formal = statement().formal
    column = formal.index(":=") + len(":= by exact ")
    message = Message("error", 1, column, 1, column + 1, "unknown")
    assert feedback_text(formal, "by exact h", [message]) == f"by exact {ERROR_OPEN}h{ERROR_CLOSE}\nunknown"


def test_plan_names_the_tactics_once_each() -> None:
    assert plan_of(PROOF) == "intro exact"
    assert plan_of("fun h => h") == "term"
    assert plan_of("by\n  cases h with\n  | inl h => exact h\n  | inr h => exact h") == "cases exact"
    assert plan_of("by induction n <;> simp_all") == "induction simp_all"
