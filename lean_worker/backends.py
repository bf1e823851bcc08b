"""Registry of backends: selection by name on the command line, and probing by `doctor`."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lean_worker.embedded.backend import ForkBackend
from lean_worker.embedded.build import ensure_core
from lean_worker.errors import LeanWorkerError
from lean_worker.language_server.backend import embedded_server, installed_server, lean_version
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.repl.backend import installed_repl
from lean_worker.sandbox.sandbox import Kind, SandboxConfig, SandboxReport, settle
from lean_worker.session import Backend

BackendName = Literal["embedded-fork", "embedded-server", "language-server", "repl"]

EMBEDDED: tuple[BackendName, ...] = ("embedded-fork", "embedded-server")

TRUE = Check("true", "theorem t (p : Prop) : p → p := by sorry", "fun h => h")
FALSE = Check("false", "theorem f : 2 + 2 = 5 := by sorry", "by decide")


@dataclass(frozen=True)
class BackendChoice:
    """Selection and settings of the Lean backend."""

    backend: BackendName = "embedded-fork"
    """Backend to use. embedded-fork and embedded-server are self-contained; language-server and repl use the Lean that elan installed."""
    project: Path | None = None
    """Lake project to run in (language-server: optional; repl: required)."""
    imports: tuple[str, ...] = ()
    """Modules imported by every check whose header imports none, for example Mathlib; headers may import modules under these."""
    repl: Path | None = None
    """Path to the built program of leanprover-community/repl."""
    sandbox: Kind = "auto"
    """Sandbox that keeps Lean from files and network; `doctor` reports what is available."""
    require_sandbox: bool = False
    """Refuse to start if files and network cannot be closed off."""


def make_backend(choice: BackendChoice) -> Backend:
    """Return the selected backend; never fall back to another one. Raises LeanWorkerError, with a remedy, if it is unavailable."""
    if choice.backend.startswith("embedded") and (choice.project or choice.imports):
        raise LeanWorkerError(f"--project and --imports: not supported by {choice.backend}; use --backend language-server")
    sandbox = SandboxConfig(choice.sandbox, choice.require_sandbox)
    settle(sandbox)
    if choice.backend == "embedded-fork":
        return ForkBackend(sandbox=sandbox)
    if choice.backend == "embedded-server":
        return embedded_server(ensure_core(), sandbox=sandbox)
    if choice.backend == "language-server":
        return installed_server(choice.project, choice.imports, sandbox=sandbox)
    if choice.project is None or choice.repl is None:
        raise LeanWorkerError("--backend repl: needs --project (a Lake project) and --repl (the built leanprover-community/repl)")
    return installed_repl(choice.repl, choice.project, lean_version(choice.project), choice.imports, sandbox)


def misjudgement(backend: Backend, timeout: float = 60.0) -> str | None:
    """Return the verdicts on a true and a false theorem if either is wrong, or None if both are correct."""
    with Pool(1, timeout, backend=backend) as pool:
        true, false = pool.check_many([TRUE, FALSE])
    if (true.accepted, false.accepted) == (True, False):
        return None
    results = [f"{verdict.id}: {verdict.kind} {' '.join(message.text for message in verdict.messages)}" for verdict in (true, false)]
    return "; ".join(results)[:300]


def confinements(backend: Backend) -> dict[str, SandboxConfig]:
    """Return the sandbox settings of each kind of Lean process that a backend starts."""
    settings = {"fast tier": backend.inside}
    judge = backend.second_judge()
    if judge is not None:
        settings["slow tier"] = judge.inside
        judge.close()
    return settings


def closed_off(report: SandboxReport) -> str:
    """Return one line with what a sandbox closes off, and one further line for each thing that it does not."""
    held = {"files": report.files, "reading": report.reading, "network": report.network, "processes": report.processes}
    words = ", ".join(name for name, holds in held.items() if holds) or "nothing"
    return f"closes off {words}" + "".join(f"\n          not: {reason}" for reason in report.missing)


def toolchains(elan: Path | None = None) -> Iterator[str]:
    """Return the names of the Lean versions that elan has installed."""
    folder = (elan or Path.home() / ".elan") / "toolchains"
    yield from sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else ()


def on_path() -> dict[str, str | None]:
    """Return the paths of the Lean programs on the PATH, or None for those that are missing."""
    return {program: shutil.which(program) for program in ("elan", "lean", "lake")}
