"""One fork server as the pool sees it: send a document, get what Lean printed."""

import contextlib
import json
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lean_worker.embedded.build import CoreLibrary, lean_environment
from lean_worker.sandbox import SandboxConfig, SandboxReport, settle, wrap

_SERVER = Path(__file__).parent / "fork_server.py"
_SANDBOX = SandboxConfig()


class WorkerLost(Exception):
    """The server process ended before it answered."""


@dataclass(frozen=True)
class Limits:
    """What one document may use. `seconds` is the wall clock without a finished check; `heartbeats` makes most runaway proofs errors."""

    seconds: float = 10.0
    heartbeats: int = 4_000
    memory_bytes: int = 8 << 30
    output_bytes: int = 8 << 20

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError(f"the time limit must be positive, not {self.seconds}")
        if self.heartbeats < 100:
            raise ValueError(f"a limit of {self.heartbeats} heartbeats lets no proof through; give 100 or more")
        if self.memory_bytes < 5 << 30:
            raise ValueError(f"Lean reserves 4.5 GiB of address space, so it does not start with {self.memory_bytes} bytes; give 8 GiB")


@dataclass(frozen=True)
class Output:
    """What a document's process printed and how it ended: by itself, killed at a limit, or by a signal."""

    text: str
    outcome: Literal["exit", "timeout", "flood", "signal"]
    code: int


class LeanProcess:
    """A running fork server, in a sandbox where the machine has one. Not thread-safe: one document at a time.

    Files are read-only, there is no network, and the child that checks a document can start no other process; `report` says what of it
    holds. Raises SandboxError where the sandbox is required and does not hold. Close to the thread that makes it: bubblewrap, where it is
    used, ends with that thread.
    """

    def __init__(self, core: CoreLibrary, limits: Limits, sandbox: SandboxConfig = _SANDBOX) -> None:
        self._limits = limits
        self._options = _options(limits)
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

    def run(self, text: str, marker: str, checks: int) -> Output:
        """Run a document of so many checks. Raises WorkerLost where the server dies meanwhile."""
        limits = self._limits
        request = {
            "text": text,
            "arguments": self._options,
            "seconds": limits.seconds,
            "marker": marker,
            "cpu_seconds": int(limits.seconds * (checks + 1)) + 1,
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
        return Output(found["output"], found["outcome"], found["code"])

    def kill(self) -> None:
        """End the server; its child ends with it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):  # unsent bytes of a dead process
                stream.close()


def _options(limits: Limits) -> Sequence[str]:
    # without relaxedAutoImplicit a mistyped name is an error instead of a new variable
    settings = {"maxHeartbeats": limits.heartbeats, "Elab.async": "false", "linter.all": "false", "relaxedAutoImplicit": "false"}
    # two threads: with one, Lean prints nothing before the whole document is elaborated
    return ["--json", "-j2", *(f"-D{name}={value}" for name, value in settings.items()), "--stdin"]
