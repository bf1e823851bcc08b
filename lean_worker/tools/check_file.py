"""Check of a .lean file: reads it, and prints the verdict on each theorem, Lean's messages, the holes with their goals, and a summary."""

import codecs
from collections import Counter
from pathlib import Path
from typing import Literal

import msgspec

from lean_worker.errors import LeanWorkerError
from lean_worker.files import FileReport, FileTheorem, Span
from lean_worker.pool import Pool
from lean_worker.protocol import NO_VERDICT, Message

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_State = Literal["accepted", "wrong", "with a hole", "with another axiom", "without a verdict"]
_STATES: tuple[_State, ...] = ("accepted", "wrong", "with a hole", "with another axiom", "without a verdict")


class SourceError(LeanWorkerError):
    """A file that cannot be read; the message names it and the remedy."""


def read_source(path: Path) -> str:
    """Return the text of a .lean file. Raises SourceError if it cannot be read or is not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; give a readable file") from error
    if content.startswith(_UTF16):
        raise SourceError(f"{path}: the file is UTF-16, and Lean reads only UTF-8; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError(f"{path}:{line}: byte {error.start} is not valid UTF-8; save the file as UTF-8") from error


def check_file(path: Path, pool: Pool, as_json: bool = False) -> int:
    """Check a file, print the result, and return the exit code.

    The code is 0 if everything is accepted, 1 if something is not, and 2 if there is no verdict or nothing to check.

    Args:
        path: the .lean file.
        pool: the Lean to check it with.
        as_json: whether to print the whole report as one line of JSON instead.

    Raises:
        SourceError: the file cannot be read.
    """
    report = pool.read_file(read_source(path)).result()
    if as_json:
        print(msgspec.json.encode(report).decode())
    else:
        for line in lines(path, report):
            print(line)
    if report.kind in NO_VERDICT or (report.kind == "accepted" and not report.theorems):
        return 2
    return 0 if report.kind == "accepted" else 1


def lines(path: Path, report: FileReport) -> list[str]:
    """Return what is printed about a file: one entry for each theorem, message, hole and piece without a theorem, in the file's order."""
    if report.kind in NO_VERDICT or report.kind == "forbidden":
        return [f"{path}:{message.line}:{message.column}: no verdict ({report.kind}): {message.text}" for message in report.messages]
    holed = {hole.theorem for hole in report.holes}
    entries = [
        ((theorem.span.line, theorem.span.column, 0), _theorem(path, theorem, number in holed))
        for number, theorem in enumerate(report.theorems)
    ]
    entries += [((message.line, message.column, 1), _message(path, message)) for message in report.messages]
    for hole in report.holes:
        goal = f"\n{_indented(hole.goal)}" if hole.goal else ""
        entries.append(((hole.span.line, hole.span.column, 2), f"{_place(path, hole.span)}: hole{goal}"))
    for piece in report.unread:
        words = "not read: Lean found no theorem in this piece of text, although it contains `theorem`, `lemma` or `example`"
        entries.append(((piece.line, piece.column, 3), f"{_place(path, piece)}: {words}"))
    return [*(text for _, text in sorted(entries, key=lambda entry: entry[0])), f"{path}: {summary(report)}"]


def summary(report: FileReport) -> str:
    """Return how many theorems of a file are accepted, and what stands in the way of the others, in one line."""
    if report.kind in NO_VERDICT or report.kind == "forbidden":
        return f"no verdict ({report.kind})"
    holed = {hole.theorem for hole in report.holes}
    counts = Counter(_state(theorem, number in holed) for number, theorem in enumerate(report.theorems))
    text = _count(len(report.theorems), "theorem")
    if report.theorems:
        text += ": " + ", ".join(f"{counts[state]} {state}" for state in _STATES if counts[state])
    owned = {message for theorem in report.theorems for message in theorem.messages}
    outside = [
        _count(sum(message.severity == "error" and message not in owned for message in report.messages), "error"),
        _count(sum(hole.theorem is None for hole in report.holes), "hole"),
    ]
    outside = [words for words in outside if not words.startswith("0 ")]
    text += f"; {', '.join(outside)} outside" if outside else ""
    text += f"; {_count(len(report.unread), 'piece')} of text not read" if report.unread else ""
    return text if report.theorems or outside or report.unread else f"{text}; there is nothing to check"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _state(theorem: FileTheorem, has_hole: bool) -> _State:
    if theorem.accepted:
        return "accepted"
    if theorem.kind in NO_VERDICT:
        return "without a verdict"
    if theorem.kind == "error":
        return "wrong"
    return "with a hole" if has_hole or "sorryAx" in theorem.axioms else "with another axiom" if theorem.axioms else "wrong"


def _theorem(path: Path, theorem: FileTheorem, has_hole: bool) -> str:
    state = _state(theorem, has_hole)
    word = "accepted" if state == "accepted" else "no verdict" if state == "without a verdict" else "rejected"
    why: str = "hole" if state == "with a hole" else theorem.kind
    why += f": {', '.join(theorem.axioms)}" if state == "with another axiom" else ""
    return f"{_place(path, theorem.span)}: {theorem.name or theorem.keyword}: {word}" + ("" if word == "accepted" else f" ({why})")


def _message(path: Path, message: Message) -> str:
    first, *rest = message.text.split("\n")
    return "\n".join([f"{path}:{message.line}:{message.column}: {message.severity}: {first}", *(f"  {line}" for line in rest)])


def _place(path: Path, span: Span) -> str:
    return f"{path}:{span.line}:{span.column}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
