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

from oprover_jax.agent.feedback import CUT, ERROR_CLOSE, ERROR_OPEN, first_errors, head_of_line
from oprover_jax.data.codec import Codec
from oprover_jax.errors import InputError
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.statements.declarations import (
    GOAL,
    begins_with_command,
    is_declaration,
    named_goal,
    names_of,
    renamed,
    stated_proof,
)

FENCE, FENCE_END = "```lean4\n", "\n```"
TASK = "Prove this theorem in Lean 4. Give a short plan, then the proof in one code block; mend the previous attempt if there is one.\n"
REFERENCES = "\nReference theorems and proofs:\n"
ATTEMPT = "\nPrevious failed attempt:\n"
FEEDBACK = "\nLean feedback:\n"
ANSWER = "\nAnswer:\n"
NONE = "(none)"
PLAN = "Plan:"
PHRASE_ROOM = 16  # tokens reserved for the fixed phrases, each of which is one token in a fitted tokenizer

PHRASES = (TASK, REFERENCES, ATTEMPT, FEEDBACK, ANSWER, NONE, PLAN, FENCE, FENCE_END, ERROR_OPEN, ERROR_CLOSE)


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
            *self._first_lines(shown_attempt(state.statement.formal, state.attempt) or NONE, budget.attempt),
            *encode(FEEDBACK),
            *first_errors(state.feedback or (NONE,), budget.feedback, self.codec),
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
        header = statement.header.rstrip()
        whole = [*self.codec.encode_plain(f"{header}\n\n"), *alone] if header else alone
        return whole if len(whole) <= self.budget.statement else alone

    def answer(self, proof: str) -> list[int]:
        """Return the token ids of a well-formed answer with `proof`, including the end token."""
        return [*self.codec.encode_plain(answer_text(proof)), self.codec.end_ids[0]]

    def _references(self, retrieved: Sequence[ProofRecord], room: int) -> list[int]:
        """Return whole proofs, nearest first; a proof that does not fit is dropped, never truncated."""
        out: list[int] = []
        for record in retrieved:
            ids = self.codec.encode_plain(shown_proof(record.statement.formal, record.proof) + "\n")
            if len(out) + len(ids) <= room:
                out += ids
        return out or self.codec.encode_plain(NONE)

    def _first_lines(self, text: str, room: int) -> list[int]:
        """Return `text` if it fits, else its first lines and a truncation marker; a line too long is cut."""
        encode = self.codec.encode_plain
        whole = encode(text)
        if len(whole) <= room:
            return whole
        lines, ending = text.split("\n"), f"\n{CUT}"
        count = bisect_right(range(1, len(lines)), room, key=lambda n: len(encode("\n".join(lines[:n]) + ending)))
        return encode("\n".join(lines[:count]) + ending) if count else head_of_line(lines[0], [CUT], room, self.codec)


def answer_text(proof: str) -> str:
    """Return the text of an answer: a plan (the tactics in order) and one code block."""
    return f"{PLAN} {plan_of(proof)}\n{FENCE}{proof}{FENCE_END}"


def plan_of(proof: str) -> str:
    """Return the distinct tactics of a proof in order of appearance, or `term` for a proof term."""
    if not proof.lstrip().startswith("by") and not is_declaration(proof):
        return "term"
    steps = re.findall(r"(?:\bby\b|\n|;|·|=>|<;>)\s*([a-z][A-Za-z_']*)", proof)
    return " ".join(dict.fromkeys(step for step in steps if step not in ("by", "fun") and not begins_with_command(step))) or "term"


def shown(formal: str) -> str:
    """Return a statement as the policy sees it, with the name of the theorem replaced because it carries no information."""
    return named_goal(formal)


def shown_proof(formal: str, proof: str) -> str:
    """Return a theorem with its proof as the policy sees it; whole declarations stand as they are, with the theorem's name replaced."""
    return shown_attempt(formal, proof) if is_declaration(proof) else stated_proof(shown(formal), proof)


def shown_attempt(formal: str, proof: str) -> str:
    """Return a proof alone as the policy sees it: in whole declarations, the theorem has the name of the prompt."""
    return renamed(proof, names_of(formal), GOAL) if is_declaration(proof) else proof
