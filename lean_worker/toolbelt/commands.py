"""Commands of the toolbelt, without their options for Lean: each reads a file, prints a report and returns the exit code."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lean_worker.files import FileReport, FileTheorem
from lean_worker.pool import Pool
from lean_worker.protocol import Message
from lean_worker.source import read_text
from lean_worker.statement import StatementError
from lean_worker.toolbelt.asking import PoolLean, ToolError, errors, plain, was_read
from lean_worker.toolbelt.disprove import Refutation, disprove
from lean_worker.toolbelt.goals import goals, holes, parse_position
from lean_worker.toolbelt.lemmas import lemmas
from lean_worker.toolbelt.lint import lint
from lean_worker.toolbelt.probes import Subject, find_subjects

T = TypeVar("T")

_CLEAN, _FOUND, _NO_ANSWER = 0, 1, 2


def show_goals(pool: Pool, path: Path, places: Sequence[str], as_json: bool) -> int:
    """Print the goals at `LINE:COLUMN` positions of a file; exit code 2 if Lean gives no answer."""
    positions = [parse_position(place) for place in places]
    if not positions:
        raise ToolError("no position is given; add one such as 3:2")
    report = _run(goals(PoolLean(pool), read_text(path), positions))
    if as_json:
        _print_json(report)
    else:
        for each in report.goals:
            print(f"{path}:{each.line}:{each.column}:")
            print(_indented(each.goal or "no goal: no tactic stands here"))
        _print_errors(path, report.messages)
    return _NO_ANSWER if not was_read(report.kind) else _CLEAN


def show_holes(pool: Pool, path: Path, as_json: bool) -> int:
    """Print every hole of a file with its goal; exit code 1 if there is one, 2 if Lean gives no answer."""
    report = _run(holes(PoolLean(pool), read_text(path)))
    if as_json:
        _print_json(report)
    else:
        for hole in report.holes:
            print(f"{path}:{hole.line}:{hole.column}: {hole.theorem or 'hole'} ({hole.kind})")
            print(_indented(hole.goal or "the goal is unknown: Lean did not get here"))
        _print_errors(path, report.messages)
        print(f"{len(report.holes)} holes")
    return _NO_ANSWER if not was_read(report.kind) else _FOUND if report.holes else _CLEAN


def show_lemmas(pool: Pool, path: Path, haves: bool, as_json: bool) -> int:
    """Print the holes or `have`s of a file as lemmas; exit code 1 if one cannot be stated, 2 if Lean gives no answer."""
    report = _run(lemmas(PoolLean(pool), read_text(path), haves))
    if as_json:
        _print_json(report)
    else:
        for lemma in report.lemmas:
            print(f"-- {path}:{lemma.line}:{lemma.column}: {lemma.within}" + (f": not stated: {lemma.problem}" if lemma.problem else ""))
            if lemma.statement:
                print(f"{lemma.statement.removesuffix(' := by sorry')} {lemma.proof}" if lemma.proof else lemma.statement, end="\n\n")
        if not was_read(report.kind):
            _print_errors(path, report.messages)
    return _NO_ANSWER if not was_read(report.kind) else _FOUND if any(lemma.problem for lemma in report.lemmas) else _CLEAN


def show_lint(pool: Pool, path: Path, as_json: bool) -> int:
    """Print the smells of a file's theorems; exit code 1 if there is one, 2 if Lean gives no answer or a theorem was not examined."""
    report = _run(lint(PoolLean(pool), read_text(path)))
    unexamined = sum(bool(theorem.problem) for theorem in report.theorems)
    smells = sum(len(theorem.smells) for theorem in report.theorems)
    if as_json:
        _print_json(report)
    else:
        for theorem in report.theorems:
            name = theorem.theorem or "example"
            for smell in theorem.smells:
                line, column = (theorem.line, theorem.column) if smell.line is None else (smell.line, smell.column)
                print(f"{path}:{line}:{column}: {name}: {smell.code}: {smell.message}")
            if theorem.problem:
                print(f"{path}:{theorem.line}:{theorem.column}: {name}: not examined: {theorem.problem}")
        if report.clean is None:
            _print_errors(path, report.messages)
        print(f"{len(report.theorems)} theorems, {smells} smells" + (f", {unexamined} not examined" if unexamined else ""))
    return _NO_ANSWER if report.clean is None or unexamined else _FOUND if smells else _CLEAN


def show_refutations(pool: Pool, path: Path, theorem: str | None, proof: Path | None, as_json: bool) -> int:
    """Try to disprove the theorem of that name, or each theorem of a file that is not proved, and print the results.

    Exit code 1 if one is disproved, 2 if one is unreadable or Lean gives no answer.
    """
    text = plain(read_text(path))
    lean = PoolLean(pool)
    report = _run(lean.read(text, holes=True))
    if not was_read(report.kind):
        _print_errors(path, report.messages)
        return _NO_ANSWER
    chosen = _chosen(path, report, theorem)
    candidate = read_text(proof) if proof else ""
    if candidate and len(chosen) != 1:
        raise ToolError(f"--proof: the file has {len(chosen)} theorems without proof; choose one by --theorem")
    code, subjects = _CLEAN, find_subjects(text, report)
    for number in chosen:
        each, subject = report.theorems[number], subjects[number]
        if isinstance(subject, StatementError):
            result = Refutation("unreadable", messages=(Message("error", 1, 0, 1, 0, str(subject)),))
        else:
            result = _run(disprove(lean, *_apart(text, subject), candidate))
        if as_json:
            print(msgspec.json.encode({"theorem": each.name, **msgspec.to_builtins(result)}).decode())
        else:
            _print_refutation(path, each, result)
        code = max(code, {"disproved": _FOUND, "not disproved": _CLEAN}.get(result.outcome or "", _NO_ANSWER))
    return code


def _apart(text: str, subject: Subject) -> tuple[str, str]:
    """Return a theorem's statement and what precedes it."""
    lead = " " * subject.statement.column
    return f"{lead}{subject.statement.text.rstrip()} := by sorry", text[: subject.begin]


def _chosen(path: Path, report: FileReport, name: str | None) -> list[int]:
    if name is None:
        with_hole = {hole.theorem for hole in report.holes}
        found = [number for number, each in enumerate(report.theorems) if number in with_hole or not each.accepted]
        if not found:
            raise ToolError(f"{path}: every theorem is proved; name one by --theorem")
        return found
    found = [number for number, each in enumerate(report.theorems) if name in (each.name, each.name.rpartition(".")[2])]
    if len(found) != 1:
        raise ToolError(f"--theorem: {path} has {len(found)} theorems of the name {name!r}; give the full name of one")
    return found


def _print_refutation(path: Path, theorem: FileTheorem, result: Refutation) -> None:
    where = f"{path}:{theorem.span.line}:{theorem.span.column}: {theorem.name or 'example'}"
    print(f"{where}: {result.outcome or 'no answer'}" + (f" ({result.tactic})" if result.tactic else ""))
    if result.outcome == "disproved":
        print(_indented(f"¬ type_of% @{theorem.name or 'example'}{result.levels} := {result.proof}"))
    for message in result.messages:
        print(_indented(message.text))


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _print_json(report: msgspec.Struct) -> None:
    print(msgspec.json.encode(report).decode())


def _print_errors(path: Path, messages: Sequence[Message]) -> None:
    for message in errors(messages):
        print(f"{path}:{message.line}:{message.column}: error: {message.text}")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.split("\n"))
