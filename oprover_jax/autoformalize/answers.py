"""What a formalizer and a critic wrote, read: one theorem out of a code block, one score out of a judgement."""

import re
from dataclasses import dataclass

from lean_worker.lexer import tokens
from lean_worker.source import SourceError, declarations
from lean_worker.statement import StatementError, split_statement
from oprover_jax.agent.answer import code_blocks

_THOUGHT = re.compile(r"\A.*</think>", re.S)
_SCORE = re.compile(r"^[ \t]*[*_]*Score[*_]*[ \t]*:[*_ \t]*(\d+(?:\.\d+)?)(?:[ \t]*/[ \t]*10)?[*_. \t]*$", re.I | re.M)
_OPEN = re.compile(r"^open[ \t].*$", re.M)
_DROPPED = ("import", "set_option")  # ours stand in the header


class NotATheorem(ValueError):
    """The answer holds no statement; the text is the reason, in a few words that are counted."""


@dataclass(frozen=True)
class Theorem:
    """`formal` begins with `theorem` and ends in `:= by sorry`; `opens` are the `open` lines before it."""

    name: str
    formal: str
    opens: tuple[str, ...]


def read_theorem(answer: str) -> Theorem:
    """The one theorem of the last code block; a proof that comes with it is dropped, as are its imports and options.

    Raises NotATheorem: for an answer without a code block, and a block that holds none or several, or declares anything else.
    """
    blocks = code_blocks(_THOUGHT.sub("", answer))
    if not blocks:
        raise NotATheorem("no code block")
    code = blocks[-1].strip("\n") + "\n"
    try:
        found = declarations(code)
    except SourceError as error:
        raise NotATheorem("not Lean text") from error
    if len(found) != 1:
        raise NotATheorem("no theorem" if not found else "several theorems")
    [declaration] = found
    other = [*_commands(declaration.header), *_commands(code[declaration.end :])]
    if any(word not in ("open", *_DROPPED) for word in other):
        raise NotATheorem("more than a theorem")
    try:
        statement = split_statement(declaration.statement)
    except StatementError as error:
        raise NotATheorem("not a statement") from error
    name = statement.name if statement.name != "example_" else "statement"
    return Theorem(name, f"theorem {name}{statement.after.rstrip()} := by sorry", tuple(_OPEN.findall(declaration.header)))


def read_score(judgement: str) -> float | None:
    """The last line `Score: N` as a number in [0, 1]; None where there is none, or N is over 10."""
    found = _SCORE.findall(_THOUGHT.sub("", judgement))
    score = float(found[-1]) / 10 if found else None
    return score if score is not None and score <= 1 else None


def _commands(text: str) -> list[str]:
    """The words at the margin of text that holds whole commands, comments left out."""
    return [token.text for token in tokens(text) if token.start == 0 or text[token.start - 1] == "\n"]
