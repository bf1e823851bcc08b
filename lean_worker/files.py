"""Whole files, read by Lean: the verdict on each theorem, the holes with their goals, and the goals at any position.

Lean elaborates the text once, as it is; nothing is split, moved or rewritten.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from lean_worker.protocol import ALLOWED_AXIOMS, Kind, Message, Severity

HoleKind = Literal["tactic", "term"]


@dataclass(frozen=True)
class FileQuestion:
    """A file without its imports. `positions` are offsets in code points at which goals are wanted; `holes`: whether those of holes are."""

    text: str
    positions: tuple[int, ...] = ()
    holes: bool = True

    @property
    def theorems(self) -> int:
        """About how many theorems there are, for the time limit: each is given the time of one check."""
        return sum(self.text.count(word) for word in ("theorem", "lemma", "example"))


class Span(msgspec.Struct, frozen=True):
    """A piece of a file: lines from 1, columns from 0 and offsets `start` and `end`, all in code points."""

    line: int
    column: int
    end_line: int
    end_column: int
    start: int
    end: int


class FileTheorem(msgspec.Struct, frozen=True):
    """A theorem, lemma or example of a file and its verdict. `name` is the full name, or empty for an example.

    `span` is the declaration without documentation, attributes and modifiers; `proof` is the offset of its `:=` or first alternative.
    """

    name: str
    keyword: str
    span: Span
    proof: int
    kind: Kind
    axioms: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()

    @property
    def accepted(self) -> bool:
        return self.kind == "accepted"


class Hole(msgspec.Struct, frozen=True):
    """A `sorry` or `admit`. `goal` is what Lean wants there, or empty if it never came so far; `theorem` is the index of its theorem."""

    span: Span
    kind: HoleKind
    goal: str = ""
    theorem: int | None = None


class FileReport(msgspec.Struct, frozen=True):
    """What Lean says about a file. `kind` is "accepted" if it has no error, every theorem is proved and there is no hole; "error" otherwise.

    With "timeout", "crash", "unavailable" or "unreadable" there is no verdict, and `messages` say why. `goals` are those at the positions
    that were asked for, empty where there are none. `messages` holds all of Lean's messages, in the coordinates of the file; `commands`
    are its commands in order, each with its documentation and prefixes.
    """

    kind: Kind
    messages: tuple[Message, ...] = ()
    theorems: tuple[FileTheorem, ...] = ()
    holes: tuple[Hole, ...] = ()
    goals: tuple[str, ...] = ()
    seconds: float = 0.0
    commands: tuple[Span, ...] = ()


@dataclass(frozen=True)
class _Offsets:
    """Conversion of Lean's byte offsets to code points, lines and columns."""

    text: str
    starts: list[int] = field(default_factory=list)

    def point(self, offset: int) -> int:
        return len(self.text.encode()[:offset].decode(errors="ignore"))

    def span(self, start: int, end: int) -> Span:
        first, last = self.point(start), self.point(end)
        (line, column), (end_line, end_column) = self._place(first), self._place(last)
        return Span(line, column, end_line, end_column, first, last)

    def _place(self, point: int) -> tuple[int, int]:
        line = bisect_right(self.starts, point)
        return line, point - self.starts[line - 1]


def line_starts(text: str) -> list[int]:
    """Return the offset of each line."""
    starts = [0]
    for line in text.split("\n")[:-1]:
        starts.append(starts[-1] + len(line) + 1)
    return starts


def read_messages(raw: list[dict[str, Any]]) -> tuple[Message, ...]:
    """Return Lean's messages in the coordinates of the file."""
    found = []
    for each in raw:
        begin, end = each["pos"], each.get("endPos") or each["pos"]
        severity: Severity = each["severity"] if each["severity"] in ("error", "warning") else "information"
        found.append(Message(severity, begin["line"], begin["column"], end["line"], end["column"], each["data"]))
    return tuple(found)


def read_report(question: FileQuestion, answer: dict[str, Any]) -> FileReport:
    """Return the report on a file from what `embedded.file_reader` found."""
    offsets = _Offsets(question.text, line_starts(question.text))
    messages = read_messages(answer["messages"])
    commands = [offsets.span(start, end) for start, end in answer["commands"]]
    theorems = tuple(_theorem(each, offsets, messages, commands) for each in answer["theorems"])
    holes = tuple(
        Hole(offsets.span(each["start"], each["end"]), each["kind"], each["goal"] or "", each["theorem"]) for each in answer["holes"]
    )
    failed = any(message.severity == "error" for message in messages)
    kind: Kind = "accepted" if not failed and not holes and all(theorem.accepted for theorem in theorems) else "error"
    goals = tuple(goal or "" for goal in answer["goals"])
    return FileReport(kind, messages, theorems, holes, goals, commands=tuple(commands))


def _theorem(found: dict[str, Any], offsets: _Offsets, messages: tuple[Message, ...], commands: list[Span]) -> FileTheorem:
    span = offsets.span(found["start"], found["end"])
    whole = next((command for command in commands if command.start <= span.start < command.end), span)
    first, last = (whole.line, whole.column), (whole.end_line, whole.end_column)
    own = tuple(message for message in messages if first <= (message.line, message.column) <= last)
    kind, axioms = file_kind(found["axioms"], own)
    return FileTheorem(found["name"], found["keyword"], span, offsets.point(found["value"]), kind, axioms, own)


def file_kind(axioms: list[str] | None, messages: tuple[Message, ...]) -> tuple[Kind, tuple[str, ...]]:
    """Return the verdict on a theorem of a file from Lean's messages about it and its axioms, None if it was not declared."""
    if axioms is None or any(message.severity == "error" for message in messages):
        return "error", ()
    if not ALLOWED_AXIOMS.issuperset(axioms):
        return "axiom", tuple(axioms)
    return "accepted", tuple(axioms)
