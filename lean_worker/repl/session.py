"""One REPL process (leanprover-community/repl, JSON over pipes): the opening is environment 0's text, every document starts from it.

Command mode only: the REPL's tactic mode accepts wrong proofs. Every answer's environment stays in its memory for ever, so sessions
are recycled by count and by memory.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lean_worker.document import Document
from lean_worker.processes import tree_memory
from lean_worker.session import Limits, Outcome, Output, Raw, WorkerLost

OPENING_SECONDS = 300.0
_LIFELINE = Path(__file__).with_name("lifeline.py")
_RESERVED_BYTES = 24 << 30
_LOOK_SECONDS = 0.25
_SEVERITIES = {"error": "error", "warning": "warning", "info": "information", "trace": "information"}


class Repl:
    """Raises WorkerLost at construction where the REPL does not start or cannot load `opening`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, opening: str, limits: Limits) -> None:
        self._limits = limits
        self._opening = opening
        self.usable = True
        self._using = threading.RLock()  # its pipes may not be closed under whoever reads them
        self._buffer = b""
        watched, self._lifeline = os.pipe()
        guarded = [sys.executable, "-I", "-S", str(_LIFELINE), str(watched), str(limits.memory_bytes + _RESERVED_BYTES), *command]
        # stderr goes nowhere: an unread pipe would block a chatty REPL
        self._process = subprocess.Popen(
            guarded,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            pass_fds=(watched,),
        )
        os.close(watched)
        try:
            self._environment = self._open()
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, document: Document) -> Output:
        """At a limit the REPL ends with the document."""
        with self._using:
            try:
                return self._run(document)
            except ValueError as error:  # its pipes were closed: it was killed before its turn came
                raise WorkerLost(f"the Lean process {self.pid} was ended") from error

    def _run(self, document: Document) -> Output:
        body = document.text.removeprefix(self._opening)
        answer, outcome = self.ask({"cmd": body, "env": self._environment}, self._limits.seconds)
        if outcome != "exit":
            self.usable = False
            self.kill()
            return Output([], outcome, -signal.SIGKILL)
        if answer is None or "env" not in answer:
            return Output([], "exit")
        above = self._opening.count("\n")
        return Output([raw(message, above) for message in answer.get("messages", [])], "exit")

    def ask(self, request: Mapping[str, Any], seconds: float) -> tuple[dict[str, Any] | None, Outcome]:
        """One request, one answer. Raises WorkerLost where the process is gone or answers something that is no JSON object."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request, ensure_ascii=False).encode() + b"\n\n")
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerLost(f"the REPL {self.pid} takes no input ({error})") from error
        text, outcome = self._receive(time.monotonic() + seconds)
        if outcome != "exit":
            return None, outcome
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise WorkerLost(f"the REPL {self.pid} answered something that is no JSON: {text[:80]!r}") from error
        if not isinstance(answer, dict):
            raise WorkerLost(f"the REPL {self.pid} answered no JSON object: {text[:80]!r}")
        return answer, "exit"

    def kill(self) -> None:
        """End the REPL and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with self._using:
            self._close()

    def _close(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()

    def _open(self) -> int:
        settings = f"set_option maxHeartbeats {self._limits.heartbeats}\nset_option relaxedAutoImplicit false\n"
        answer, outcome = self.ask({"cmd": self._opening + settings}, OPENING_SECONDS)
        if answer is None:
            raise WorkerLost(f"the REPL did not load its header ({outcome})")
        errors = [message["data"] for message in answer.get("messages", []) if message["severity"] == "error"]
        if errors or "env" not in answer:
            raise WorkerLost(f"the REPL cannot load {self._opening.split()!r}: {(errors or [answer.get('message', '')])[0][:300]}")
        return answer["env"]

    def _receive(self, deadline: float) -> tuple[bytes, Outcome]:
        """The text up to the next blank line: a JSON object holds none, newlines in its strings are escaped."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        look = time.monotonic() + _LOOK_SECONDS
        while True:
            head, found, rest = self._buffer.partition(b"\n\n")
            if found:
                self._buffer = rest.lstrip(b"\n")
                return head, "exit"
            if len(self._buffer) > self._limits.output_bytes:
                return b"", "flood"
            now = time.monotonic()
            if now >= deadline:
                return b"", "timeout"
            if now >= look:
                if tree_memory(self.pid) > self._limits.memory_bytes:
                    return b"", "signal"
                look = now + _LOOK_SECONDS
            if poll.poll(max(0.0, min(deadline, look) - now) * 1000):
                piece = os.read(pipe, 1 << 20)
                if not piece:
                    raise WorkerLost(f"the REPL {self.pid} ended (exit code {self._process.poll()})")
                self._buffer += piece


def raw(message: Mapping[str, Any], above: int) -> Raw:
    """A message of the REPL as `lean --json` would have printed it, in a document with `above` more lines before the command."""
    start = message["pos"]
    end = message.get("endPos") or start
    start, end = ({"line": place["line"] + above, "column": place["column"]} for place in (start, end))
    return {"severity": _SEVERITIES.get(message["severity"], "error"), "pos": start, "endPos": end, "data": message["data"]}
