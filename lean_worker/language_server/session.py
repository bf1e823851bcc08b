"""One `lean --server` kept warm for one opening: the body of its only document is replaced for every batch, the header snapshot stays."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lean_worker.document import Document
from lean_worker.language_server.rpc import Connection, FloodError
from lean_worker.processes import tree_memory
from lean_worker.session import Limits, Outcome, Output, Raw, WorkerLost

OPENING_SECONDS = 300.0  # Mathlib from a cold disk takes a minute and more
_RESERVED_BYTES = 24 << 30  # its threads reserve address space that they never touch: what is resident is looked at besides
_LOOK_SECONDS = 0.25
_SEVERITIES = {1: "error", 2: "warning", 3: "information", 4: "information"}
_NEVER = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": {"hasWidgets": False}}


class LanguageServer:
    """Raises WorkerLost at construction where the server does not start or cannot load `opening`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, opening: str, limits: Limits) -> None:
        self._limits = limits
        self._uri = (folder / "Check.lean").as_uri()
        self._version = 1
        self.usable = True
        self._using = threading.RLock()  # its pipes may not be closed under whoever reads them
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
        resource.prlimit(self._process.pid, resource.RLIMIT_CORE, (0, 0))
        address_space = limits.memory_bytes + _RESERVED_BYTES
        resource.prlimit(self._process.pid, resource.RLIMIT_AS, (address_space, address_space))
        self._connection = Connection(self._process, limits.output_bytes)
        try:
            self._open(opening)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, document: Document) -> Output:
        """Replace the text, wait for what Lean has to say. At a limit the server ends with the document: it is one process for all."""
        with self._using:
            try:
                return self._run(document)
            except ValueError as error:  # its pipes were closed: it was killed before its turn came
                raise WorkerLost(f"the Lean process {self.pid} was ended") from error

    def _run(self, document: Document) -> Output:
        self._version += 1
        change = {"textDocument": {"uri": self._uri, "version": self._version}, "contentChanges": [{"text": document.text}]}
        self._connection.notify("textDocument/didChange", change)
        diagnostics: list[Any] = []
        outcome: Outcome
        try:
            outcome = self._wait(document.marker, diagnostics)
        except FloodError:
            outcome = "flood"
        if outcome != "exit":
            self.usable = False
            self.kill()
        lines = document.text.split("\n")
        messages = [raw(diagnostic, lines) for diagnostic in diagnostics]
        return Output(messages, outcome, 0 if outcome == "exit" else -signal.SIGKILL)

    def kill(self) -> None:
        """End the server, the workers that it started, and whatever these started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with self._using:
            self._close()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):  # unsent bytes of a dead process
                stream.close()

    def _open(self, opening: str) -> None:
        deadline = time.monotonic() + OPENING_SECONDS
        self._answer(self._connection.request("initialize", _NEVER), deadline)
        self._connection.notify("initialized", {})
        document = {"uri": self._uri, "languageId": "lean4", "version": 1, "text": opening}
        self._connection.notify("textDocument/didOpen", {"textDocument": document})
        self._answer(self._request_diagnostics(), deadline)

    def _answer(self, identifier: int, deadline: float) -> None:
        while (message := self._connection.receive(deadline)) is not None:
            if message.get("id") == identifier and "method" not in message:
                if "error" in message:
                    raise WorkerLost(f"the Lean server did not start: {json.dumps(message['error'])[:300]}")
                return
        raise WorkerLost(f"the Lean server did not load its header within {OPENING_SECONDS:g} s")

    def _request_diagnostics(self) -> int:
        return self._connection.request("textDocument/waitForDiagnostics", {"uri": self._uri, "version": self._version})

    def _wait(self, marker: str, diagnostics: list[Any]) -> Outcome:
        """Collects the diagnostics of this version until they are complete; every finished check starts the clock anew."""
        identifier, size, finished = self._request_diagnostics(), 0, 0
        deadline, look = time.monotonic() + self._limits.seconds, time.monotonic() + _LOOK_SECONDS
        while time.monotonic() < deadline:
            message = self._connection.receive(min(deadline, look))
            if time.monotonic() >= look:
                if tree_memory(self.pid) > self._limits.memory_bytes:
                    return "signal"
                look = time.monotonic() + _LOOK_SECONDS
            if message is None:
                continue
            if message.get("id") == identifier and "method" not in message:
                return "signal" if "error" in message else "exit"
            params: dict[str, Any] = message.get("params") or {}
            if message.get("method") != "textDocument/publishDiagnostics" or params.get("version") != self._version:
                continue
            if not params.get("isIncremental"):
                diagnostics.clear()
            diagnostics += params["diagnostics"]
            size += len(json.dumps(params)) if params.get("isIncremental") else 0
            if size > self._limits.output_bytes:
                return "flood"
            now = sum(marker in diagnostic["message"] for diagnostic in diagnostics)
            if now > finished:
                finished, deadline = now, time.monotonic() + self._limits.seconds
        return "timeout"


def raw(diagnostic: Mapping[str, Any], lines: Sequence[str]) -> Raw:
    """A diagnostic as `lean --json` would have printed it: lines from 1, columns in code points instead of UTF-16 units."""
    place = diagnostic.get("fullRange") or diagnostic["range"]
    severity = _SEVERITIES.get(diagnostic.get("severity", 1), "error")
    start, end = (_position(place[name], lines) for name in ("start", "end"))
    return {"severity": severity, "pos": start, "endPos": end, "data": diagnostic["message"]}


def _position(place: Mapping[str, int], lines: Sequence[str]) -> dict[str, int]:
    line, units = place["line"], place["character"]
    text = lines[line] if line < len(lines) else ""
    column = len(text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore"))
    return {"line": line + 1, "column": column}
