"""Holes of a file, stated and filled under Lean's eyes: each new text is read as a whole before it counts."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lean_worker.errors import LeanWorkerError
from lean_worker.extract import Extracted, NotStated, extract
from lean_worker.files import FileReport, Hole
from lean_worker.holes import Edit, command_of, edited, mending
from lean_worker.protocol import ALLOWED_AXIOMS, NO_VERDICT
from lean_worker.splice import fill_hole
from lean_worker.statement import without_module

_OPTIONS = ("pp.analyze true", "pp.proofs true", "pp.deepTerms true", "pp.maxSteps 100000", "pp.numericTypes true")
_DETAILED = "".join(f"set_option {option}\n" for option in _OPTIONS)
_LONGEST_REASON = 160
_PROBE = "no proof, but a question whether Lean comes here"


@runtime_checkable
class Reader(Protocol):
    """Interface to let Lean read a file, such as `lean_worker.pool.Pool`."""

    def read_file(self, text: str) -> Future[FileReport]: ...


@dataclass(frozen=True)
class OpenFile:
    """A text and what Lean says about it. `edits` take its errors away: the text before a command, edited, may be a header."""

    text: str
    report: FileReport
    edits: tuple[Edit, ...] = ()

    def header(self, hole: Hole) -> str:
        """Return the text before the command that contains a hole, without errors."""
        return without_module(edited(self.text, list(self.edits), command_of(self.report, hole, self.text)[0]))

    def errors(self, hole: Hole) -> list[str]:
        """Return the errors in the command that contains a hole."""
        start, end = command_of(self.report, hole, self.text)
        first, last = (self.text.count("\n", 0, at) + 1 for at in (start, end))
        return [each.text for each in self.report.messages if each.severity == "error" and first <= each.line <= last]


def open_file(reader: Reader, text: str, name: str = "the file") -> OpenFile:
    """Let Lean read a text. Raises LeanWorkerError if Lean gives no answer, or the text may not be passed to it."""
    report = reader.read_file(text).result()
    if report.kind in NO_VERDICT or report.kind == "statement":
        message = report.messages[0] if report.messages else None
        reason = message.text.splitlines()[0] if message else f"Lean gave no answer ({report.kind})"
        remedy = "; raise the time limit" if report.kind == "timeout" else ""
        raise LeanWorkerError(f"{name}:{message.line if message else 1}: {reason}{remedy}")
    return _mended(reader, text, report)


def _mended(reader: Reader, text: str, report: FileReport) -> OpenFile:
    return OpenFile(text, report, tuple(mending(report, text, lambda changed: reader.read_file(changed).result())))


def state_hole(reader: Reader, file: OpenFile, hole: Hole) -> Extracted:
    """Return the goal of a hole as a theorem that Lean accepts before its command, and by which it closes the hole.

    If the goal as printed has another meaning, for example since types of numerals are left out, a detailed print is tried.

    Raises:
        NotStated: there is no such theorem.
    """
    start, _ = command_of(file.report, hole, file.text)
    reason = ""
    for goal in (hole.goal, None):
        if goal is None and not (goal := _detailed_goal(reader, file, hole)):
            break
        stated = extract(file.report, hole, file.text, file.header(hole), goal)
        closed = fill_hole(file.text, hole, stated.opening, f"by {stated.call}")[-1]
        report = reader.read_file(f"{closed[:start]}{stated.statement}\n\n{closed[start:]}").result()
        errors = _new_errors(file.report, report)
        if report.kind not in NO_VERDICT and not errors:
            return stated
        if any("is not a proposition" in error for error in errors):
            raise NotStated("its goal is data, not a proposition; write that term yourself")
        reason = reason or (short(errors[0]) if errors else f"Lean gave no answer ({report.kind})")
    raise NotStated(f"its goal cannot be stated alone ({reason})")


def is_reached(reader: Reader, file: OpenFile, hole: Hole) -> bool:
    """Return whether Lean elaborates a hole, so that it would report a wrong proof there, although its command may have errors."""
    if not file.errors(hole):
        return True
    report = reader.read_file(fill_hole(file.text, hole, (), f'by fail "{_PROBE}"')[-1]).result()
    return any(_PROBE in message.text for message in report.messages)


def _detailed_goal(reader: Reader, file: OpenFile, hole: Hole) -> str:
    """Return the goal of a hole in a print that leaves less out, or an empty text."""
    first = file.report.commands[0].start if file.report.commands else 0
    report = reader.read_file(file.text[:first] + _DETAILED + file.text[first:]).result()
    same = next((each for each in report.holes if each.span.start == hole.span.start + len(_DETAILED)), None)
    return same.goal if same is not None and same.goal != hole.goal else ""


def fill(reader: Reader, file: OpenFile, hole: Hole, texts: Iterable[str]) -> tuple[OpenFile | None, str]:
    """Return the first of several texts in which a hole is filled and nothing is worse, and otherwise why the first one is not."""
    reason = ""
    for text in texts:
        report = reader.read_file(text).result()
        wrong = _worse(file.report, report)
        if not wrong:
            return _mended(reader, text, report) if file.edits else OpenFile(text, report), ""
        reason = reason or wrong
    return None, reason


def short(text: str) -> str:
    """Return a message as one line, cut if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} …"


def _new_errors(old: FileReport, new: FileReport) -> list[str]:
    texts = [Counter(message.text for message in report.messages if message.severity == "error") for report in (old, new)]
    return list(texts[1] - texts[0])


def _worse(old: FileReport, new: FileReport) -> str:
    """Return why a text is not an improvement with one hole fewer, in one phrase, or an empty text."""
    if new.kind in NO_VERDICT:
        return f"Lean gave no answer ({new.kind})"
    if errors := _new_errors(old, new):
        return short(errors[0])
    if len(new.holes) != len(old.holes) - 1:
        return f"it leaves {len(new.holes)} holes of {len(old.holes)}"
    known = _by_name(old)
    for name, theorems in _by_name(new).items():
        for number, (kind, axioms) in enumerate(theorems):
            before = known[name][number] if number < len(known.get(name, ())) else ("accepted", frozenset[str]())
            if extra := axioms - before[1] - ALLOWED_AXIOMS:
                return f"{name} would depend on {', '.join(sorted(extra))}"
            if before[0] == "accepted" and kind != "accepted":
                return f"{name} would not be accepted any more"
    return "" if all(len(theorems) <= len(_by_name(new).get(name, ())) for name, theorems in known.items()) else "a theorem would be lost"


def _by_name(report: FileReport) -> dict[str, list[tuple[str, frozenset[str]]]]:
    found: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for theorem in report.theorems:
        found.setdefault(theorem.name or theorem.keyword, []).append((theorem.kind, frozenset(theorem.axioms)))
    return found
