"""Sandboxed processes of the slow tier: compile one module to an .olean, and judge two .olean files."""

import json
import math
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from lean_worker.embedded.build import NAME, CoreLibrary, embedded_files, lean_command, lean_environment
from lean_worker.lean_options import known_options
from lean_worker.lifeline import guarded
from lean_worker.protocol import ALLOWED_AXIOMS, Kind
from lean_worker.sandbox.sandbox import SandboxConfig, wrap

MODULE = "Judged"
OLEAN = f"{MODULE}.olean"

_JUDGE = Path(__file__).parent / "judge.py"
_SANDBOX_REFUSED = 125
_FILE_BYTES = 256 << 20
_OUTPUT_BYTES = 8 << 20
_THREADS = 2  # processor time runs at most this much faster than the clock


@dataclass(frozen=True)
class SlowLimits:
    """Limits of one recheck.

    `seconds` is the wall clock for candidate and judge together, and once more for the first compilation of a statement; output of a
    process does not extend it. `heartbeats` (thousands of Lean's small allocations) and `memory_bytes` (address space) apply to each
    process. `kept_statements` and `kept_bytes` limit the compiled statements that are kept for further proofs.
    """

    seconds: float = 60.0
    heartbeats: int = 20_000
    memory_bytes: int = 8 << 30
    kept_statements: int = 1024
    kept_bytes: int = 256 << 20

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise ValueError(f"seconds is {self.seconds}; it must be positive and finite")


class SlowTierClosed(Exception):
    """The slow tier is closed; no further process may be started."""


class Running:
    """Registry of running processes, so that another thread can end them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[int] = set()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the registry is closed to new processes."""
        return self._closed

    @contextmanager
    def started(self, command: list[str], descriptor: int, output: int, environment: dict[str, str]) -> Iterator[int]:
        """Run a command for the duration of the block, which gets its process id; afterwards kill its whole process group.

        Raises SlowTierClosed after `close`.
        """
        with self._lock:
            if self._closed:
                raise SlowTierClosed("the slow tier is closed")
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd="/",
                start_new_session=True,
                pass_fds=(descriptor,),
            )
            self._processes.add(process.pid)
        try:
            yield process.pid
        finally:
            with self._lock:  # before its id can be reused
                self._processes.discard(process.pid)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        """Kill all processes and refuse new ones; those who wait for them get no answer."""
        with self._lock:
            self._closed = True
            for pid in self._processes:
                os.killpg(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Program:
    """A Lean that compiles modules: the command that runs `lean`, its environment, and the files that its processes may read."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(hash=False)
    read: tuple[Path, ...]
    version: str


@dataclass(frozen=True)
class Setting:
    """Common settings of all phases. `lean` is the embedded Lean or an installed one.

    `folder` is a temporary folder, which a phase may write only where it is told to.
    """

    lean: CoreLibrary | Program
    folder: Path
    limits: SlowLimits = field(default_factory=SlowLimits)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    running: Running = field(default_factory=Running)

    @property
    def core(self) -> CoreLibrary:
        """The embedded Lean's library. Raises TypeError for another Lean."""
        if not isinstance(self.lean, CoreLibrary):
            raise TypeError("only the embedded Lean has a core library")
        return self.lean

    @property
    def program(self) -> Program:
        """The Lean as a command."""
        if isinstance(self.lean, Program):
            return self.lean
        core = self.lean
        return Program(tuple(lean_command(core.library)), lean_environment(core.path), embedded_files(core), core.lean_version)


@dataclass(frozen=True)
class Ran:
    """End of a process: `kind` is None if it ended by itself with exit code `code`."""

    kind: Kind | None
    reason: str
    code: int
    output: str


def phase_sandbox(setting: Setting, writable: Path | None = None, read: tuple[Path, ...] = (), processes: int | None = 1) -> SandboxConfig:
    """Return the sandbox settings of a phase: read access to its Lean and its files, write access to one folder."""
    sandbox, limits = setting.sandbox, setting.limits
    read = (*setting.program.read, *read, *sandbox.read)
    return replace(sandbox, writable=writable, read=read, max_processes=processes, memory_bytes=limits.memory_bytes)


def run_phase(
    setting: Setting,
    command: list[str],
    writable: Path | None,
    read: tuple[Path, ...],
    deadline: float,
    environment: Mapping[str, str] | None = None,
    processes: int | None = 1,
) -> Ran:
    """Run a command in the sandbox until `deadline`.

    Args:
        setting: the Lean, the limits and the sandbox.
        command: the command.
        writable: the folder that it may write.
        read: files and folders that it may read besides its Lean's.
        deadline: when to give up (time.monotonic).
        environment: its environment; by default that of its Lean.
        processes: how many processes it may have; None for any number, inside the sandbox.
    """
    wrapped = wrap(command, phase_sandbox(setting, writable, read, processes))
    left = deadline - time.monotonic()
    if left <= 0:
        return Ran("timeout", f"no answer within {setting.limits.seconds:g} s", 0, "")
    watched, held = os.pipe()
    try:
        with tempfile.TemporaryFile(dir=setting.folder) as output:
            limited = guarded(
                wrapped, watched, address_space=setting.limits.memory_bytes, cpu=_THREADS * math.ceil(left) + 1, file=_FILE_BYTES
            )
            with setting.running.started(limited, watched, output.fileno(), dict(environment or setting.program.environment)) as pid:
                code = _exit_code(pid, left)
            output.seek(0)
            text = output.read(_OUTPUT_BYTES).decode("utf-8", "replace")
    finally:
        os.close(watched)
        os.close(held)
    if setting.running.closed:
        return Ran("unavailable", "was killed because the slow tier was closed", 0, "")
    if code is None:
        return Ran("timeout", f"no answer within {setting.limits.seconds:g} s", 0, "")
    if code == _SANDBOX_REFUSED and setting.sandbox.kind != "none":
        return Ran("unavailable", text.strip() or "the sandbox did not start", code, text)
    if code < 0 or code > 128:
        return Ran("crash", f"died by signal {-code if code < 0 else code - 128}", code, text)
    return Ran(None, "", code, text)


def _exit_code(pid: int, seconds: float) -> int | None:
    """Wait for the end of a child without reaping it. Return None after `seconds`."""
    ended = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return None
        status = os.waitid(os.P_PIDFD, ended, os.WEXITED | os.WNOWAIT)
    finally:
        os.close(ended)
    assert status is not None
    return status.si_status if status.si_code == os.CLD_EXITED else -status.si_status


def _first_error(output: str) -> str | None:
    for line in output.split("\n"):
        try:
            message = json.loads(line)
            if message["severity"] == "error":
                return f"{message['pos']['line']}:{message['pos']['column']}: {message['data']}"
        except (ValueError, TypeError, KeyError, RecursionError):  # a process may print anything
            continue
    return None


def compile_module(setting: Setting, folder: Path, text: str, deadline: float | None = None) -> tuple[Kind | None, str]:
    """Compile a module to OLEAN in `folder`, which must not exist yet.

    Args:
        setting: the Lean, the limits and the sandbox.
        folder: folder for the module's source and its .olean.
        text: the module.
        deadline: when to give up (time.monotonic); by default after the limits' seconds.

    Returns:
        A kind and a reason if there is no .olean; otherwise None and an empty string.
    """
    folder.mkdir()
    source, target = folder / f"{MODULE}.lean", folder / OLEAN
    source.write_text(text, encoding="utf-8")
    settings = {
        "maxHeartbeats": str(setting.limits.heartbeats),
        "Elab.async": "false",
        "linter.all": "false",
        "relaxedAutoImplicit": "false",
    }
    program = setting.program
    options = ["--json", "-j1", *(f"-D{name}={value}" for name, value in known_options(settings, program.version).items())]
    command = [*program.command, *options, "-R", str(folder), "-o", str(target), str(source)]
    ran = run_phase(setting, command, folder, (folder,), deadline or time.monotonic() + setting.limits.seconds)
    if ran.kind:
        return ran.kind, f"Lean {ran.reason}"
    wrong = _first_error(ran.output)
    if wrong is not None:
        return "error", wrong
    if ran.code or target.is_symlink() or not target.is_file():
        return "crash", f"Lean ended with exit code {ran.code} without an .olean"
    return None, ""


@dataclass(frozen=True)
class Judgement:
    """The judge's answer: `axioms` that the theorem depends on, `rechecked` the constants that the kernel checked again."""

    kind: Kind
    reason: str = ""
    axioms: tuple[str, ...] = ()
    rechecked: tuple[str, ...] = ()


def judge_files(
    setting: Setting, statement: Path, candidate: Path, target: tuple[str | int, ...], deadline: float | None = None
) -> Judgement:
    """Judge a compiled candidate against a compiled statement, in a fresh process that runs nothing of either.

    Args:
        setting: the Lean, the limits and the sandbox.
        statement: the statement's .olean, which is trusted.
        candidate: the candidate's .olean, which is not trusted.
        target: the end of the theorem's name in the statement's file; the candidate's file must contain the same full name.
        deadline: as for `compile_module`.
    """
    core = setting.core
    request = {
        "library": str(core.library.path),
        "core": str(core.path / NAME / "All.olean"),
        "statement": str(statement),
        "candidate": str(candidate),
        "target": target,
        "allowed": sorted(ALLOWED_AXIOMS),
    }
    command = [sys.executable, "-I", "-S", "-W", "ignore", str(_JUDGE), json.dumps(request)]
    ran = run_phase(setting, command, None, (statement, candidate), deadline or time.monotonic() + setting.limits.seconds)
    if ran.kind:
        return Judgement(ran.kind, f"the judge {ran.reason}")
    try:
        answer = json.loads(ran.output.strip().split("\n")[-1])
        return Judgement(answer["kind"], answer["reason"], tuple(answer["axioms"]), tuple(answer["rechecked"]))
    except (KeyError, TypeError, ValueError):
        return Judgement("crash", f"the judge ended with exit code {ran.code} without an answer: {ran.output.strip()[-300:]}")
