"""Operating system sandbox for Lean processes: files read-only, no network, few processes, no privileges.

Machines differ (containers often forbid user namespaces, old kernels lack Landlock), so the available protection is found by trying: a
probe inside the sandbox attempts what must be refused. `wrap` turns a command into one that runs inside.
"""

import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from lean_worker.errors import LeanWorkerError
from lean_worker.sandbox.read_list import python_files

Kind = Literal["auto", "bubblewrap", "landlock", "none"]

_LAUNCHER = Path(__file__).parent / "launcher.py"
_PROBE = Path(__file__).parent / "probe.py"
_SECONDS = 20


class SandboxError(LeanWorkerError):
    """The requested sandbox is unavailable on this machine."""


@dataclass(frozen=True)
class SandboxConfig:
    """Sandbox settings of a process. `required`: refuse to start if files and network cannot be closed off; else use what is available.

    `writable` is the one folder that may be changed. `read`, if not empty, is all that may be read apart from the Python and system
    libraries that run it. `max_processes` counts processes and threads, 1 means threads only; `memory_bytes` is address space.
    """

    kind: Kind = "auto"
    required: bool = False
    writable: Path | None = None
    read: tuple[Path, ...] = ()
    max_processes: int | None = None
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.max_processes is not None and self.max_processes < 1:
            raise ValueError(f"max_processes is {self.max_processes}; it must be 1 or more")
        if self.kind == "none" and self.required:
            raise SandboxError("--sandbox: kind is none but a sandbox is required; choose auto, bubblewrap or landlock")


@dataclass(frozen=True)
class SandboxReport:
    """Protection that was observed to hold inside a sandbox of this kind.

    `files`: nothing outside the writable folder can be changed. `reading`: unlisted files cannot be read, including other processes'
    command lines and variables. `network`: no connection. `processes`: no other process can be started or signalled. `process_count`: a
    limit above one holds as well. `mechanisms` are the launcher's options that the kernel granted; `missing` says what does not hold and
    why.
    """

    kind: Literal["bubblewrap", "landlock", "none"]
    files: bool = False
    reading: bool = False
    network: bool = False
    processes: bool = False
    process_count: bool = False
    mechanisms: tuple[str, ...] = ()
    missing: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        """Whether the sandbox closes off both the machine's files and its network."""
        return self.files and self.network


def _python(script: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-W", "ignore", str(script), *arguments]


def _bubblewrap(program: str, writable: Path | None) -> list[str]:
    bind = ["--bind", str(writable), str(writable)] if writable else []
    spaces = ["--unshare-user", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-pid"]
    return [program, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", *bind, *spaces, "--die-with-parent", "--"]


def _works(command: list[str]) -> str | None:
    """Return why the command fails, in one line, or None if it succeeds."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip().split("\n") or [f"exit code {done.returncode}"])[-1]


def _mechanisms(kind: Literal["bubblewrap", "landlock"]) -> tuple[list[str], list[str]]:
    """Return the launcher's options that work here, each tried alone, and why the others do not."""
    options = ["--landlock", "--filter"] + ["--namespaces"] * (kind == "landlock")
    reasons = {option: _works(_python(_LAUNCHER, option)) for option in options}
    return [o for o in options if reasons[o] is None], [f"{o.removeprefix('--')}: {reason}" for o, reason in reasons.items() if reason]


def _wrap(command: list[str], config: SandboxConfig, report: SandboxReport) -> list[str]:
    options = list(report.mechanisms)
    if "--landlock" in options:
        for path in (*python_files(), *map(str, config.read)) if config.read else ("/",):
            options.append(f"--read={path}")
    if config.writable:
        options.append(f"--writable={config.writable}")
    if config.max_processes == 1 and "--filter" in options:
        options.append("--no-fork")
    # outside a user namespace the kernel would count all processes of the user
    elif config.max_processes and (report.kind == "bubblewrap" or "--namespaces" in options):
        options.append(f"--max-tasks={config.max_processes}")
    if config.memory_bytes:
        options.append(f"--memory-bytes={config.memory_bytes}")
    inside = [*_python(_LAUNCHER, *options, "--"), *command]
    program = shutil.which("bwrap") or "bwrap"
    return _bubblewrap(program, config.writable) + inside if report.kind == "bubblewrap" else inside


def _probe(config: SandboxConfig, report: SandboxReport, *arguments: str) -> dict[str, bool]:
    command = _wrap(_python(_PROBE, *arguments), config, report)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False)
    return dict(json.loads(done.stdout))


def _attempt(report: SandboxReport, folder: Path, address: tuple[str, int], config: SandboxConfig | None = None) -> dict[str, bool]:
    """Return what a probe inside could do, as reported by it and as observed outside; without a config, in the narrowest sandbox."""
    outside, inside = folder / "outside", folder / "inside"
    outside.mkdir(exist_ok=True)
    inside.mkdir(exist_ok=True)
    target = outside / "file"
    target.write_text("untouched")
    target.chmod(0o640)

    def intact() -> bool:
        there = [path.name for path in outside.iterdir()] == ["file"]
        return there and target.read_text() == "untouched" and target.stat().st_mode & 0o777 == 0o640

    arguments = (str(outside), str(inside), address[0], str(address[1]), str(os.getpid()))
    results = _probe(config or SandboxConfig(writable=inside, read=(_PROBE,), max_processes=1), report, *arguments)
    if config is None:
        results["many"] = _probe(SandboxConfig(writable=inside, read=(_PROBE,), max_processes=4), report, *arguments)["many"]
    return {**results, "changed": results["changed"] or not intact()}


_OPEN_DOORS = {
    "changed": "files outside the writable folder can be changed",
    "read": "files outside the list can be read",
    "connected": "a network connection can be made",
    "forked": "other processes can be started",
    "signalled": "processes outside can be signalled",
    "many": "the number of processes cannot be limited above one (the kernel does not count those of root)",
}


def _try(report: SandboxReport, config: SandboxConfig | None = None) -> SandboxReport:
    """Return the report with the observed protection."""
    try:
        with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
            could = _attempt(report, Path(folder).resolve(), server.getsockname()[:2], config)
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        trial = _works(_wrap([sys.executable, "-I", "-S", "-c", ""], SandboxConfig(), report))
        return SandboxReport(report.kind, missing=(f"{report.kind}: {trial or error}", *report.missing))
    if config is None and not could["written_inside"]:
        return SandboxReport(report.kind, missing=(f"{report.kind}: the writable folder cannot be written", *report.missing))
    doors = [text for name, text in _OPEN_DOORS.items() if could[name] and not (name == "many" and config)]
    return replace(
        report,
        files=not could["changed"],
        reading=not could["read"],
        network=not could["connected"],
        processes=not (could["forked"] or could["signalled"]),
        process_count=not could["many"],
        missing=(*report.missing, *doors),
    )


def _detect(kind: Literal["bubblewrap", "landlock"]) -> SandboxReport:
    if kind == "bubblewrap" and shutil.which("bwrap") is None:
        return SandboxReport(kind, missing=("bubblewrap: the program bwrap is missing; install the package bubblewrap",))
    works, missing = _mechanisms(kind)
    return _try(SandboxReport(kind, mechanisms=tuple(works), missing=tuple(missing)))


def examine(config: SandboxConfig) -> SandboxReport:
    """Return what is closed off for a process with exactly these settings, found by trying (about 0.1 s).

    Raises SandboxError if the sandbox is required and does not hold.
    """
    report = settle(config)
    if report.kind == "none":
        return report
    return _try(SandboxReport(report.kind, mechanisms=report.mechanisms), config)


@functools.cache
def detect(kind: Kind = "auto") -> SandboxReport:
    """Return what a sandbox of this kind closes off on this machine, found by trying, once per process (0.3 to 0.6 s).

    `auto` is this package's own launcher if it closes off files and network, since it adds no process; otherwise bubblewrap.
    """
    if kind == "none":
        return SandboxReport("none", missing=("no sandbox was requested",))
    if kind != "auto":
        return _detect(kind)
    own = detect("landlock")
    other = own if own.holds else detect("bubblewrap")
    return other if other.holds else own


def settle(config: SandboxConfig) -> SandboxReport:
    """Return the sandbox in which `config` will run. Raises SandboxError if it is required and does not hold."""
    report = detect(config.kind)
    if config.required and not report.holds:
        raise SandboxError(
            f"a sandbox is required but does not hold here ({'; '.join(report.missing)}); allow user namespaces, use a kernel with "
            "Landlock (Linux 5.13 or newer), or do not require it"
        )
    return report


def wrap(command: list[str], config: SandboxConfig) -> list[str]:
    """Return the command line that runs `command` inside, or `command` itself without a sandbox.

    The process keeps its id, except with bubblewrap, which stays as its parent and dies with the thread that started it. Raises
    SandboxError if the sandbox is required and does not hold.
    """
    report = settle(config)
    return list(command) if report.kind == "none" else _wrap(list(command), config, report)
