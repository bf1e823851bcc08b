"""Reads whole files with a language server: their theorems with axioms, their holes, and goals, as the fork backend does.

A file is elaborated as it is, with one message for each command, and once more with an audit behind each theorem.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from lean_worker.document import Raw
from lean_worker.file_audit import audit, found_in, with_tactics
from lean_worker.file_commands import AS_PLAIN_LEAN, Outline, Places, find_holes, outline, places
from lean_worker.files import FileQuestion, FileReport, read_report

_Hole = tuple[int, int, str, str | None]  # start, end, kind, goal


class Server(Protocol):
    """What is needed of a server: to elaborate a text, and to answer requests about it. Both raise LimitReached and WorkerLost."""

    def elaborate(self, text: str, seconds: float) -> list[Raw]:
        """Return Lean's messages about a text, which follows the imports, with their lines in that text."""
        ...

    def ask(self, method: str, line: int, column: int) -> Any:
        """Return the answer to a request about a position of that text: line from 1, column in code points."""
        ...


def read_file(server: Server, file: FileQuestion, seconds: float, label: str) -> FileReport:
    """Return the report on a file. Raises LimitReached and WorkerLost.

    Args:
        server: the server.
        file: the file.
        seconds: wall-clock limit of each elaboration.
        label: the beginning of names that the file does not contain.
    """

    def elaborate(text: str) -> list[Raw]:
        return server.elaborate(text, seconds)

    plain = outline(elaborate, file.text)  # in its texts, which the server answers about next, one line stands before the file
    holes = _holes(server, plain, file.holes)
    inside = [any(start <= at <= end for start, end in plain.commands) for at in file.positions]
    goals = [_goal(server, plain.where, at) if within else None for at, within in zip(file.positions, inside, strict=True)]
    axioms = audit(elaborate, plain, label)
    if file.holes:
        holes = _with_terms(server, file.text, seconds, holes)
    return read_report(file, found_in(plain, axioms, holes, goals))


def _goal(server: Server, where: Places, offset: int) -> str | None:
    """Return the goals at an offset as an editor shows them, or None if no tactic stands there. One line stands before the text."""
    line, column = where.line_column(offset)
    answer = server.ask("$/lean/plainGoal", line + 1, column)
    return None if answer is None else "\n\n".join(answer["goals"]) or "no goals"


def _holes(server: Server, file: Outline, show: bool) -> list[_Hole]:
    """Return the holes; goals of terms come later."""
    found: list[_Hole] = []
    for token, looks_like_tactic in find_holes(file.text, file.commands):
        line, column = file.where.line_column(token.start)
        term = server.ask("$/lean/plainTermGoal", line + 1, column) is not None
        goal = None if term else _goal(server, file.where, token.start)
        tactic = not term and (goal is not None or looks_like_tactic)
        found.append((token.start, token.end, "tactic" if tactic else "term", goal if show and tactic else None))
    return found


def _with_terms(server: Server, text: str, seconds: float, holes: Sequence[_Hole]) -> list[_Hole]:
    """Return the holes with the goals of those that stand for terms, from a copy in which they are tactic blocks."""
    terms = [(start, end) for start, end, kind, _ in holes if kind == "term"]
    if not terms:
        return list(holes)
    copy, offsets = with_tactics(text, terms)
    server.elaborate(f"{AS_PLAIN_LEAN}\n{copy}", seconds)
    where, moved = places(copy), dict(zip(terms, offsets, strict=True))
    return [(start, end, kind, goal if kind == "tactic" else _goal(server, where, moved[start, end])) for start, end, kind, goal in holes]
