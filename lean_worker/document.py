"""Lays several checks out in one Lean document, and reads Lean's messages back as one answer per check.

For each check the harness writes: the statement as a declaration of its own, closed by `sorry`; the candidate, which is the same statement
text closed by the proof; a judge of the first one's type proved by the second; and the axiom audit of the judge. A candidate that changed
the statement fails to prove the judge, and a proof counts only where Lean printed the audit of that judge.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lean_worker.candidate import Candidate
from lean_worker.protocol import Message, Severity
from lean_worker.statement import Statement

_FULL_NAMES = "set_option pp.fullNames true"
_AUDIT = re.compile(r"'([^']*)' (?:does not depend on any axioms|depends on axioms: \[([^\]]*)\])\s*", re.S)


@dataclass(frozen=True)
class Slot:
    """The place of one check in a document: lines count from 1, `end` is its last, `last_column` the candidate's width there."""

    statement: Statement
    candidate: Candidate | None
    label: str
    judge: str
    stub_line: int
    helpers_line: int
    candidate_line: int
    last_column: int
    judge_line: int
    end: int


@dataclass(frozen=True)
class Document:
    """A text for Lean and where its checks stand in it. `marker` is printed once per finished check and cannot be guessed."""

    text: str
    marker: str
    header_end: int
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class Answer:
    """What Lean said about one slot. `axioms` is None where the audit was not reached."""

    statement_errors: tuple[Message, ...] = ()
    messages: tuple[Message, ...] = ()
    axioms: tuple[str, ...] | None = None

    @property
    def failed(self) -> bool:
        """Whether Lean reported an error about the candidate."""
        return any(message.severity == "error" for message in self.messages)


class _Writer:
    def __init__(self, text: str) -> None:
        self.parts = [text]
        self.line = text.count("\n") + 1

    def add(self, text: str) -> int:
        """Append whole lines; the line on which they begin."""
        begins = self.line
        self.parts.append(text)
        self.line += text.count("\n")
        return begins


def _start(opening: str, header: str) -> str:
    return opening + (header.rstrip("\n") + "\n" if header.strip() else "")


def _declare(writer: _Writer, statement: Statement, label: str, ending: str) -> int:
    namespace = statement.namespace
    if namespace:
        # each on a line of its own: Lean would measure the indentation of the proof against what stands at the margin
        writer.add(f"namespace {namespace}\nend {namespace}\nopen {namespace} in\n")
    return writer.add(f"{statement.before}{label}.{statement.name}{statement.after}{ending}\n")


def _close(proof: str) -> str:
    """How the proof continues the statement: the harness writes `:=` itself, but before match alternatives, which stand without."""
    body = proof.strip()
    if not body.startswith("|"):
        term = (body.removeprefix(":=") if body.startswith(":=") else proof.rstrip()).lstrip(" \t")
        return f":={term}" if term.startswith("\n") else f":= {term}"
    indents = [len(line) - len(line.lstrip()) for line in body.split("\n")[1:] if line.lstrip().startswith("|")]
    return "\n" + " " * min(indents, default=2) + body


def write_document(opening: str, header: str, items: Sequence[tuple[Statement, Candidate | None]], nonce: str) -> Document:
    """One document for all items, a statement and its candidate, or None to ask only whether the statement elaborates.

    `opening` is what stands before every header: prelude and imports, in whole lines.
    `nonce` must be fresh and secret: it keeps one candidate from naming what belongs to another. Equal statements that follow each
    other are elaborated once.
    """
    writer = _Writer(_start(opening, header))
    header_end = writer.line - 1
    slots: list[Slot] = []
    stub: tuple[Statement, str, int] | None = None
    for index, (statement, candidate) in enumerate(items):
        if stub is None or stub[0] != statement:
            label = f"Statement{index}_{nonce}"
            stub = (statement, label, _declare(writer, statement, label, ":= sorry"))
        _, stub_label, stub_line = stub
        label, judge = f"Candidate{index}_{nonce}", f"Judge{index}_{nonce}"
        helpers_line = writer.line
        if candidate is not None and candidate.helpers:
            writer.add(f"namespace {label}\n{candidate.helpers}end {label}\n")
        candidate_line = writer.line if candidate is None else _declare(writer, statement, label, _close(candidate.body))
        last_column = len(writer.parts[-1].removesuffix("\n").rpartition("\n")[2])
        proved_by = "sorry" if candidate is None else f"@{label}.{statement.name}"
        judge_line = writer.add(f"theorem {judge} : type_of% @{stub_label}.{statement.name} := {proved_by}\n")
        end = writer.add(f"{_FULL_NAMES} in #print axioms {judge}\n")
        slots.append(Slot(statement, candidate, label, judge, stub_line, helpers_line, candidate_line, last_column, judge_line, end))
    return Document("".join(writer.parts), nonce, header_end, tuple(slots))


def write_module(opening: str, header: str, statement: Statement, candidate: Candidate | None, label: str) -> str:
    """A module of its own: header and statement, under the name `label.name`, closed by the candidate, or by `sorry` for None."""
    writer = _Writer(_start(opening, header))
    if candidate is not None and candidate.helpers:
        writer.add(f"namespace {label}\n{candidate.helpers}end {label}\n")
    _declare(writer, statement, label, ":= sorry" if candidate is None else _close(candidate.body))
    return "".join(writer.parts)


def _in_header(raw: dict[str, Any], header_end: int) -> Message:
    """A message about the header: its last line is line 0, the one before the statement's first."""
    begin, end = raw["pos"], raw.get("endPos") or raw["pos"]
    return Message("error", begin["line"] - header_end, begin["column"], end["line"] - header_end, end["column"], raw["data"])


def _located(raw: dict[str, Any], slot: Slot, begins: int, nonce: str) -> Message:
    """Lean's message in the coordinates of statement and proof written one behind the other."""
    last = slot.judge_line - 1
    statement = slot.statement
    longer = len(slot.label) + 1 + len(statement.before.rpartition("\n")[2]) + len(statement.name) - statement.column

    def place(position: dict[str, int]) -> tuple[int, int]:
        line, column = position["line"], position["column"]
        if line > last:
            line, column = last, slot.last_column
        relative = line - begins + 1
        if relative == statement.line:
            column = max(0, column - longer)
        if relative < 1:  # in a helper: the line that ends their namespace is not the candidate's
            return relative + 1, column
        return relative, column

    line, column = place(raw["pos"])
    end_line, end_column = max((line, column), place(raw.get("endPos") or raw["pos"]))
    text = re.sub(rf"(?:Statement|Candidate|Judge)\d+_{nonce}\.?", "", raw["data"])
    # `theorem` cannot stand in a candidate: it is the judge's, behind the end of the proof
    text = text.replace("unexpected token 'theorem'", "unexpected end of input", 1)
    severity: Severity = raw["severity"] if raw["severity"] in ("error", "warning") else "information"
    return Message(severity, line, column, end_line, end_column, text)


def _audit(raw: Sequence[dict[str, Any]], slot: Slot) -> tuple[str, ...] | None:
    for message in raw:
        match = _AUDIT.fullmatch(message["data"]) if message["pos"]["line"] == slot.end else None
        if match and match[1].rpartition(".")[2] == slot.judge and message["severity"] == "information":
            return tuple(name.strip() for name in match[2].split(",")) if match[2] else ()
    return None


def read_answers(document: Document, raw: Sequence[dict[str, Any]]) -> list[Answer]:
    """One answer per slot, from Lean's messages, complete or not."""
    header = tuple(_in_header(m, document.header_end) for m in raw if m["pos"]["line"] <= document.header_end and m["severity"] == "error")
    if header:
        return [Answer(statement_errors=header)] * len(document.slots)
    answers = []
    for slot in document.slots:
        stub_end = slot.stub_line + slot.statement.before.count("\n") + slot.statement.after.count("\n")
        stub = [m for m in raw if slot.stub_line <= m["pos"]["line"] <= stub_end and m["severity"] == "error"]
        own = [m for m in raw if slot.helpers_line <= m["pos"]["line"] < slot.judge_line]
        judge = [m for m in raw if slot.judge_line <= m["pos"]["line"] <= slot.end and m["severity"] == "error"]
        failed = any(m["severity"] == "error" for m in own)
        spilled = judge if not failed else []
        begins = slot.stub_line if slot.candidate is None else slot.candidate_line
        answers.append(
            Answer(
                statement_errors=tuple(_located(m, slot, slot.stub_line, document.marker) for m in stub),
                messages=tuple(_located(m, slot, begins, document.marker) for m in own + spilled),
                axioms=_audit(raw, slot),
            )
        )
    return answers
