"""A `lean --server` process kept warm for one opening: the body of its only document is replaced for every check.

Everything before the change stays elaborated: the opening always, header and statement as long as the next check has the same.
"""

import json
import secrets
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lean_worker.document import Answer, Document, Raw, is_syntax, read_answer, settle_statement, write_document
from lean_worker.file_commands import debug_option, moved
from lean_worker.files import FileQuestion
from lean_worker.jobs import Question
from lean_worker.language_server.file_reader import read_file
from lean_worker.language_server.positions import code_point_column, tactic_start, utf16_column
from lean_worker.language_server.rpc import Connection
from lean_worker.lean_process import OPENING_SECONDS, Child, LimitReached
from lean_worker.session import Finding, Limits, WorkerLost

_SEVERITIES = {1: "error", 2: "warning", 3: "information", 4: "information"}
_FATAL = 2  # LeanFileProgressKind.fatalError
_NEVER = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": {"hasWidgets": False}}


class LanguageServer:
    """Session of a language server. Raises WorkerLost at construction if the server does not start or cannot load `opening`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, opening: str, limits: Limits) -> None:
        self._limits, self._opening = limits, opening
        self._nonce = secrets.token_hex(8)
        self._uri = (folder / "Check.lean").as_uri()
        self._version = 1
        self._lines: list[str] = []
        self._no_header = False  # if the imports fail, Lean gives up on every version with a diagnostic
        self.usable = True
        self._child = Child(command, environment, folder, limits.memory_bytes)
        self._connection = Connection(self._child, limits.output_bytes)
        try:
            self._open(opening)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._child.pid

    def run(self, question: Question) -> Finding:
        """Replace the text and wait for Lean's messages. At a limit the server ends with the document: one process serves all of them."""
        if question.file is not None:
            return self._read_file(question.file)
        document = write_document(self._opening, question.header, question.statement, question.candidate, self._nonce)
        found, limit = self._messages(document.text, self._limits.seconds)
        answer = read_answer(document, found)
        try:
            if limit is None and answer.statement_errors:
                found, limit = self._messages(document.statement_text, self._limits.seconds)
                answer = settle_statement(document, answer, found)
            elif limit is None and answer.failed:
                answer = read_answer(document, self._with_goals(document, found))
        except LimitReached as reached:
            limit = reached
        return Finding(answer) if limit is None else Finding(answer, limit.outcome, -signal.SIGKILL)

    def _read_file(self, file: FileQuestion) -> Finding:
        if unsafe := debug_option(file.text):
            return Finding(Answer(unclear=unsafe))
        try:
            return Finding(Answer(), file=read_file(self, file, self._limits.seconds * max(1, file.theorems), f"Example_{self._nonce}"))
        except LimitReached as limit:
            return Finding(Answer(), limit.outcome, -signal.SIGKILL)

    def elaborate(self, text: str, seconds: float) -> list[Raw]:
        """Return Lean's messages about a text after the opening, with their lines in that text. Raises LimitReached and WorkerLost."""
        found, limit = self._messages(self._opening + text, seconds)
        if limit is not None:
            raise limit
        return [moved(each, self._opening.count("\n")) for each in found]

    def ask(self, method: str, line: int, column: int) -> Any:
        """Return the answer to a request about a position of the last text after the opening: line from 1, column in code points.

        Raises LimitReached and WorkerLost.
        """
        line += self._opening.count("\n") - 1
        position = {"line": line, "character": utf16_column(self._lines[line] if line < len(self._lines) else "", column)}
        return self._ask(method, {"position": position})

    def _ask(self, method: str, params: Mapping[str, Any]) -> Any:
        with self._child.exclusive():
            try:
                identifier = self._connection.request(method, {"textDocument": {"uri": self._uri}, **params})
                return self._answer(identifier, time.monotonic() + self._limits.seconds).get("result")
            except LimitReached:
                self.usable = False
                self.kill()
                raise

    def _with_goals(self, document: Document, found: list[Raw]) -> list[Raw]:
        """Add the goal at its position to each error in the attempt that shows none."""
        above, within = self._opening.count("\n"), range(document.stub_end + 1, document.judge_line)
        shown: list[Raw] = []
        for each in found:
            if each["severity"] == "error" and "⊢" not in each["data"] and each["pos"]["line"] in within and not _is_of_the_parser(each):
                line, column = tactic_start(self._lines, each["pos"]["line"] - 1, each["pos"]["column"])
                answer = self.ask("$/lean/plainGoal", line + 1 - above, column)
                each = {**each, "goal": "" if answer is None else "\n\n".join(answer["goals"]) or "no goals"}
            shown.append(each)
        return shown

    def _messages(self, text: str, seconds: float) -> tuple[list[Raw], LimitReached | None]:
        """Return Lean's messages about a text, complete unless a limit was reached."""
        diagnostics: list[Any] = []
        limit: LimitReached | None = None
        with self._child.exclusive():
            try:
                self._version += 1
                self._lines = text.split("\n")
                change = {"textDocument": {"uri": self._uri, "version": self._version}, "contentChanges": [{"text": text}]}
                self._connection.notify("textDocument/didChange", change)
                self._collect(diagnostics, seconds)
            except LimitReached as reached:
                self.usable, limit = False, reached
                self.kill()
        return [raw(diagnostic, self._lines) for diagnostic in diagnostics], limit

    def kill(self) -> None:
        """End the server, its workers, and all their descendants."""
        self._child.kill()

    def _open(self, opening: str) -> None:
        deadline = time.monotonic() + OPENING_SECONDS
        document = {"uri": self._uri, "languageId": "lean4", "version": 1, "text": opening}
        try:
            self._answer(self._connection.request("initialize", _NEVER), deadline)
            self._connection.notify("initialized", {})
            self._connection.notify("textDocument/didOpen", {"textDocument": document})
            self._answer(self._request_diagnostics(), deadline)
        except LimitReached as limit:
            raise WorkerLost(f"the Lean server did not load its header ({limit.outcome})") from limit

    def _answer(self, identifier: int, deadline: float) -> dict[str, Any]:
        """Return the response to a request. Raises WorkerLost if it is an error."""
        while not _answers(message := self._connection.receive(deadline), identifier):
            self._no_header = self._no_header or _gave_up(message, self._version)
        if "error" in message:
            raise WorkerLost(f"the Lean server refused a request: {json.dumps(message['error'])[:300]}")
        return message

    def _request_diagnostics(self) -> int:
        return self._connection.request("textDocument/waitForDiagnostics", {"uri": self._uri, "version": self._version})

    def _collect(self, diagnostics: list[Any], seconds: float) -> None:
        """Collect the diagnostics of this version until they are complete."""
        identifier, size = self._request_diagnostics(), 0
        deadline = time.monotonic() + seconds
        while not _answers(message := self._connection.receive(deadline), identifier):
            params: dict[str, Any] = message.get("params") or {}
            if _gave_up(message, self._version) and not self._no_header:
                raise LimitReached("signal")
            if message.get("method") != "textDocument/publishDiagnostics" or params.get("version") != self._version:
                continue
            if not params.get("isIncremental"):
                diagnostics.clear()
            diagnostics += params["diagnostics"]
            size += len(json.dumps(params)) if params.get("isIncremental") else 0
            if size > self._limits.output_bytes:
                raise LimitReached("flood")
        if "error" in message:
            raise LimitReached("signal")


def _is_of_the_parser(message: Raw) -> bool:
    return is_syntax(message) or message["pos"] == message["endPos"]


def _answers(message: Mapping[str, Any], identifier: int) -> bool:
    return message.get("id") == identifier and "method" not in message


def _gave_up(message: Mapping[str, Any], version: int) -> bool:
    """Return whether this version gets no more messages. After a worker's death, later requests wait for the next change."""
    if message.get("method") != "$/lean/fileProgress" or message["params"]["textDocument"].get("version") != version:
        return False
    return any(part.get("kind") == _FATAL for part in message["params"]["processing"])


def raw(diagnostic: Mapping[str, Any], lines: Sequence[str]) -> Raw:
    """Return a diagnostic in the form of `lean --json`: lines from 1, columns in code points instead of UTF-16 units."""
    place = diagnostic.get("fullRange") or diagnostic["range"]
    severity = _SEVERITIES.get(diagnostic.get("severity", 1), "error")
    start, end = (_position(place[name], lines) for name in ("start", "end"))
    return {"severity": severity, "pos": start, "endPos": end, "data": diagnostic["message"]}


def _position(place: Mapping[str, int], lines: Sequence[str]) -> dict[str, int]:
    line, units = place["line"], place["character"]
    text = lines[line] if line < len(lines) else ""
    return {"line": line + 1, "column": code_point_column(text, units)}
