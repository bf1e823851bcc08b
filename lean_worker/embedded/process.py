"""Pool-side session of a tree of forked Lean processes.

The root has loaded the library. For a header it forks a process that elaborates it and stays; that one forks a process for each statement,
and every candidate runs in its own process, forked from its statement's. A group of attempts thus shares one elaboration of header and
statement, and no candidate can observe or affect another.
"""

import json
import secrets
import socket
import struct
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lean_worker.candidate import Candidate
from lean_worker.document import Answer, Document, Raw, read_attempt, read_statement, write_document
from lean_worker.embedded.build import CoreLibrary, embedded_files, lean_environment
from lean_worker.files import FileQuestion, read_report
from lean_worker.jobs import Question
from lean_worker.sandbox.sandbox import SandboxConfig, SandboxReport, settle, wrap
from lean_worker.session import Finding, Limits, WorkerLost

_SERVER = Path(__file__).parent / "fork_server.py"
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_SANDBOX = SandboxConfig()
_START_SECONDS = 60.0
_GRACE_SECONDS = 10.0  # the tree enforces the time limit itself; this is for a process that fails to
_KEPT_HEADERS = 8
_KEPT_STATEMENTS = 4


def _huge_pages() -> bool:
    """Return whether the kernel gives huge pages to a process that requests them."""
    try:
        return "[never]" not in _HUGE_PAGES.read_text()
    except OSError:
        return False


class _Node:
    """A process of the tree that waits for requests."""

    def __init__(self, control: socket.socket, messages: Sequence[Raw] = (), unclear: str = "") -> None:
        self._control = control
        self.messages, self.unclear = messages, unclear
        self.children: OrderedDict[Any, _Node] = OrderedDict()

    def receive(self, seconds: float) -> dict[str, Any]:
        """Return the next message. Raises WorkerLost if there is none."""
        self._control.settimeout(seconds)
        try:
            size = self._exactly(4)
            return dict(json.loads(self._exactly(struct.unpack(">I", size)[0])))
        except (OSError, ValueError) as error:
            raise WorkerLost(f"a process of the Lean tree gave no answer: {error}") from error

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Let a fork of this process elaborate a text and end. Raises WorkerLost if this process has ended."""
        return self._ask(request, None)

    def grow(self, request: dict[str, Any]) -> "tuple[dict[str, Any], _Node | None]":
        """Let a fork of this process elaborate a text and stay, as a new node, or None if that failed. Raises like `run`."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                answer = self._ask(request, theirs.fileno())
            if answer["outcome"] == "exit":
                node = _Node(ours, answer["messages"], answer.get("unclear", ""))
                node.receive(_GRACE_SECONDS)
                return answer, node
        except BaseException:
            ours.close()
            raise
        ours.close()
        return answer, None

    def close(self) -> None:
        """End the process and all its forks."""
        for child in self.children.values():
            child.close()
        self._control.close()

    def _ask(self, request: dict[str, Any], stays: int | None) -> dict[str, Any]:
        body = json.dumps(request).encode()
        message = struct.pack(">I", len(body)) + body
        self._control.settimeout(_GRACE_SECONDS)
        try:
            sent = 0 if stays is None else socket.send_fds(self._control, [message], [stays])
            self._control.sendall(message[sent:])
        except OSError as error:
            raise WorkerLost(f"a process of the Lean tree accepts no request: {error}") from error
        return self.receive(request["seconds"] + _GRACE_SECONDS)

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = self._control.recv(count - len(data))
            if not piece:
                raise OSError("the process has ended")
            data += piece
        return bytes(data)


class LeanTree:
    """A running tree, in a sandbox if available. Not thread-safe: one question at a time.

    Files are read-only, there is no network, and the process that checks a candidate cannot start others; `report` says which of this
    holds. Raises SandboxError if the sandbox is required and does not hold, WorkerLost if the tree does not start. Bubblewrap, if used,
    ends with the thread that creates the tree.
    """

    def __init__(self, core: CoreLibrary, opening: str, limits: Limits, sandbox: SandboxConfig = _SANDBOX) -> None:
        self._limits, self._opening = limits, opening
        self._using = threading.Lock()  # sockets must not be closed while they are read
        self._nonce = secrets.token_hex(8)
        self.report: SandboxReport = settle(sandbox)
        settings = {
            "opening": opening,
            "options": list(limits.options.items()),
            "confined": "--filter" in self.report.mechanisms,
            "huge_pages": _huge_pages(),
        }
        command = [sys.executable, "-I", "-S", "-W", "ignore", str(_SERVER), str(core.library.path), json.dumps(settings)]
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                wrap(command, replace(sandbox, read=(*embedded_files(core), *sandbox.read))),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=lean_environment(core.path),
                cwd="/",
                start_new_session=True,
            )
        self._root = _Node(ours)
        try:
            answer = self._root.receive(_START_SECONDS)
            if not answer["ready"]:
                raise WorkerLost(f"the embedded Lean does not start: {answer['reason']}")
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether another question may be asked: always, since only processes that answered one question are killed at a limit."""
        return True

    def run(self, question: Question) -> Finding:
        """Answer a question. Raises WorkerLost if the tree dies meanwhile."""
        with self._using:
            return self._answer(question) if question.file is None else self._read_file(question, question.file)

    def kill(self) -> None:
        """End the root, with which all other processes of the tree end. May be called from any thread."""
        self._process.kill()
        self._process.wait()
        with self._using:
            self._root.close()

    def _read_file(self, question: Question, file: FileQuestion) -> Finding:
        offsets = [len(file.text[:position].encode()) for position in file.positions]
        request = self._request(file.text, 0) | {"positions": offsets, "holes": file.holes}
        request["seconds"] *= max(1, file.theorems)
        answer = self._root.run(request)
        if "theorems" not in answer:
            return Finding(Answer(), answer["outcome"], answer["code"])
        if "debug." in answer["options"]:
            return Finding(Answer(unclear=f"an option of the kind debug.* is in force: {answer['options']}"))
        return Finding(Answer(), file=read_report(file, answer))

    def _answer(self, question: Question) -> Finding:
        document = write_document(self._opening, question.header, question.statement, question.candidate, self._nonce)
        begin = question.opening.count("\n")
        key = (question.scope, document.header)
        header, lost = self._grown(self._root, key, self._request(document.header, begin), _KEPT_HEADERS)
        if header is None:
            return lost
        if any(message["severity"] == "error" for message in header.messages):
            return Finding(read_statement(document, header.messages, plain=True))
        root = ("_root_",) if question.statement.name.startswith("_root_.") else ()
        target = {
            "name": (*root, *question.statement.parts),
            "stub": document.stub,
            "stub_name": (document.stub_name, *question.statement.parts),
        }
        request = self._request(document.plain_stub, document.header_end) | {"statement": target}
        statement, lost = self._grown(header, question.statement, request, _KEPT_STATEMENTS)
        if statement is None:
            return lost
        answer = read_statement(document, statement.messages, plain=True)
        if not answer.statement_errors and statement.unclear:
            answer = Answer(unclear=statement.unclear)
        if answer.statement_errors or answer.unclear or question.candidate is None:
            return Finding(replace(answer, axioms=()))
        return self._attempt(statement, document, question.candidate)

    def _grown(self, parent: _Node, key: Any, request: dict[str, Any], most: int) -> tuple[_Node | None, Finding]:
        """Return the process that has elaborated a text on top of `parent`, new or kept, or the reason why there is none."""
        known = parent.children.get(key)
        if known is not None:
            parent.children.move_to_end(key)
            return known, Finding(Answer())
        answer, node = parent.grow(request)
        if node is None:
            return None, Finding(Answer(), answer["outcome"], answer["code"])
        parent.children[key] = node
        if len(parent.children) > most:
            parent.children.popitem(last=False)[1].close()
        return node, Finding(Answer())

    def _attempt(self, statement: _Node, document: Document, candidate: Candidate) -> Finding:
        judge = {"name": (document.judge,), "heartbeats": self._limits.heartbeats}
        most = 0 if candidate.line else 1
        response = statement.run(self._request(document.attempt, document.stub_end) | {"judge": judge, "most": most})
        if "messages" not in response:
            return Finding(Answer(), response["outcome"], response["code"])
        answer = Answer(messages=read_attempt(document, response["messages"]), axioms=())
        if answer.failed:
            return Finding(answer)
        if response["stray"] is not None:
            line = document.attempt.encode()[: response["stray"]].decode(errors="ignore").count("\n") + document.stub_end + 1
            place = {"line": line, "column": 0}
            found = read_attempt(document, [{"severity": "error", "pos": place, "endPos": place, "data": ""}])[0]
            return Finding(replace(answer, refused=f"line {found.line} begins a command"))
        return Finding(replace(answer, mismatch=response["reason"], axioms=tuple(response["axioms"])))

    def _request(self, text: str, line: int) -> dict[str, Any]:
        limits = self._limits
        return {
            "text": text,
            "line": line,
            "seconds": limits.seconds,
            "memory_bytes": limits.memory_bytes,
            "output_bytes": limits.output_bytes,
        }
