"""Whole files, read by Lean: the verdict on each theorem, the holes with their goals, and the goals at any position.

Lean elaborates the text once, as it is; nothing is split, moved or rewritten.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

import msgspec

from lean_worker.kinds import kind_of_axioms, ran_out
from lean_worker.protocol import Kind, Message, Severity
from lean_worker.statement import uncommented

HoleKind = Literal["tactic", "term"]
_WORDS = re.compile(r"(?<![\w.'!?])(?:theorem|lemma|example)(?![\w.'!?])")
_SORRY = re.compile("declaration uses ['`]sorry['`]")


@dataclass(frozen=True)
class FileQuestion:
    """A file without its imports.

    `tactics`: whether all tactics with their goals are. `seconds` limits the time for the whole file; with None, only the pool's limit for
    each theorem counts.
    """

    text: str
    positions: tuple[int, ...] = ()
    holes: bool = True
    tactics: bool = False
    seconds: float | None = None

    @property
    def theorems(self) -> int:
        """About how many theorems there are, for the time limit: each is given the time of one check."""
        return count_theorems(self.text)

    def limit(self, seconds: float) -> float:
        """Return the time limit of the file, given that of one check."""
        most = seconds * max(1, self.theorems)
        return most if self.seconds is None else min(most, self.seconds)


def count_theorems(text: str) -> int:
    """Return about how many theorems a text contains, in linear time: the words that begin one, outside of comments."""
    return len(_WORDS.findall(uncommented(text)))


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


class TacticStep(msgspec.Struct, frozen=True):
    """A tactic with the goals before and after it, and the tactics inside. `span` is None if it does not stand in the text.

    `kind` is Lean's name of the syntax. `synthetic`: a macro made it; `grouping`: it only groups others.
    """

    kind: str
    span: Span | None
    synthetic: bool
    grouping: bool
    before: tuple[str, ...]
    after: tuple[str, ...]
    within: tuple["TacticStep", ...]


class FileReport(msgspec.Struct, frozen=True):
    """What Lean says about a file. `kind` is "accepted" if there is no error, no hole, and every theorem is proved; else "error".

    With "forbidden" the file was refused before Lean saw it; with "timeout", "crash", "unavailable" or "unreadable" there is no verdict.
    `messages` then say why; otherwise they are all of Lean's messages, in the coordinates of the file. `goals` are those at the positions
    that were asked for, empty where there are none; `tactics` only if they were asked for. `unread` are the pieces of text that contain a
    word such as `theorem`, but in which Lean did not find a theorem, for example behind `#exit`; a file with such a piece is not accepted.
    `commands` are its commands in order, each with its documentation and prefixes.
    """

    kind: Kind
    messages: tuple[Message, ...] = ()
    theorems: tuple[FileTheorem, ...] = ()
    holes: tuple[Hole, ...] = ()
    unread: tuple[Span, ...] = ()
    goals: tuple[str, ...] = ()
    tactics: tuple[TacticStep, ...] = ()
    seconds: float = 0.0
    commands: tuple[Span, ...] = ()


class _Offsets:
    """Conversion of Lean's byte offsets to code points, lines and columns, in logarithmic time."""

    def __init__(self, text: str) -> None:
        self.starts = line_starts(text)
        # where each character ends, in bytes
        self.ends = None if text.isascii() else list(accumulate(len(character.encode()) for character in text))

    def point(self, offset: int) -> int:
        return offset if self.ends is None else bisect_right(self.ends, offset)

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
    offsets = _Offsets(question.text)
    messages = read_messages(answer["messages"])
    owners = [message["command"] for message in answer["messages"]]
    theorems = tuple(_theorem(each, offsets, messages, owners) for each in answer["theorems"])
    unread = tuple(offsets.span(start, end) for start, end in sorted([*answer["unclear"], *_gaps(question.text, answer["commands"])]))
    holes = tuple(
        Hole(offsets.span(each["start"], each["end"]), each["kind"], each["goal"] or "", each["theorem"]) for each in answer["holes"]
    )
    failed = any(message.severity == "error" or _SORRY.match(message.text) for message in messages)
    kind: Kind = "error" if failed or holes or unread or not all(theorem.accepted for theorem in theorems) else "accepted"
    tactics = tuple(_tactic(each, offsets) for each in answer["tactics"])
    commands = tuple(offsets.span(start, end) for start, end in answer["commands"] if start < end)
    goals = tuple(goal or "" for goal in answer["goals"])
    return FileReport(kind, messages, theorems, holes, unread, goals, tactics, commands=commands)


def _tactic(found: dict[str, Any], offsets: _Offsets) -> TacticStep:
    span = None if found["start"] is None else offsets.span(found["start"], found["end"])
    within = tuple(_tactic(each, offsets) for each in found["within"])
    return TacticStep(found["kind"], span, found["synthetic"], found["grouping"], tuple(found["before"]), tuple(found["after"]), within)


def _gaps(text: str, commands: list[list[int]]) -> list[tuple[int, int]]:
    """Return the pieces between commands that contain a word such as `theorem` outside of comments, as offsets in bytes."""
    source, at, found = text.encode(), 0, []
    for start, end in [*commands, [len(source)] * 2]:
        piece = uncommented(source[at:start].decode(errors="replace")) if start > at else ""
        if _WORDS.search(piece):
            lead = len(piece[: len(piece) - len(piece.lstrip())].encode())
            found.append((at + lead, at + len(piece.rstrip().encode())))
        at = max(at, end)
    return found


def _theorem(found: dict[str, Any], offsets: _Offsets, messages: tuple[Message, ...], owners: list[int]) -> FileTheorem:
    span = offsets.span(found["start"], found["end"])
    own = tuple(message for message, owner in zip(messages, owners, strict=True) if owner == found["command"])
    kind, axioms = file_kind(found["axioms"], own)
    return FileTheorem(found["name"], found["keyword"], span, offsets.point(found["value"]), kind, axioms, own)


def file_kind(axioms: list[str] | None, messages: tuple[Message, ...]) -> tuple[Kind, tuple[str, ...]]:
    """Return the verdict on a theorem of a file from Lean's messages about it and its axioms, None if it was not declared."""
    if axioms is None or any(message.severity == "error" for message in messages):
        return "heartbeats" if ran_out(messages) else "error", ()
    return kind_of_axioms(axioms), tuple(axioms)
