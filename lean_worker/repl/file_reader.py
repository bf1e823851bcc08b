"""Reads whole files with a REPL: their theorems with axioms, and their holes with the goals that the REPL reports for each `sorry`.

Differences from other backends: the REPL reports one goal for a hole where several are open, and none for `admit`; and it cannot report
goals at other positions.
"""

from collections.abc import Callable
from typing import Any

from lean_worker.document import Raw
from lean_worker.file_audit import audit, found_in
from lean_worker.file_commands import find_holes, outline, places
from lean_worker.files import FileQuestion, FileReport, read_report
from lean_worker.protocol import Message

_NO_POSITIONS = (
    "the backend repl cannot report goals at positions; ask only for holes, or use embedded-fork, embedded-server or language-server"
)


def read_file(elaborate: Callable[[str], dict[str, Any]], file: FileQuestion, label: str) -> FileReport:
    """Return the report on a file; goals at positions are beyond a REPL, and the report then says so. Raises what `elaborate` raises.

    Args:
        elaborate: returns the REPL's answer about a text, with its messages as `lean --json` prints them.
        file: the file.
        label: the beginning of names that the file does not contain.
    """
    if file.positions:
        return FileReport("unreadable", (Message("error", 1, 0, 1, 0, _NO_POSITIONS),))
    goals: dict[int, str] = {}

    def messages(text: str) -> list[Raw]:
        answer = elaborate(text)
        for each in answer.get("sorries", []) if text.endswith(file.text) else ():
            at = where.offset({"line": each["pos"]["line"] - 1, "column": each["pos"]["column"]})
            goals.setdefault(at, each["goal"])
        return list(answer["messages"])

    where = places(file.text)
    plain = outline(messages, file.text)
    holes = []
    for token, looks_like_tactic in find_holes(file.text, plain.commands):
        goal = goals.get(token.start)
        tactic = looks_like_tactic or (goal or "").startswith("case ")
        holes.append((token.start, token.end, "tactic" if tactic else "term", goal if file.holes else None))
    return read_report(file, found_in(plain, audit(messages, plain, label), holes))
