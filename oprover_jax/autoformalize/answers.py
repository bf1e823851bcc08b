"""Parsing of model answers: one theorem from the code block of a formalizer, one score from the judgement of a critic."""

import re
from dataclasses import dataclass

from lean_worker.lexer import tokens
from lean_worker.source import SourceError, declarations
from lean_worker.statement import StatementError, split_statement
from oprover_jax.agent.answer import code_blocks, without_thoughts

_SCORE = re.compile(r"^[ \t]*[*_]*Score[*_]*[ \t]*:[*_ \t]*(\d+(?:\.\d+)?)(?:[ \t]*/[ \t]*10)?[*_. \t]*$", re.I | re.M)
_OPEN = re.compile(r"^open[ \t].*$", re.M)
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
        declared = declarations(code)
    except SourceError as error:
        raise NotATheorem("not Lean text") from error
    if len(declared) != 1:
        raise NotATheorem("no theorem" if not declared else "several theorems")
    [declaration] = declared
    commands = [*_commands(declaration.header), *_commands(code[declaration.end :])]
    if any(word not in ("open", *_DROPPED) for word in commands):
        raise NotATheorem("more than a theorem")
    try:
        statement = split_statement(declaration.statement)
    except StatementError as error:
        raise NotATheorem("not a statement") from error
    name = statement.name if statement.name != "example_" else "statement"
    return Theorem(name, f"theorem {name}{statement.after.rstrip()} := by sorry", tuple(_OPEN.findall(declaration.header)))


def read_score(judgement: str) -> float | None:
    """Return the last line `Score: N` as a number in [0, 1]; None if there is none or N exceeds 10."""
    scores = _SCORE.findall(without_thoughts(judgement))
    score = float(scores[-1]) / 10 if scores else None
    return score if score is not None and score <= 1 else None


def _commands(text: str) -> list[str]:
    """Return the words at the left margin of a text of whole commands, ignoring comments."""
    return [token.text for token in tokens(text) if token.start == 0 or text[token.start - 1] == "\n"]
