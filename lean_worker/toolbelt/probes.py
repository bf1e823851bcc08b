"""Probes: theorems that are inserted before the theorems of a file to ask Lean about their statements.

The statement stands before its probes closed by `sorry`, without attributes and in a namespace of its own; a probe mentions only its type,
as `type_of%`, so no statement is written again. What Lean says about a probe is its verdict and the goal at its end.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lean_worker.document import Document, Raw, located, write_document
from lean_worker.files import FileReport, FileTheorem, line_starts
from lean_worker.lexer import LexError, Token, tokens
from lean_worker.protocol import Message
from lean_worker.statement import Statement, StatementError, split_statement
from lean_worker.toolbelt.asking import Lean, errors

_SCOPES = frozenset({"mutual", "namespace", "section"})
_Lines = tuple[int, int]  # after the first, up to the second

PROBE_HEARTBEATS = 400  # thousands, like `maxHeartbeats`; a probe that needs more is taken to fail
_SORRY = re.compile(r"\bsorry\s*\Z")


@dataclass(frozen=True)
class Probe:
    """Theorem before a theorem of the file: `id` for the caller, `name` in Lean. If the text ends in `sorry`, its goal is wanted."""

    id: str
    name: str
    text: str


@dataclass(frozen=True)
class Subject:
    """A theorem of a file, to be probed. Its declaration begins at offset `begin` and column `column`.

    `line` is the line of the file at which the text that `statement` was read from begins, less 1.
    """

    theorem: FileTheorem
    statement: Statement
    document: Document
    begin: int
    line: int

    @property
    def known_as(self) -> str:
        """The term that names the statement in a probe."""
        return f"@{self.document.stub_name}.{self.statement.name.removeprefix('_root_.')}"

    def probe(self, id: str, tactics: str, options: Sequence[str] = (), levels: str = "") -> Probe:
        """Return a probe that proves the statement by tactics, one per line, under options. `levels` are universe levels such as `.{0}`."""
        name = f"{id}_{self.document.nonce}"
        scope = "".join(f"set_option {option} in\n" for option in (f"maxHeartbeats {PROBE_HEARTBEATS}", *options))
        block = "".join(f"\n  {line}" for line in tactics.split("\n"))
        return Probe(id, name, f"{scope}theorem {name} : type_of% {self.known_as}{levels} := by{block}\n")

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column in the file of an offset in the declaration."""
        before = self.statement.text[:offset]
        column = offset - (before.rfind("\n") + 1) + (0 if "\n" in before else self.statement.column)
        return self.line + self.statement.line + before.count("\n"), column

    def lift(self, message: Message, lines: int) -> Message:
        """Return a message about the stub, which stands `lines` lines down in the text that was read, in the coordinates of the file."""
        position = {"line": message.line - lines, "column": message.column}
        end = {"line": message.end_line - lines, "column": message.end_column}
        raw: Raw = {"severity": message.severity, "pos": position, "endPos": end, "data": message.text}
        found = located(raw, self.document, self.document.stub_places)
        return replace_lines(found, self.line)


@dataclass(frozen=True)
class Probed:
    """Result of the probes of one theorem: the ids of those that were proved without `sorry`, and of those that elaborate; the goals by id.

    `errors` says why Lean does not accept the statement, in the coordinates of the file; `messages` are those about each probe, by id.
    """

    proved: frozenset[str]
    elaborated: frozenset[str]
    goals: dict[str, str]
    errors: tuple[Message, ...]
    messages: dict[str, tuple[Message, ...]]


def replace_lines(message: Message, lines: int) -> Message:
    """Return a message that many lines further down."""
    return Message(message.severity, message.line + lines, message.column, message.end_line + lines, message.end_column, message.text)


def find_subject(text: str, theorem: FileTheorem, after: int) -> Subject:
    """Return the subject for a theorem of a file; `after` is the offset at which the theorem before it ends.

    Raises:
        StatementError: The declaration cannot be told from what precedes it.
    """
    piece = text[after : theorem.proof]
    statement = split_statement(f"{piece.rstrip()} := sorry")
    digest = hashlib.sha256(f"{after} {text}".encode()).hexdigest()[:16]
    line = text.count("\n", 0, after)
    begin = line_starts(text)[line + statement.line - 1] + statement.column
    if statement.line == 1:
        begin = after + statement.column
    document = write_document("", "", replace(statement, context=""), None, digest)
    if statement.line == 1:
        statement = replace(statement, column=begin - (text.rfind("\n", 0, begin) + 1))
    return Subject(theorem, statement, document, begin, line)


def find_subjects(text: str, report: FileReport) -> list[Subject | StatementError]:
    """Return a subject for each theorem of a file, or why there is none."""
    found: list[Subject | StatementError] = []
    after = 0
    mutual = _mutual_blocks(text)
    for theorem in report.theorems:
        try:
            if any(start < theorem.span.start < end for start, end in mutual):
                raise StatementError("a `mutual` block cannot be read in parts", theorem.span.line)
            found.append(find_subject(text, theorem, after))
        except StatementError as error:
            found.append(error)
        after = theorem.span.end
    return found


def _mutual_blocks(text: str) -> list[tuple[int, int]]:
    """Return where `mutual` blocks begin and end."""
    try:
        words = [token for token in tokens(text) if token.text in _SCOPES or token.text == "end"]
    except LexError:
        return []
    blocks, opened = [], list[Token]()
    for word in words:
        if word.text != "end":
            opened.append(word)
        elif opened and (opening := opened.pop()).text == "mutual":
            blocks.append((opening.start, word.start))
    return blocks


async def ask_probes(
    lean: Lean, text: str, subjects: Sequence[Subject], probes: Sequence[Sequence[Probe]]
) -> tuple[FileReport, list[Probed]]:
    """Read a file with probes before some of its theorems, and return the report and the result for each of these, in order.

    If the report gives no verdict (a time limit, for example), the results are empty.
    """
    parts: list[str] = []
    at = length = lines = 0
    positions: list[int] = []
    owners: list[tuple[int, str]] = []
    stub_lines: list[_Lines] = []
    probe_lines: list[dict[str, _Lines]] = []

    def add(piece: str) -> None:
        nonlocal length, lines
        parts.append(piece)
        length += len(piece)
        lines += piece.count("\n")

    for number, (subject, asked) in enumerate(zip(subjects, probes, strict=True)):
        add(text[at : subject.begin])
        add("\n")
        first = lines
        add(subject.document.stub)
        stub_lines.append((first, lines))
        probe_lines.append({})
        for probe in asked:
            first = lines
            if (sorry := _SORRY.search(probe.text)) is not None:
                positions.append(length + sorry.start())
                owners.append((number, probe.id))
            add(f"{probe.text.rstrip()}\n")
            probe_lines[-1][probe.id] = first, lines
        add(" " * subject.statement.column)
        at = subject.begin
    # what follows the last declaration says nothing about it
    last = subjects[-1] if subjects else None
    if last is not None:
        add(f"{text[at : last.theorem.proof].rstrip()} := sorry\n")
    report = await lean.read("".join(parts), positions)
    shown = dict(zip(owners, report.goals, strict=False))
    results = []
    for number, (subject, asked) in enumerate(zip(subjects, probes, strict=True)):
        goals = {probe.id: shown.get((number, probe.id), "") for probe in asked}
        messages = {id: _within(report, where) for id, where in probe_lines[number].items()}
        wrong = tuple(subject.lift(message, stub_lines[number][0]) for message in errors(_within(report, stub_lines[number])))
        results.append(_probed(asked, report, goals, wrong, messages))
    return report, results


def _within(report: FileReport, lines: _Lines) -> tuple[Message, ...]:
    return tuple(message for message in report.messages if lines[0] < message.line <= lines[1])


def _probed(
    asked: Sequence[Probe],
    report: FileReport,
    goals: dict[str, str],
    wrong: tuple[Message, ...],
    messages: dict[str, tuple[Message, ...]],
) -> Probed:
    ids = {probe.name: probe.id for probe in asked}
    own = {ids[short]: theorem for theorem in report.theorems if (short := theorem.name.rpartition(".")[2]) in ids}
    proved = frozenset(id for id, theorem in own.items() if theorem.accepted)
    elaborated = frozenset(id for id, theorem in own.items() if theorem.kind != "error" and not errors(theorem.messages))
    return Probed(proved, elaborated, goals, wrong, messages)
