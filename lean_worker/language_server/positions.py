"""Positions in a text as a server counts them, and positions at which to ask it for the goal of a tactic."""

import re
from collections.abc import Sequence

_BEGINS = re.compile(r"(?:^\s*(?:\|.*?=>|(?:case|next)\b.*?=>|·)|^|\bby\b|;|<;>)\s*(?=\S)")
_RULES = re.compile(r"\b(?:rw|rwa|rewrite|erw|simp_rw|nth_rw|nth_rewrite)\b[^\[]*\[[^\]]*$")
_OPENS = re.compile(r"(?:\bby|\bwith|\bfirst|=>|:=|[·;])\s*$")


def code_point_column(line: str, units: int) -> int:
    """Return the column in code points of a column in UTF-16 units."""
    if line.isascii():
        return min(units, len(line))
    return len(line.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "ignore"))


def utf16_column(line: str, column: int) -> int:
    """Return the column in UTF-16 units of a column in code points."""
    return column if line.isascii() else len(line[:column].encode("utf-16-le", "surrogatepass")) // 2


def tactic_start(lines: Sequence[str], line: int, column: int) -> tuple[int, int]:
    """Return where the tactic seems to begin in which a position lies; behind its beginning a server shows the goal after it.

    Args:
        lines: the lines of the text.
        line: the position's line, from 0; the result counts likewise.
        column: the position's column, in code points.

    Returns:
        The position itself for a rule of a rewriting tactic, since Lean knows the goal before each.
    """
    before = lines[line][:column]
    if _RULES.search(before):
        return line, column
    begins = [match.end() for match in _BEGINS.finditer(lines[line], 0, column + 1) if match.end() <= column]
    if len(begins) > 1 or line == 0:
        return line, max(begins, default=column)
    indent = _indent(lines[line])
    for above in range(line - 1, -1, -1):
        if lines[above].strip() and _indent(lines[above]) < indent:
            continued = not _OPENS.search(lines[above].rstrip())
            return tactic_start(lines, above, len(lines[above].rstrip())) if continued else (line, max(begins, default=column))
    return line, max(begins, default=column)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
