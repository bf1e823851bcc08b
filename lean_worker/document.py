"""Layout of a check as a Lean document, and translation of Lean's messages to the coordinates of statement and proof.

The harness writes: the statement as a declaration of its own, closed by `sorry`; the candidate, which is the same statement text closed by
the proof; a judge of the first one's type proved by the second; and the axiom audit of the judge. A document never contains two candidates.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lean_worker.candidate import Candidate
from lean_worker.lexer import tokens
from lean_worker.protocol import Message, Severity
from lean_worker.statement import Statement

Raw = dict[str, Any]  # a message as `lean --json` prints it: severity, pos {line, column}, endPos, data

_FULL_NAMES = "set_option pp.fullNames true"
_AUDIT = re.compile(r"'([^']*)' (?:does not depend on any axioms|depends on axioms: \[([^\]]*)\])\s*", re.S)


@dataclass(frozen=True)
class Document:
    """A Lean document: its parts in order, each in whole lines, and the positions in them. Lines count from 1.

    `attempt` contains the candidate with its helpers, and is empty without one. `starts` are the byte offsets in it at which a command may
    begin. `audit` contains judge and axiom audit.
    """

    opening: str
    header: str
    stub: str
    attempt: str
    audit: str
    statement: Statement
    starts: tuple[int, ...]
    stub_name: str
    label: str
    judge: str
    nonce: str
    candidate_line: int
    last_column: int

    @property
    def text(self) -> str:
        return f"{self.opening}{self.header}{self.stub}{self.attempt}{self.audit}"

    @property
    def header_end(self) -> int:
        """Return the last line of opening and header."""
        return self.opening.count("\n") + self.header.count("\n")

    @property
    def stub_end(self) -> int:
        return self.header_end + self.stub.count("\n")

    @property
    def judge_line(self) -> int:
        return self.stub_end + self.attempt.count("\n") + 1


@dataclass(frozen=True)
class Answer:
    """Lean's result for one check. `axioms` is None if the audit was not reached; `refused` says why the candidate is not allowed."""

    statement_errors: tuple[Message, ...] = ()
    messages: tuple[Message, ...] = ()
    axioms: tuple[str, ...] | None = None
    refused: str = ""

    @property
    def failed(self) -> bool:
        """Whether Lean reported an error in the candidate."""
        return any(message.severity == "error" for message in self.messages)


def _header(header: str) -> str:
    return header.rstrip("\n") + "\n" if header.strip() else ""


def _scope(statement: Statement) -> str:
    """Return commands that open the namespace of the statement's name, each on its own line: Lean measures the indentation of the proof
    against the start of the line."""
    namespace = statement.namespace
    return f"namespace {namespace}\nend {namespace}\nopen {namespace} in\n" if namespace else ""


def _declare(statement: Statement, label: str, ending: str) -> str:
    return f"{statement.before}{label}.{statement.name}{statement.after}{ending}\n"


def _close(proof: str) -> str:
    """Return the end of a declaration: the proof after `:=`, or its match alternatives, which have no `:=`."""
    body = proof.strip()
    if not body.startswith("|"):
        term = (body.removeprefix(":=") if body.startswith(":=") else proof.rstrip()).lstrip(" \t")
        return f":={term}" if term.startswith("\n") else f":= {term}"
    indents = [len(line) - len(line.lstrip()) for line in body.split("\n")[1:] if line.lstrip().startswith("|")]
    return "\n" + " " * min(indents, default=2) + body


def _helpers(candidate: Candidate | None, label: str) -> str:
    return f"namespace {label}\n{candidate.helpers}end {label}\n" if candidate is not None and candidate.helpers else ""


def _starts(helpers: str, candidate: Candidate, scope: str, declaration: str) -> tuple[int, ...]:
    """Return the byte offsets of the harness's own commands and of the helpers, which begin at the start of a line."""
    offsets, at = [0], 0
    if helpers:
        body = helpers.index("\n") + 1
        line_starts = (token.start for token in tokens(candidate.helpers) if token.start == 0 or candidate.helpers[token.start - 1] == "\n")
        offsets += [*(body + start for start in line_starts), body + len(candidate.helpers)]
        at = len(helpers)
    for line in scope.split("\n")[:-1]:
        offsets.append(at)
        at += len(line) + 1
    if not scope:
        offsets.append(at + len(declaration) - len(declaration.lstrip()))
    text = helpers + scope + declaration
    return tuple(len(text[:start].encode()) for start in offsets)


def write_document(opening: str, header: str, statement: Statement, candidate: Candidate | None, nonce: str) -> Document:
    """Lay out a statement and its candidate, or None to check only that the statement elaborates.

    `opening` precedes every header: prelude and imports, in whole lines. `nonce` must be fresh and secret, so that the candidate cannot
    name the harness's declarations.
    """
    stub_label, label, judge = f"Statement_{nonce}", f"Candidate_{nonce}", f"Judge_{nonce}"
    header, scope = _header(header), _scope(statement)
    stub = scope + _declare(statement, stub_label, ":= sorry")
    attempt, above, last_column = "", 0, 0
    starts: tuple[int, ...] = ()
    if candidate is not None:
        helpers, declaration = _helpers(candidate, label), _declare(statement, label, _close(candidate.body))
        attempt = helpers + scope + declaration
        starts = _starts(helpers, candidate, scope, declaration)
        above = helpers.count("\n") + scope.count("\n")
        last_column = len(declaration.removesuffix("\n").rpartition("\n")[2])
    proved_by = "sorry" if candidate is None else f"@{label}.{statement.name}"
    audit = f"theorem {judge} : type_of% @{stub_label}.{statement.name} := {proved_by}\n{_FULL_NAMES} in #print axioms {judge}\n"
    before = opening.count("\n") + header.count("\n") + (scope if candidate is None else stub).count("\n")
    return Document(
        opening=opening,
        header=header,
        stub=stub,
        attempt=attempt,
        audit=audit,
        statement=statement,
        starts=starts,
        stub_name=stub_label,
        label=label,
        judge=judge,
        nonce=nonce,
        candidate_line=before + above + 1,
        last_column=last_column,
    )


def write_module(opening: str, header: str, statement: Statement, candidate: Candidate | None, label: str) -> str:
    """Return a separate module: header and statement, under the name `label.name`, closed by the candidate, or by `sorry` for None."""
    ending = ":= sorry" if candidate is None else _close(candidate.body)
    return f"{opening}{_header(header)}{_helpers(candidate, label)}{_scope(statement)}{_declare(statement, label, ending)}"


def _in_header(raw: Raw, header_end: int) -> Message:
    """Return a message about the header; its last line is line 0, right before the statement's first."""
    begin, end = raw["pos"], raw.get("endPos") or raw["pos"]
    return Message("error", begin["line"] - header_end, begin["column"], end["line"] - header_end, end["column"], raw["data"])


def _located(raw: Raw, document: Document, begins: int) -> Message:
    """Return Lean's message in the coordinates of the statement followed by the proof."""
    last = document.judge_line - 1
    statement = document.statement
    longer = len(document.label) + 1 + len(statement.before.rpartition("\n")[2]) + len(statement.name) - statement.column

    def place(position: dict[str, int]) -> tuple[int, int]:
        line, column = position["line"], position["column"]
        if line > last:
            line, column = last, document.last_column
        relative = line - begins + 1
        if relative == statement.line:
            column = max(0, column - longer)
        if relative < 1:  # in a helper: do not count the line that ends their namespace
            return relative + 1, column
        return relative, column

    line, column = place(raw["pos"])
    end_line, end_column = max((line, column), place(raw.get("endPos") or raw["pos"]))
    text = re.sub(rf"(?:Statement|Candidate|Judge)_{document.nonce}\.?", "", raw["data"])
    # a candidate cannot contain `theorem`: it is the judge's, after the end of the proof
    text = text.replace("unexpected token 'theorem'", "unexpected end of input", 1)
    severity: Severity = raw["severity"] if raw["severity"] in ("error", "warning") else "information"
    return Message(severity, line, column, end_line, end_column, text)


def _audited(raw: Sequence[Raw], document: Document) -> tuple[str, ...] | None:
    for message in raw:
        match = _AUDIT.fullmatch(message["data"]) if message["pos"]["line"] == document.judge_line + 1 else None
        if match and match[1].rpartition(".")[2] == document.judge and message["severity"] == "information":
            return tuple(name.strip() for name in match[2].split(",")) if match[2] else ()
    return None


def read_answer(document: Document, raw: Sequence[Raw]) -> Answer:
    """Interpret Lean's messages about a check, complete or not."""
    lines = [(message["pos"]["line"], message) for message in raw]
    errors = [(line, message) for line, message in lines if message["severity"] == "error"]
    if header := tuple(_in_header(message, document.header_end) for line, message in errors if line <= document.header_end):
        return Answer(statement_errors=header)
    stub_begins = document.header_end + 1 + _scope(document.statement).count("\n")
    stub = [message for line, message in errors if line <= document.stub_end]
    own = [message for line, message in lines if document.stub_end < line < document.judge_line]
    after = [message for line, message in errors if line >= document.judge_line]
    spilled = [] if any(message["severity"] == "error" for message in own) else after
    return Answer(
        statement_errors=tuple(_located(message, document, stub_begins) for message in stub),
        messages=tuple(_located(message, document, document.candidate_line) for message in own + spilled),
        axioms=_audited(raw, document),
    )
