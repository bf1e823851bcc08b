"""Parsing of model answers: one theorem from the code block of a formalizer, one score from the judgement of a critic."""

import re
from dataclasses import dataclass

from lean_worker.candidate import split_candidate
from lean_worker.lexer import LexError, tokens
from lean_worker.proof_filter import COMMANDS
from lean_worker.statement import StatementError, split_statement
from oprover_jax.agent.answer import code_blocks, without_thoughts

_SCORE = re.compile(r"^[ \t]*[*_]*Score[*_]*[ \t]*:[*_ \t]*(\d+(?:\.\d+)?)(?:[ \t]*/[ \t]*10)?[*_. \t]*$", re.I | re.M)
_OPEN = re.compile(r"^open[ \t].*$", re.M)
_THEOREMS = ("theorem", "lemma", "example")
_HOLES = ("sorry", "admit", "sorryAx")
_MORE = "more than a theorem"
_DROPPED = ("import", "set_option")  # the configured header provides these


class NotATheorem(ValueError):
    """Error for an answer that contains no statement; the message is a short reason that is counted in the funnel."""


@dataclass(frozen=True)
class Theorem:
    """Parsed theorem. `formal` begins with `theorem` and ends in `:= by sorry`; `opens` holds the `open` lines before it."""

    name: str
    formal: str
    opens: tuple[str, ...]


def read_theorem(answer: str) -> Theorem:
    """Return the theorem in the last code block, without its proof, imports and options.

    Raises:
      NotATheorem: There is no code block, or it contains no theorem, several theorems or other declarations.
    """
    blocks = code_blocks(without_thoughts(answer))
    if not blocks:
        raise NotATheorem("no code block")
    code = blocks[-1].strip("\n") + "\n"
    try:
        start, end = _proof(code)
        statement = split_statement(f"{code[:start]} := by sorry")
        commands = [*_commands(statement.context), *(word for word in _commands(code[start:end]) if word in COMMANDS or word == "#")]
        if any(token.text in _HOLES for token in tokens(statement.text)):
            raise NotATheorem("not a statement")
    except LexError as error:
        raise NotATheorem("not Lean text") from error
    except StatementError as error:
        raise NotATheorem("not a statement") from error
    if statement.declarer not in _THEOREMS:
        raise NotATheorem("no theorem")
    if any(word in _THEOREMS for word in commands):
        raise NotATheorem("several theorems")
    if code[end:].strip() or any(word not in ("open", *_DROPPED) for word in commands):
        raise NotATheorem(_MORE)
    name = statement.name if statement.named else "statement"
    return Theorem(name, f"theorem {name}{statement.after.rstrip()} := by sorry", tuple(_OPEN.findall(statement.context)))


def _proof(code: str) -> tuple[int, int]:
    """Return where the proof of the last declaration begins and ends. Raises LexError, or NotATheorem if there is none."""
    candidate = split_candidate(code)
    if candidate.line == 0:
        raise NotATheorem("no theorem")
    lines = code.split("\n")
    start = sum(len(line) + 1 for line in lines[: candidate.line - 1]) + candidate.column
    return start, start + len(candidate.body)


def read_score(judgement: str) -> float | None:
    """Return the last line `Score: N` as a number in [0, 1]; None if there is none or N exceeds 10."""
    scores = _SCORE.findall(without_thoughts(judgement))
    score = float(scores[-1]) / 10 if scores else None
    return score if score is not None and score <= 1 else None


def _commands(text: str) -> list[str]:
    """Return the words at the left margin of a text of whole commands, ignoring comments."""
    return [token.text for token in tokens(text) if token.start == 0 or text[token.start - 1] == "\n"]
