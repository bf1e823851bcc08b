"""Prompt template of all rounds, rendered to token ids under a token budget for each part.

The order of the parts follows OProver (arXiv 2605.17283, appendix B.1): task, retrieved proofs, previous attempt, Lean's feedback. Empty
slots hold a placeholder. Truncation is explicit: a retrieved proof is included whole or not at all, the first errors are whole and the rest
are counted, and an attempt is cut at the end of a line. The wording is ours. With a chat template, the prompt is the user message.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from lean_worker.protocol import Message
from oprover_jax.data.codec import Codec
from oprover_jax.errors import InputError
from oprover_jax.records import ProofRecord, Statement

FENCE, FENCE_END = "```lean4\n", "\n```"
TASK = "Prove this theorem in Lean 4. Give a short plan, then the proof in one code block; mend the previous attempt if there is one.\n"
REFERENCES = "\nReference theorems and proofs:\n"
ATTEMPT = "\nPrevious failed attempt:\n"
FEEDBACK = "\nLean feedback:\n"
ANSWER = "\nAnswer:\n"
NONE = "(none)"
PLAN = "Plan:"
ERROR_OPEN, ERROR_CLOSE = "<error>", "</error>"
CUT = "-- (cut)"
PHRASE_ROOM = 16  # tokens reserved for the fixed phrases, each of which is one token in a fitted tokenizer

PHRASES = (TASK, REFERENCES, ATTEMPT, FEEDBACK, ANSWER, NONE, PLAN, FENCE, FENCE_END, ERROR_OPEN, ERROR_CLOSE)

_NAME = re.compile(r"^(\s*(?:theorem|lemma)\s+)(\S+)")


@dataclass(frozen=True)
class Budget:
    """Maximum number of tokens of each part of a prompt.

    If statement, attempt and feedback are long, fewer references are included, so that the whole prompt with its fixed phrases has at most
    `prompt` tokens.
    """

    prompt: int = 4096
    statement: int = 1024
    references: int = 2048
    attempt: int = 1024
    feedback: int = 1024

    def __post_init__(self) -> None:
        for name in ("statement", "references", "attempt", "feedback"):
            if getattr(self, name) < 1:
                raise ValueError(f"budget.{name} is {getattr(self, name)}; it must be at least 1 token")
        least = self.statement + self.attempt + self.feedback + PHRASE_ROOM
        if self.prompt < least:
            raise ValueError(
                f"budget.prompt is {self.prompt}; statement, attempt, feedback and fixed phrases may take {least} tokens, so raise it"
            )


def budget_within(prompt: int) -> Budget:
    """Return a budget of `prompt` tokens in total, with half for references and a fifth for each other part."""
    return Budget(prompt, statement=prompt // 5, references=prompt // 2, attempt=prompt // 5, feedback=prompt // 5)


@dataclass(frozen=True)
class State:
    """Input of one round: X_t = (statement, retrieved proofs, previous attempt, Lean's feedback as one string per error)."""

    statement: Statement
    retrieved: tuple[ProofRecord, ...] = ()
    attempt: str = ""
    feedback: tuple[str, ...] = ()


@dataclass(frozen=True)
class Template:
    """Template that renders states to prompts and proofs to answers.

    Raises:
      InputError: `budget.prompt` is too small for the fixed phrases with this tokenizer.
    """

    codec: Codec = field(repr=False)
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        phrases = (TASK + FENCE, FENCE_END + REFERENCES, NONE, ATTEMPT, FEEDBACK)
        opening, closing = self._turn
        fixed = len(opening) + sum(len(self.codec.encode_plain(phrase)) for phrase in phrases) + len(closing)
        least = fixed + self.budget.statement + self.budget.attempt + self.budget.feedback
        if self.budget.prompt < least:
            raise InputError(
                f"budget.prompt is {self.budget.prompt}; with this tokenizer statement, attempt, feedback and fixed phrases may take "
                f"{least} tokens, so raise it"
            )

    @cached_property
    def _turn(self) -> tuple[Sequence[int], Sequence[int]]:
        """Token ids before and after all parts: the markers of a user turn, or the phrase that precedes the answer."""
        return self.codec.turn if self.codec.template else ((), self.codec.encode_plain(ANSWER))

    def prompt(self, state: State) -> list[int]:
        """Return the token ids of the prompt; raise ValueError if the statement exceeds its budget, because it is never truncated."""
        encode, budget, (opening, closing) = self.codec.encode_plain, self.budget, self._turn
        statement = self._statement(state.statement)
        if len(statement) > budget.statement:
            raise ValueError(f"statement {state.statement.name} has {len(statement)} tokens; the budget allows {budget.statement}")
        before = [*opening, *encode(TASK + FENCE), *statement, *encode(FENCE_END + REFERENCES)]
        after = [
            *encode(ATTEMPT),
            *self._first_lines(state.attempt or NONE, budget.attempt),
            *encode(FEEDBACK),
            *self._first_errors(state.feedback or (NONE,), budget.feedback),
            *closing,
        ]
        room = min(budget.references, budget.prompt - len(before) - len(after))
        return [*before, *self._references(state.retrieved, room), *after]

    def fits(self, statement: Statement) -> bool:
        """Return True if the statement is within its budget; statements that are not count as not proved."""
        return len(self._statement(statement)) <= self.budget.statement

    def _statement(self, statement: Statement) -> list[int]:
        """Return the header and the statement; a header that does not fit is omitted as a whole, as Lean always receives it."""
        alone = self.codec.encode_plain(shown(statement.formal))
        whole = [*self.codec.encode_plain(statement.header), *alone] if statement.header else alone
        return whole if len(whole) <= self.budget.statement else alone

    def answer(self, proof: str) -> list[int]:
        """Return the token ids of a well-formed answer with `proof`, including the end token."""
        return [*self.codec.encode_plain(answer_text(proof)), self.codec.end_ids[0]]

    def _references(self, retrieved: Sequence[ProofRecord], room: int) -> list[int]:
        """Return whole proofs, nearest first; a proof that does not fit is dropped, never truncated."""
        out: list[int] = []
        for record in retrieved:
            ids = self.codec.encode_plain(shown(stated_proof(record.statement.formal, record.proof)) + "\n")
            if len(out) + len(ids) <= room:
                out += ids
        return out or self.codec.encode_plain(NONE)

    def _first_errors(self, errors: Sequence[str], room: int) -> list[int]:
        """Return as many whole errors as fit and the number of the others; if the first does not fit, its first lines."""
        encode = self.codec.encode_plain
        best = encode("\n".join(errors))
        if len(best) <= room:
            return best
        best = self._first_lines(errors[0], room, "\n" + _and_more(len(errors) - 1) if len(errors) > 1 else "")
        for count in range(1, len(errors)):
            ids = encode("\n".join([*errors[:count], _and_more(len(errors) - count)]))
            if len(ids) > room:
                break
            best = ids
        return best

    def _first_lines(self, text: str, room: int, ending: str = "") -> list[int]:
        """Return `text` and `ending` if they fit; else its first lines, a truncation marker and `ending`; a line too long is cut."""
        encode = self.codec.encode_plain
        whole = encode(text + ending)
        if len(whole) <= room:
            return whole
        lines, ending = text.split("\n"), f"\n{CUT}{ending}"
        count = bisect_right(range(1, len(lines)), room, key=lambda n: len(encode("\n".join(lines[:n]) + ending)))
        if count:
            return encode("\n".join(lines[:count]) + ending)
        tail = encode(ending)
        head = encode(lines[0])[: max(room - len(tail), 0)]
        while head and self.codec.decode(head).endswith("\ufffd"):  # half a character
            head.pop()
        return [*head, *tail][:room]


def _and_more(errors: int) -> str:
    return f"({errors} more {'error' if errors == 1 else 'errors'})"


def answer_text(proof: str) -> str:
    """Return the text of an answer: a plan (the tactics in order) and one code block."""
    return f"{PLAN} {plan_of(proof)}\n{FENCE}{proof}{FENCE_END}"


def plan_of(proof: str) -> str:
    """Return the distinct tactics of a proof in order of appearance, or `term` for a proof term."""
    if not proof.lstrip().startswith("by"):
        return "term"
    steps = re.findall(r"(?:\bby\b|\n|;|·|=>|<;>)\s*([a-z][A-Za-z_']*)", proof)
    return " ".join(dict.fromkeys(step for step in steps if step not in ("by", "fun"))) or "term"


def shown(text: str) -> str:
    """Return a declaration as the policy sees it, with the name of the theorem replaced because it carries no information."""
    return _NAME.sub(r"\1goal", text)


def stated_proof(formal: str, proof: str) -> str:
    """Return the declaration with `proof` in place of its `sorry`."""
    head = re.sub(r":=\s*(?:by\s+)?sorry\s*$", "", formal)
    return head + proof.lstrip() if proof.lstrip().startswith((":=", "|")) else head + ":= " + proof


def feedback_errors(formal: str, proof: str, messages: Sequence[Message]) -> tuple[str, ...]:
    """Return Lean's errors in order, each as the source line with the span marked, followed by Lean's message.

    For a span over several lines, the first line is shown. An error about the whole proof or the statement has no source line.
    """
    whole = stated_proof(formal, proof)
    start = len(whole) - len(proof.lstrip())
    first, lead = whole.count("\n", 0, start) + 1, start - (whole.rfind("\n", 0, start) + 1)
    lines = proof.lstrip().split("\n")
    errors = []
    for message in messages:
        if message.severity != "error":
            continue
        at = message.line - first
        shift = lead if at == 0 else 0
        column, on_one_line = message.column - shift, message.end_line == message.line
        if 0 <= at < len(lines) and column >= 0 and (on_one_line or (at, column) != (0, 0)):
            line = lines[at]
            end = message.end_column - shift if on_one_line else len(line)
            source = f"{line[:column]}{ERROR_OPEN}{line[column:end]}{ERROR_CLOSE}{line[end:]}".strip()
            errors.append(f"{source}\n{message.text.strip()}")
        else:
            errors.append(message.text.strip())
    return tuple(errors)
