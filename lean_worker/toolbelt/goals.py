"""Goals of a file: at any position, and at every hole."""

from collections.abc import Sequence

import msgspec

from lean_worker.files import HoleKind, line_starts
from lean_worker.protocol import Kind, Message
from lean_worker.toolbelt.asking import Lean, ToolError, plain


class FilePosition(msgspec.Struct, frozen=True):
    """A position in a file: `line` from 1, `column` from 0 in code points."""

    line: int
    column: int


class GoalAt(msgspec.Struct, frozen=True):
    """The goals at a position as Lean prints them; "no goals" behind a finished proof, and empty where no tactic stands."""

    line: int
    column: int
    goal: str


class GoalsReport(msgspec.Struct, frozen=True):
    """Goals in the order of the positions. `kind` and `messages` are Lean's result for the whole file, as in a file report."""

    kind: Kind
    goals: tuple[GoalAt, ...]
    messages: tuple[Message, ...] = ()
    seconds: float = 0.0


class HoleAt(msgspec.Struct, frozen=True):
    """A `sorry` or `admit` from `line` and `column` to `end_line` and `end_column`. `theorem` is the theorem's full name, or empty."""

    line: int
    column: int
    end_line: int
    end_column: int
    kind: HoleKind
    goal: str
    theorem: str = ""


class HolesReport(msgspec.Struct, frozen=True):
    """Holes in the order of the file. `kind` and `messages` are Lean's result for the whole file, as in a file report."""

    kind: Kind
    holes: tuple[HoleAt, ...]
    messages: tuple[Message, ...] = ()
    seconds: float = 0.0


def parse_position(text: str) -> FilePosition:
    """Return the position that `LINE:COLUMN` names. Raises ToolError for anything else."""
    line, _, column = text.partition(":")
    if not (line.isdecimal() and column.isdecimal() and len(text) < 20):
        raise ToolError(f"position {text!r} is not LINE:COLUMN; give numbers such as 3:2, lines from 1 and columns from 0")
    return FilePosition(int(line), int(column))


def offset_of(text: str, position: FilePosition) -> int:
    """Return the offset of a position in code points. Raises ToolError if the file has no such line or column."""
    starts = line_starts(text)
    if not 1 <= position.line <= len(starts):
        raise ToolError(f"position {position.line}:{position.column}: the file has lines 1 to {len(starts)}; give one of them")
    start = starts[position.line - 1]
    end = starts[position.line] - 1 if position.line < len(starts) else len(text)
    if not 0 <= position.column <= end - start:
        raise ToolError(f"position {position.line}:{position.column}: the line has columns 0 to {end - start}; give one of them")
    return start + position.column


async def goals(lean: Lean, text: str, positions: Sequence[FilePosition]) -> GoalsReport:
    """Return the goals at positions of a file. Raises ToolError for a position that the file does not have."""
    text = plain(text)
    report = await lean.read(text, [offset_of(text, position) for position in positions])
    found = report.goals or ("",) * len(positions)
    shown = tuple(GoalAt(position.line, position.column, goal) for position, goal in zip(positions, found, strict=True))
    return GoalsReport(report.kind, shown, report.messages, report.seconds)


async def holes(lean: Lean, text: str) -> HolesReport:
    """Return every `sorry` and `admit` of a file, with its goal."""
    report = await lean.read(plain(text), holes=True)
    found = []
    for hole in report.holes:
        span, owner = hole.span, "" if hole.theorem is None else report.theorems[hole.theorem].name
        found.append(HoleAt(span.line, span.column, span.end_line, span.end_column, hole.kind, hole.goal, owner))
    return HolesReport(report.kind, tuple(found), report.messages, report.seconds)
