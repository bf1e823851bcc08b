"""Decoder for a server's semantic tokens: which words of a text Lean highlights, and how."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class SemanticToken(NamedTuple):
    """A highlighted token: line from 1, column in code points, its text, and its kind."""

    line: int
    column: int
    text: str
    kind: str


def semantic_tokens(answer: Mapping[str, Any] | None, legend: Sequence[str], lines: Sequence[str]) -> list[SemanticToken]:
    """Return the tokens of an answer to `textDocument/semanticTokens/full`, in order.

    Args:
        answer: the answer, whose `data` has five numbers for each token: lines and units after the one before, length, kind, modifiers.
        legend: names of the kinds, as the server announced them.
        lines: the lines of the text.
    """
    data = (answer or {}).get("data", [])
    found: list[SemanticToken] = []
    line = units = 0
    for down, right, length, kind, _ in zip(*(data[start::5] for start in range(5)), strict=True):
        line, units = line + down, right if down else units + right
        text = lines[line] if line < len(lines) else ""
        column, end = code_point_column(text, units), code_point_column(text, units + length)
        found.append(SemanticToken(line + 1, column, text[column:end], legend[kind] if kind < len(legend) else ""))
    return found


def code_point_column(line: str, units: int) -> int:
    """Return the column in code points of a column in UTF-16 units."""
    if line.isascii():
        return min(units, len(line))
    return len(line.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "ignore"))


def utf16_column(line: str, column: int) -> int:
    """Return the column in UTF-16 units of a column in code points."""
    return column if line.isascii() else len(line[:column].encode("utf-16-le", "surrogatepass")) // 2
