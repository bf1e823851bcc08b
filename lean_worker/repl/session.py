"""A REPL process (leanprover-community/repl, JSON over pipes), in which every document starts from the environment of the opening.

Command mode only: the REPL's tactic mode accepts wrong proofs. The environment of every answer stays in its memory forever, so sessions
are recycled by count and by memory.
"""

import json
import secrets
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lean_worker.document import Answer, Raw, read_answer, settle_statement, write_document
from lean_worker.file_commands import debug_option
from lean_worker.files import FileQuestion
from lean_worker.jobs import Question
from lean_worker.lean_process import OPENING_SECONDS, Child, LimitReached
from lean_worker.repl.file_reader import read_file
from lean_worker.session import Finding, Limits, WorkerLost

_SEVERITIES = {"error": "error", "warning": "warning", "info": "information", "trace": "information"}


class Repl:
    """Session of a REPL. Raises WorkerLost at construction if the REPL does not start or cannot load `opening`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, opening: str, limits: Limits) -> None:
        self._limits = limits
        self._opening = opening
        self._nonce = secrets.token_hex(8)
        self.usable = True
        self._buffer = b""
        self._child = Child(command, environment, folder, limits.memory_bytes)
        try:
            self._environment = self._open()
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._child.pid

    def run(self, question: Question) -> Finding:
        """Run a question. At a limit the REPL ends with the document."""
        try:
            return self._read_file(question.file) if question.file is not None else Finding(self._answer(question))
        except LimitReached as limit:
            self.usable = False
            self.kill()
            return Finding(Answer(), limit.outcome, -signal.SIGKILL)

    def _answer(self, question: Question) -> Answer:
        document = write_document(self._opening, question.header, question.statement, question.candidate, self._nonce)
        found = self._messages(document.text)
        answer = Answer() if found is None else read_answer(document, found)
        if answer.statement_errors and (plain := self._messages(document.statement_text)) is not None:
            answer = settle_statement(document, answer, plain)
        return answer

    def _read_file(self, file: FileQuestion) -> Finding:
        if unsafe := debug_option(file.text):
            return Finding(Answer(unclear=unsafe))
        seconds = self._limits.seconds * max(1, file.theorems)

        def elaborate(text: str) -> dict[str, Any]:
            answer = self._run(text, seconds)
            if "env" not in answer:
                raise LimitReached("signal")
            return {**answer, "messages": [raw(message, 0) for message in answer.get("messages", [])]}

        return Finding(Answer(), file=read_file(elaborate, file, f"Example_{self._nonce}"))

    def _messages(self, text: str) -> list[Raw] | None:
        """Return Lean's messages about a text that begins with the opening, or None if the REPL could not run it."""
        answer = self._run(text.removeprefix(self._opening), self._limits.seconds)
        above = self._opening.count("\n")
        return [raw(message, above) for message in answer.get("messages", [])] if "env" in answer else None

    def _run(self, text: str, seconds: float) -> dict[str, Any]:
        with self._child.exclusive():
            return self.ask({"cmd": text, "env": self._environment}, seconds)

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send one request and return its answer.

        Raises:
            WorkerLost: the process has ended or its answer is not a JSON object.
            LimitReached: as for `Child.read`, or the answer is too long.
        """
        self._child.write(json.dumps(request, ensure_ascii=False).encode() + b"\n\n")
        text = self._receive(time.monotonic() + seconds)
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise WorkerLost(f"the REPL {self.pid} sent an answer that is not JSON: {text[:80]!r}") from error
        if not isinstance(answer, dict):
            raise WorkerLost(f"the REPL {self.pid} sent an answer that is not a JSON object: {text[:80]!r}")
        return answer

    def kill(self) -> None:
        """End the REPL and its descendants."""
        self._child.kill()

    def _open(self) -> int:
        options = {name: value for name, value in self._limits.options.items() if name != "Elab.async"}  # which it never sets
        settings = "".join(f"set_option {name} {value}\n" for name, value in options.items())
        try:
            answer = self.ask({"cmd": self._opening + settings}, OPENING_SECONDS)
        except LimitReached as limit:
            raise WorkerLost(f"the REPL did not load its header ({limit.outcome})") from limit
        errors = [message["data"] for message in answer.get("messages", []) if message["severity"] == "error"]
        if errors or "env" not in answer:
            raise WorkerLost(f"the REPL cannot load {self._opening.split()!r}: {(errors or [answer.get('message', '')])[0][:300]}")
        return answer["env"]

    def _receive(self, deadline: float) -> bytes:
        """Read up to the next blank line; a JSON object contains none, since newlines in its strings are escaped."""
        while True:
            head, separator, rest = self._buffer.partition(b"\n\n")
            if separator:
                self._buffer = rest.lstrip(b"\n")
                return head
            if len(self._buffer) > self._limits.output_bytes:
                raise LimitReached("flood")
            self._buffer += self._child.read(deadline)


def raw(message: Mapping[str, Any], above: int) -> Raw:
    """Return a message of the REPL in the form of `lean --json`, for a document with `above` more lines before the command."""
    start = message["pos"]
    end = message.get("endPos") or start
    start, end = ({"line": place["line"] + above, "column": place["column"]} for place in (start, end))
    return {"severity": _SEVERITIES.get(message["severity"], "error"), "pos": start, "endPos": end, "data": message["data"]}
