"""Which backends there are: chosen by name on the command line, found by `doctor`."""

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
    """Where Lean comes from."""

    backend: BackendName = "embedded-fork"
    """embedded-fork and embedded-server need nothing but the wheel; language-server and repl use the Lean that elan installed."""
    project: Path | None = None
    """The Lake project to run in (language-server: optional; repl: needed)."""
    imports: tuple[str, ...] = ()
    """Modules that open every document whose header imports none, for example Mathlib; headers may import what lies under them."""
    repl: Path | None = None
    """The built program of leanprover-community/repl."""
    sandbox: Kind = "auto"
    """What keeps Lean from files and network; `doctor` says what holds here."""
    require_sandbox: bool = False
    """Refuse to start where files and network cannot be closed off."""


def make_backend(choice: BackendChoice) -> Backend:
    """Raises LeanWorkerError, with what to do, where the chosen one cannot be used. Never another one instead."""
    if choice.backend.startswith("embedded") and (choice.project or choice.imports):
        raise LeanWorkerError(f"{choice.backend} has its own library only; --project and --imports belong to --backend language-server")
    sandbox = SandboxConfig(choice.sandbox, choice.require_sandbox)
    settle(sandbox)
    if choice.backend == "embedded-fork":
        return ForkBackend(sandbox=sandbox)
    if choice.backend == "embedded-server":
        return embedded_server(ensure_core(), sandbox=sandbox)
    if choice.backend == "language-server":
        return installed_server(choice.project, choice.imports, sandbox=sandbox)
    if choice.project is None or choice.repl is None:
        raise LeanWorkerError("the repl backend needs --project, a Lake project, and --repl, the built leanprover-community/repl")
    return installed_repl(choice.repl, choice.project, lean_version(choice.project), choice.imports, sandbox)


def misjudgement(backend: Backend, timeout: float = 60.0) -> str | None:
    """What the backend said of a true and a false theorem where that is wrong; None where it judges them as it must."""
    with Pool(1, timeout, backend=backend) as pool:
        true, false = pool.check_many([TRUE, FALSE])
    if (true.accepted, false.accepted) == (True, False):
        return None
    said = [f"{verdict.id}: {verdict.kind} {' '.join(message.text for message in verdict.messages)}" for verdict in (true, false)]
    return "; ".join(said)[:300]


def confinements(backend: Backend) -> dict[str, SandboxConfig]:
    """Return the sandbox settings of each kind of Lean process that a backend starts."""
    found = {"fast tier": backend.inside}
    judge = backend.second_judge()
    if judge is not None:
        found["slow tier"] = judge.inside
        judge.close()
    return found


def closed_off(report: SandboxReport) -> str:
    """Return what a sandbox closes off in one line, and what it does not in further ones."""
    held = {"files": report.files, "reading": report.reading, "network": report.network, "processes": report.processes}
    words = ", ".join(name for name, holds in held.items() if holds) or "nothing"
    return f"closes off {words}" + "".join(f"\n          not: {reason}" for reason in report.missing)


def toolchains(elan: Path | None = None) -> Iterator[str]:
    """The names of the Lean versions that elan has installed."""
    folder = (elan or Path.home() / ".elan") / "toolchains"
    yield from sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else ()


def on_path() -> dict[str, str | None]:
    """Where the programs of a Lean installation are, as far as they are there."""
    return {program: shutil.which(program) for program in ("elan", "lean", "lake")}
