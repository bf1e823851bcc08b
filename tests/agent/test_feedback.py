"""Feedback on real errors of Lean: the line, the message and the goal, whole and under every budget."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lean_worker.pool import Pool
from lean_worker.protocol import Check, Message, Verdict
from oprover_jax.agent.feedback import CUT, ERROR_CLOSE, ERROR_OPEN, NO_CODE, feedback_errors, first_errors, verdict_errors
from oprover_jax.agent.template import PHRASES
from oprover_jax.data.codec import Codec, codec_of
from oprover_jax.data.tokenizer import train_tokenizer

SWAP = "theorem and_swap (p q : Prop) : p ∧ q → q ∧ p := by sorry"
LE = "theorem le (a b c d : Nat) (h : a ≤ b) (g : c ≤ d) (unused : a + b + c + d = 1000) : a + c ≤ b + d := by sorry"
SUM = "theorem sum (f : Nat → Nat) (zero : f 0 = 0) (step : ∀ n, f (n + 1) = f n + n) : ∀ n, 2 * f n + n = n * n := by sorry"
WRONG = [
    (SWAP, "by\n  intro h\n  exact h"),
    (SWAP, "by\n  intro h\n  constructor\n  skip"),
    (SWAP, "by\n  intro h\n  constructor\n  · exact h.1\n  · exact h.2"),
    (SWAP, "fun h => ⟨h.2, missing h⟩"),
    (SWAP, "by simp"),
    (SWAP, "by\n  intro h\n  rw [and_comm q p, Nat.add_comm]"),
    (LE, "by\n  exact Nat.add_le_add g h"),
    (LE, "by\n  cases a with\n  | zero => skip\n  | succ n => apply Nat.add_le_add\n"),
    (LE, "by\n  have : a ≤ d := by\n    assumption\n  induction c <;> rfl"),
    (SUM, "by\n  intro n\n  induction n with\n  | zero => exact zero\n  | succ k hypothesis =>\n    rw [step]\n    exact hypothesis"),
    (
        SUM,
        "by\n  intro n; induction n with\n  | zero => simp\n  | succ k known => rw [step, Nat.mul_comm, known, known]",
    ),
]
TEXTS = [
    *(proof for _, proof in WRONG),
    SWAP,
    LE,
    "Type mismatch\n  h\nhas type\n  p ∧ q\nbut is expected to have type\n  q ∧ p",
    "unsolved goals\ncase left\np q : Prop\nh : p ∧ q\n⊢ q",
    "Tactic `rewrite` failed: Did not find an occurrence of the pattern",
]
CODEC = codec_of(train_tokenizer(TEXTS * 4, 500, PHRASES))


@pytest.fixture(scope="module")
def found() -> Iterator[list[tuple[str, ...]]]:
    """The feedback of real Lean on the wrong proofs."""
    with Pool(workers=1) as pool:
        verdicts = pool.check_many([Check(str(i), *pair) for i, pair in enumerate(WRONG)])
    assert all(verdict.kind == "error" for verdict in verdicts)
    yield [verdict_errors(*pair, verdict) for pair, verdict in zip(WRONG, verdicts, strict=True)]


def size(text: str) -> int:
    return len(CODEC.encode_plain(text))


def cut(errors: tuple[str, ...] | list[str], room: int, codec: Codec = CODEC) -> str:
    ids = first_errors(errors, room, codec)
    assert len(ids) <= room
    return codec.decode(ids)


def goal_of(error: str) -> str:
    """The first goal of an error, or else the expected type with the line that introduces it; a reading of its own."""
    lines = error.split("\n")
    at = next((i for i, line in enumerate(lines) if line.startswith("⊢")), None)
    if at is None:
        at = next((i for i, line in enumerate(lines) if line.startswith("but is expected")), None)
    if at is None:
        return ""
    end = at + 1
    while end < len(lines) and lines[end].startswith(" "):
        end += 1
    return "\n".join(lines[at:end])


@pytest.mark.lean
def test_every_error_has_its_line_with_the_span_marked(found: list[tuple[str, ...]]) -> None:
    for errors, (_, proof) in zip(found, WRONG, strict=True):
        assert errors
        for error in errors:
            line = error.split("\n")[0]
            assert line.count(ERROR_OPEN) == line.count(ERROR_CLOSE) == 1
            assert line.replace(ERROR_OPEN, "").replace(ERROR_CLOSE, "") in proof
    assert found[0][0].startswith(f"{ERROR_OPEN}exact h{ERROR_CLOSE}\nType mismatch\n")
    assert found[1][0].startswith(f"{ERROR_OPEN}by{ERROR_CLOSE}\nunsolved goals\n")
    assert found[3][0] == f"fun h => ⟨h.2, {ERROR_OPEN}missing{ERROR_CLOSE} h⟩\nUnknown identifier `missing`"


@pytest.mark.lean
@pytest.mark.parametrize("room", [24, 28, 32, 40, 48, 64, 80, 100, 128, 180, 256, 400])
def test_line_and_goal_survive_every_budget_in_which_they_fit(found: list[tuple[str, ...]], room: int) -> None:
    kept = 0
    for errors in found:
        text = cut(errors, room)
        lines, goal = errors[0].split("\n"), goal_of(errors[0])
        if size("\n".join(filter(None, [lines[0], goal]))) <= room:
            assert text.startswith(lines[0]) and (not goal or f"\n{goal}" in text)
            kept += 1
        if size("\n".join(filter(None, [lines[0], lines[1], goal]))) <= room:
            assert text.split("\n")[1] == lines[1], "the first line of the message follows"
        if goal and goal not in text:
            assert size("\n".join([lines[0], goal])) > room
        if size("\n".join(errors)) <= room:
            assert text == "\n".join(errors)
        elif size("\n".join([errors[0], CUT, f"({len(errors)} more errors)"])) <= room:
            assert text.startswith(errors[0]), "the first error stays whole"
    assert kept >= (len(found) if room >= 64 else 2)


@pytest.mark.lean
def test_hypotheses_go_before_anything_else_and_later_errors_before_the_first(found: list[tuple[str, ...]]) -> None:
    [error] = found[6]
    whole = f"{error}\na b c d : Nat\nh : a ≤ b\ng : c ≤ d\nunused : a + b + c + d = 1000\n⊢ a + c ≤ b + d"
    without = "\n".join(line for line in whole.split("\n") if " : " not in line or "⊢" in line)
    text = cut([whole], size(f"{without}\n{CUT}") + 2)
    assert text == f"{without}\n{CUT}"
    two = cut([whole, whole], size(f"{whole}\n{without}\n{CUT}"))
    assert two == f"{whole}\n{without}\n{CUT}"
    assert cut([whole, whole, whole], size(f"{whole}\n(2 more errors)") + 1) == f"{whole}\n(2 more errors)"


def test_the_goal_is_shown_where_the_message_lacks_it() -> None:
    proof = "by\n  intro h\n  exact h"
    lacking = Message("error", 3, 2, 3, 9, "Type mismatch", "p q : Prop\nh : p ∧ q\n⊢ q ∧ p\n")
    having = Message("error", 3, 2, 3, 9, "unsolved goals\n⊢ q", "⊢ other")
    assert feedback_errors(SWAP, proof, [lacking, having]) == (
        f"{ERROR_OPEN}exact h{ERROR_CLOSE}\nType mismatch\np q : Prop\nh : p ∧ q\n⊢ q ∧ p",
        f"{ERROR_OPEN}exact h{ERROR_CLOSE}\nunsolved goals\n⊢ q",
    )


def test_places() -> None:
    proof = "by\n  have h : p := by\n    skip\n  exact h"
    column = SWAP.index(":=") + 3
    messages = [
        Message("warning", 1, 0, 1, 7, "unused"),
        Message("error", 1, column, 4, 9, "over several lines"),
        Message("error", 2, 16, 3, 8, "from the end of a line"),
        Message("error", 1, 8, 1, 16, "about the statement"),
        Message("error", 1, 0, 1, 0, "refused"),
        Message("error", 99, 0, 99, 1, "past the end"),
    ]
    assert feedback_errors(SWAP, proof, messages) == (
        f"{ERROR_OPEN}by{ERROR_CLOSE}\nover several lines",
        f"have h : p := {ERROR_OPEN}by{ERROR_CLOSE}\nfrom the end of a line",
        "about the statement",
        "refused",
        "past the end",
    )
    [one] = feedback_errors(SWAP, "by exact h", [Message("error", 1, column + 9, 1, column + 10, "unknown")])
    assert one == f"by exact {ERROR_OPEN}h{ERROR_CLOSE}\nunknown"


@pytest.mark.lean
def test_whole_declarations_are_shown_line_by_line_helpers_included() -> None:
    helper = "theorem aux (p q : Prop) (h : p ∧ q) : q :=\n  h.1\n\n"
    target = "theorem and_swap (p q : Prop) : p ∧ q → q ∧ p := by\n  intro h\n  exact ⟨aux p q h, h.3⟩"
    with Pool(workers=1) as pool:
        verdict = pool.submit(Check("x", SWAP, helper + target, helpers=True)).result()
    first, second = verdict_errors(SWAP, helper + target, verdict)
    assert first.startswith(f"{ERROR_OPEN}h.1{ERROR_CLOSE}\nType mismatch")
    assert second.startswith(f"exact ⟨aux p q h, {ERROR_OPEN}h.3{ERROR_CLOSE}⟩\n")


def test_a_rejection_without_an_error_is_explained() -> None:
    verdict = Verdict("x", False, "axiom", axioms=("propext", "sorryAx"))
    assert verdict_errors(SWAP, "by cheat", verdict) == ("The proof depends on axioms that are not allowed: sorryAx",)
    assert verdict_errors(SWAP, "rfl", Verdict("x", False, "mismatch")) == ("The proof was rejected (mismatch).",)
    assert verdict_errors(SWAP, None, None) == (NO_CODE,)
    assert verdict_errors(SWAP, "rfl", Verdict("x", True, "accepted")) == ()


def test_a_line_that_is_too_long_keeps_the_marked_span_and_the_goal() -> None:
    source = "by " + "simp only [Nat.add_comm]; " * 40 + f"{ERROR_OPEN}exact h{ERROR_CLOSE}" + "; rfl" * 40
    text = cut([f"{source}\nType mismatch\nh : p\n⊢ q ∧ p"], 60)
    assert f"{ERROR_OPEN}exact h{ERROR_CLOSE}" in text and "⊢ q ∧ p" in text and "…" in text
    endless = cut([f"exact {ERROR_OPEN}{'h ' * 900}{ERROR_CLOSE}\nType mismatch\n⊢ q"], 60)
    assert f"{ERROR_OPEN}h h h" in endless and endless.count(ERROR_CLOSE) == 1 and "⊢ q" in endless
    goal = cut([f"{ERROR_OPEN}rfl{ERROR_CLOSE}\nThe sides differ\n⊢ {'x + ' * 900}"], 60)
    assert goal.startswith(f"{ERROR_OPEN}rfl{ERROR_CLOSE}\nThe sides differ\n⊢ x + x + x") and "…" in goal


MESSAGES = st.lists(
    st.sampled_from(
        ["Type mismatch", "  h", "has type", "⊢ q ∧ p", "h : p ∧ q", "case left", "", "Note: so", "  p → q", "but is expected to have type"]
    ),
    min_size=1,
    max_size=9,
).map("\n".join)
ERRORS = st.tuples(st.sampled_from(["", f"exact {ERROR_OPEN}h{ERROR_CLOSE}\n"]), MESSAGES).map("".join)


@given(st.lists(ERRORS, min_size=1, max_size=5), st.integers(1, 120))
def test_only_whole_lines_in_order_and_what_is_left_out_is_said(errors: list[str], room: int) -> None:
    text = cut(errors, room)
    lines = text.split("\n")
    if text != "\n".join(errors):
        marks = [CUT, *(f"({n} more error{'s' * (n > 1)})" for n in range(1, len(errors) + 1))]
        assert room < 40 or lines[-1] in marks
        kept = iter("\n".join(errors).split("\n"))
        whole = [line for line in lines if line not in marks and "…" not in line]
        assert room < 24 or all(line in kept for line in whole), "a subsequence of the lines"


def test_a_long_message_is_cut_quickly() -> None:
    """Thousands of hypotheses, of which the encoder is asked about a few selections only."""
    asked = 0

    def encode(text: str) -> list[int]:
        nonlocal asked
        asked += 1
        return CODEC.encode_plain(text)

    counting = Codec(encode, encode, CODEC.decode, CODEC.token_text, CODEC.end_ids, CODEC.hash)
    error = "unsolved goals\n" + "".join(f"h{i} : p ∧ q\n" for i in range(5000)) + "⊢ q ∧ p"
    text = cut([f"{ERROR_OPEN}by{ERROR_CLOSE}\n{error}"], 200, counting)
    assert text.startswith(f"{ERROR_OPEN}by{ERROR_CLOSE}\nunsolved goals\nh0 : p ∧ q\n") and "⊢ q ∧ p" in text and asked < 60
