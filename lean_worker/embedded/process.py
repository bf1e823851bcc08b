"""One fork server as the pool sees it: send a document, get what Lean printed."""

import contextlib
import json
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lean_worker.document import Document
from lean_worker.embedded.build import CoreLibrary, ensure_snapshot, lean_environment
from lean_worker.sandbox.sandbox import SandboxConfig, SandboxReport, settle, wrap
from lean_worker.session import Limits, Output, Raw, WorkerLost

_SERVER = Path(__file__).parent / "fork_server.py"
_SANDBOX = SandboxConfig()


class LeanProcess:
    """A running fork server, in a sandbox where the machine has one. Not thread-safe: one document at a time.

    Files are read-only, there is no network, and the child that checks a document can start no other process; `report` says what of it
    holds. Raises SandboxError where the sandbox is required and does not hold. Close to the thread that makes it: bubblewrap, where it is
    used, ends with that thread.
    """

    def __init__(self, core: CoreLibrary, limits: Limits, sandbox: SandboxConfig = _SANDBOX) -> None:
        self._limits = limits
        self._options = _options(core, limits)
        self.report: SandboxReport = settle(sandbox)
        confined = ["confined"] if "--filter" in self.report.mechanisms else []
        command = [sys.executable, "-I", "-S", "-W", "ignore", str(_SERVER), str(core.library.path), *confined]
        self._process = subprocess.Popen(
            wrap(command, replace(sandbox, read=(core.library.path.parent, core.path, *sandbox.read))),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=lean_environment(core.path),
            cwd="/",
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Always: what is killed at a limit is the child that ran the document."""
        return True

    def run(self, document: Document) -> Output:
        """Run a document in a child of its own. Raises WorkerLost where the server dies meanwhile."""
        limits = self._limits
        request = {
            "text": document.text,
            "arguments": self._options,
            "seconds": limits.seconds,
            "marker": document.marker,
            "cpu_seconds": int(limits.seconds * (len(document.slots) + 1)) + 1,
            "memory_bytes": limits.memory_bytes,
            "output_bytes": limits.output_bytes,
        }
        body = json.dumps(request).encode()
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(struct.pack(">I", len(body)) + body)
            stdin.flush()
            size = stdout.read(4)
            answer = stdout.read(struct.unpack(">I", size)[0]) if len(size) == 4 else b""
            found = json.loads(answer)
        except (OSError, ValueError) as error:
            raise WorkerLost(f"the Lean process {self.pid} ended (exit code {self._process.poll()})") from error
        return Output(messages(found["output"]), found["outcome"], found["code"])

    def kill(self) -> None:
        """End the server; its child ends with it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):  # unsent bytes of a dead process
                stream.close()


def _options(core: CoreLibrary, limits: Limits) -> Sequence[str]:
    settings = [f"-D{name}={value}" for name, value in limits.options.items()]
    # two threads: with one, Lean prints nothing before the whole document is elaborated
    return ["--json", "-j2", *settings, f"--incr-load={ensure_snapshot(core, settings)}", "--stdin"]


def messages(output: str) -> list[Raw]:
    """The messages among the lines that `lean --json` printed."""
    found = []
    for line in output.splitlines():
        try:
            message = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(message, dict) and isinstance(message.get("pos"), dict):
            found.append(message)
    return found
