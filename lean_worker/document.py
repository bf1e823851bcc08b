"""Layout of a check as Lean text, and translation of Lean's messages back to the coordinates of what was sent.

Statement and candidate stay as they are: their text is never moved to another column or scope. What the harness adds stands around them:
the statement closed by `sorry`; behind the candidate a judge of the first one's type proved by the second; and the judge's axiom audit.
A document never contains two candidates.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lean_worker.candidate import Candidate, open_scopes
from lean_worker.protocol import Message, Severity
from lean_worker.statement import Statement, blank, ending

Raw = dict[str, Any]  # a message as `lean --json` prints it: severity, pos {line, column}, endPos, data

_OPEN = ":= sorry"
_AGAIN = "Declared_again"
_FULL_NAMES = "set_option pp.fullNames true"
_AUDIT = re.compile(r"'([^']*)' (?:does not depend on any axioms|depends on axioms: \[([^\]]*)\])\s*", re.S)
_ATTRIBUTES = re.compile(r"@\[[^\]]*(?:\[[^\]]*\][^\]]*)*\]")
_PROTECTED = re.compile(r"(?<![\w'.!?])(protected)(\s+(?:theorem|lemma)\s)")
_HIDDEN_WORDS = re.compile(r"(?<![\w'.!?])(?:private|protected|nonrec|scoped|local|public|partial|unsafe)(?![\w'!?])")


@dataclass(frozen=True)
class Place:
    """Where a piece of text begins: `line` and `column` in the document (from 1 and 0), `to_line` and `to_column` in what was sent."""

    line: int
    column: int
    to_line: int
    to_column: int


@dataclass(frozen=True)
class Document:
    """A Lean document: its parts in order, each in whole lines. Lines count from 1.

    `header` includes the commands of the statement before its declaration, and `context_lines` counts these. `stub` is the statement under
    a name of its own, `plain_stub` the statement as it is, for a Lean that reads it elsewhere. `attempt` is the candidate with its helpers,
    and is empty without one. `audit` contains judge and axiom audit.
    """

    opening: str
    header: str
    context_lines: int
    stub: str
    plain_stub: str
    attempt: str
    audit: str
    statement: Statement
    stub_name: str
    judge: str
    nonce: str
    stub_places: tuple[Place, ...]
    plain_places: tuple[Place, ...]
    places: tuple[Place, ...]

    @property
    def text(self) -> str:
        return f"{self.opening}{self.header}{self.stub}{self.attempt}{self.audit}"

    @property
    def statement_text(self) -> str:
        """The text up to the statement, as it is."""
        return f"{self.opening}{self.header}{self.plain_stub}"

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
    """Lean's result for one check. `axioms` is None if the audit was not reached. `refused` says why the candidate is not allowed.

    `mismatch` says why what was proved is not the statement, `unclear` why the harness cannot say what Lean thinks of the statement.
    """

    statement_errors: tuple[Message, ...] = ()
    messages: tuple[Message, ...] = ()
    axioms: tuple[str, ...] | None = None
    refused: str = ""
    mismatch: str = ""
    unclear: str = ""

    @property
    def failed(self) -> bool:
        """Whether Lean reported an error in the candidate."""
        return any(message.severity == "error" for message in self.messages)


def _lines(text: str) -> str:
    return text.rstrip("\n") + "\n" if text.strip() else ""


def _declared(statement: Statement, end: str, begins: int) -> tuple[str, list[Place]]:
    """Return the declaration with an end, in its own column, and its places.

    On a line of its own, one without a name gets one, and one that is not a theorem the word that `sorry` needs.
    """
    pad, before = " " * statement.column, statement.text[: statement.keyword]
    # Lean generates no code for a `sorry`
    lead = "noncomputable " if end == _OPEN and not statement.proposition and "noncomputable" not in before else ""
    if statement.named and not lead:
        return f"{pad}{statement.text}{end}\n", [Place(begins, 0, statement.line, 0)]
    declarer = "def" if statement.declarer == "example" else statement.declarer
    until = statement.keyword if statement.named else statement.keyword + len(statement.declarer)
    rest = statement.text[until:]
    width = until - (statement.text.rfind("\n", 0, until) + 1) + (0 if "\n" in before else statement.column)
    above = f"{pad}{before}{lead}" + ("\n" if statement.named else f"{declarer} {statement.name}\n")
    places = [Place(begins, 0, statement.line, 0)]
    places.append(Place(begins + above.count("\n"), 0, statement.line + before.count("\n"), 0))
    return f"{above}{' ' * width}{rest}{end}\n", places


def _stub(statement: Statement, label: str, begins: int) -> tuple[str, list[Place]]:
    """Return the statement closed by `sorry` in a namespace of its own, without attributes, so that it has no effect on what follows.

    The namespace of its own name is opened first, as Lean does.
    """
    lead = statement.text[: statement.keyword]
    for hidden in (_ATTRIBUTES, _HIDDEN_WORDS):
        lead = hidden.sub(lambda found: blank(found[0]), lead)
    until = statement.keyword + len(statement.declarer)
    declarer = statement.declarer if statement.declarer in ("theorem", "lemma", "def", "abbrev") else "def"
    named_at = statement.name_end - len(statement.name)
    rest = statement.text[until:]
    if statement.name.startswith("_root_."):  # the namespace of the stub takes the place of the root
        rest = statement.text[until:named_at] + " " * len("_root_.") + statement.text[named_at + len("_root_.") :]
    own = Statement(
        text=lead + declarer + rest,
        keyword=statement.keyword,
        name=statement.name.removeprefix("_root_."),
        name_end=statement.name_end + len(declarer) - len(statement.declarer),
        line=statement.line,
        column=statement.column,
    )
    namespace = statement.namespace.removeprefix("_root_.").removeprefix("_root_")
    scope = f"namespace {namespace}\nend {namespace}\nopen {namespace} in\n" if namespace else ""
    above = f"namespace {label}\n{scope}"
    text, places = _declared(own, _OPEN, begins + above.count("\n"))
    return f"{above}{text}end {label}\n", places


def _attempt(statement: Statement, candidate: Candidate, begins: int) -> tuple[str, list[Place]]:
    if candidate.verbatim:
        return _lines(_unprotected(candidate.verbatim)), [Place(begins, 0, 1, 0)]
    helpers = _lines(candidate.helpers)
    at = begins + helpers.count("\n")
    text, places = _declared(replace(statement, text=_unprotected(statement.text)), ending(candidate.body, statement.by), at)
    if not candidate.line:
        return text, places
    shown = [Place(begins, 0, 1, 0)] if helpers else []
    shown.append(Place(at, 0, candidate.line, candidate.column))
    start = len(text) - len(ending(candidate.body, statement.by)) - 1
    before = text[:start]
    shown.append(Place(at + before.count("\n"), start - (before.rfind("\n") + 1), candidate.line, candidate.column))
    return helpers + text, shown


def _closed(statement: Statement, candidate: Candidate, begins: int, label: str) -> tuple[str, list[Place]]:
    """Return the attempt in a section of its own, if it has declarations, and everything that it leaves open closed.

    Otherwise an open `variable` of a class would stand before the judge's theorem too, which would then state less than the statement.
    A candidate cannot close the section, as its name is secret.
    """
    if not candidate.line:
        return _attempt(statement, candidate, begins)
    text, places = _attempt(statement, candidate, begins + 1)
    ends = "".join(f"end {name}\n" if name else "end\n" for name in reversed(open_scopes(text)))
    return f"section {label}\n{text}{ends}end {label}\n", places


def _unprotected(text: str) -> str:
    """Blank the word `protected` of theorems, so that the judge finds them by their short names."""
    return _PROTECTED.sub(lambda found: blank(found[1]) + found[2], text)


def own_type(statement: Statement, candidate: Candidate) -> bool:
    """Return whether the candidate's type is the statement's by construction, and may have hypotheses of the context in addition.

    The type of an example or definition includes the variables that its proof mentions, unlike that of a theorem. A proof without helpers
    stands behind our own statement, and nothing else does.
    """
    return not statement.proposition and not candidate.helpers and not candidate.verbatim


def is_declared_already(answer: Answer, statement: Statement) -> bool:
    """Return whether a statement, or the proof after it, fails because the library or the header has a theorem of the same name."""
    taken = f"`{statement.name}` has already been declared"
    return any(taken in each.text for each in (*answer.statement_errors, *answer.messages) if each.severity == "error")


def apart(statement: Statement) -> str:
    """Return the end of a header under which a statement whose name is taken can be declared again."""
    opened = f"open {statement.namespace}\n" if statement.namespace else ""
    return f"namespace {_AGAIN}\n{opened}"


def write_document(opening: str, header: str, statement: Statement, candidate: Candidate | None, nonce: str) -> Document:
    """Lay out a statement and its candidate, or None to check only that the statement elaborates.

    `opening` precedes every header: prelude and imports, in whole lines. `nonce` must be fresh and secret, so that the candidate cannot
    name the harness's declarations.
    """
    label, judge = f"Statement_{nonce}", f"Judge_{nonce}"
    context = _lines(statement.context)
    header = _lines(header) + context
    begins = opening.count("\n") + header.count("\n") + 1
    stub, stub_places = _stub(statement, label, begins)
    plain, plain_places = _declared(statement, _OPEN, begins)
    attempt, places = ("", []) if candidate is None else _closed(statement, candidate, begins + stub.count("\n"), f"Attempt_{nonce}")
    name = statement.name.removeprefix("_root_.")
    proved_by = "sorry" if candidate is None else f"@{statement.name}"
    stated = f"@{statement.name}" if candidate is not None and own_type(statement, candidate) else f"@{label}.{name}"
    declarer = "theorem" if statement.proposition else "noncomputable def"
    audit = f"{declarer} {judge} : type_of% {stated} := {proved_by}\n{_FULL_NAMES} in #print axioms {judge}\n"
    return Document(
        opening=opening,
        header=header,
        context_lines=context.count("\n"),
        stub=stub,
        plain_stub=plain,
        attempt=attempt,
        audit=audit,
        statement=statement,
        stub_name=label,
        judge=judge,
        nonce=nonce,
        stub_places=tuple(stub_places),
        plain_places=tuple(plain_places),
        places=tuple(places),
    )


def write_module(opening: str, header: str, statement: Statement, candidate: Candidate | None) -> str:
    """Return a separate module: header and statement, closed by the candidate, or by `sorry` for None."""
    body = _declared(statement, _OPEN, 1) if candidate is None else _attempt(statement, candidate, 1)
    return f"{opening}{_lines(header)}{_lines(statement.context)}{body[0]}"


def _in_header(raw: Raw, document: Document) -> Message:
    """Return a message about the header, whose last line is line 0, or about the statement's commands before its declaration."""
    begin, end = raw["pos"], raw.get("endPos") or raw["pos"]
    above = document.header_end - document.context_lines
    return Message("error", begin["line"] - above, begin["column"], end["line"] - above, end["column"], raw["data"])


def located(raw: Raw, document: Document, places: Sequence[Place]) -> Message:
    """Return Lean's message in the coordinates of what was sent."""
    keys = [(place.line, place.column) for place in places]

    def send(position: dict[str, int]) -> tuple[int, int]:
        line, column = position["line"], position["column"]
        if line >= document.judge_line and places is document.places:
            text = document.attempt.removesuffix("\n")
            line, column = document.judge_line - 1, len(text) - (text.rfind("\n") + 1)
        place = places[max(0, bisect_right(keys, (line, column)) - 1)]
        moved = place.to_column - place.column if line == place.line else 0
        return place.to_line + line - place.line, max(0, column + moved)

    line, column = send(raw["pos"])
    end_line, end_column = max((line, column), send(raw.get("endPos") or raw["pos"]))
    text = re.sub(rf"(?:Statement|Judge|Attempt)_{document.nonce}\.?|{_AGAIN}\.", "", raw["data"])
    # a bare proof cannot contain `theorem`: it is the judge's, after the end of the proof
    text = text.replace("unexpected token 'theorem'", "unexpected end of input", 1)
    severity: Severity = raw["severity"] if raw["severity"] in ("error", "warning") else "information"
    return Message(severity, line, column, end_line, end_column, text, raw.get("goal", ""))


def _audited(raw: Sequence[Raw], document: Document) -> tuple[str, ...] | None:
    for message in raw:
        match = _AUDIT.fullmatch(message["data"]) if message["pos"]["line"] == document.judge_line + 1 else None
        if match and match[1].rpartition(".")[2] == document.judge and message["severity"] == "information":
            return tuple(name.strip() for name in match[2].split(",")) if match[2] else ()
    return None


def read_statement(document: Document, raw: Sequence[Raw], plain: bool = False) -> Answer:
    """Interpret Lean's messages about header and statement alone: as it is if `plain`, otherwise as the document's stub."""
    errors = [message for message in raw if message["severity"] == "error"]
    if header := tuple(_in_header(message, document) for message in errors if message["pos"]["line"] <= document.header_end):
        return Answer(statement_errors=header)
    places = document.plain_places if plain else document.stub_places
    found = [message for message in errors if plain or message["pos"]["line"] <= document.stub_end]
    return Answer(statement_errors=tuple(located(message, document, places) for message in found))


def settle_statement(document: Document, answer: Answer, raw: Sequence[Raw]) -> Answer:
    """Return the answer for a statement that has errors as the document's stub, given Lean's messages about `statement_text`."""
    plain = read_statement(document, raw, plain=True)
    return plain if plain.statement_errors else Answer(unclear="Lean accepts the statement, but not under another name", axioms=())


def read_attempt(document: Document, raw: Sequence[Raw]) -> tuple[Message, ...]:
    """Return Lean's messages about the attempt alone."""
    return tuple(located(message, document, document.places) for message in raw)


def read_answer(document: Document, raw: Sequence[Raw]) -> Answer:
    """Interpret Lean's messages about a whole document, complete or not."""
    answer = read_statement(document, raw)
    if answer.statement_errors:
        return answer
    lines = [(message["pos"]["line"], message) for message in raw]
    own = [message for line, message in lines if document.stub_end < line < document.judge_line]
    after = [message for line, message in lines if line >= document.judge_line and message["severity"] == "error"]
    failed = any(message["severity"] == "error" for message in own)
    spilled = [] if failed or not document.attempt else [message for message in after if is_syntax(message)]
    mismatch = "" if failed or spilled or not document.attempt or not after else "the proved theorem is not the statement"
    if not document.attempt and after:
        return Answer(statement_errors=tuple(located(message, document, document.stub_places) for message in after))
    return Answer(
        messages=tuple(located(message, document, document.places) for message in own + spilled),
        axioms=_audited(raw, document) if not mismatch else (),
        mismatch=mismatch,
    )


def is_syntax(message: Raw) -> bool:
    return "unexpected" in message["data"] or "unterminated" in message["data"] or "expected" in message["data"][:40]
