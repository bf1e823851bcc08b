"""Construction of the backend and the pool that a `LeanConfig` selects, and their probing by `doctor` and health checks."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from lean_worker.embedded.backend import ForkBackend
from lean_worker.embedded.build import ensure_core
from lean_worker.errors import LeanWorkerError
from lean_worker.language_server.backend import embedded_server, installed_server
from lean_worker.language_server.installed import lean_version
from lean_worker.lean_config import LeanConfig
from lean_worker.lean_pool import LeanPool
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.repl.backend import installed_repl
from lean_worker.sandbox.sandbox import SandboxConfig, SandboxReport, settle
from lean_worker.session import Backend
from lean_worker.verdict_cache import VerdictCache


def make_backend(config: LeanConfig) -> Backend:
    """Return the selected backend; never fall back to another one. Raises LeanWorkerError, with a remedy, if it is unavailable."""
    if config.backend == "remote":
        raise LeanWorkerError("backend: remote runs no Lean on this machine, which this command needs; choose another backend")
    sandbox = SandboxConfig(config.sandbox, config.require_sandbox)
    settle(sandbox)
    if config.backend == "embedded-fork":
        return ForkBackend(sandbox=sandbox)
    if config.backend == "embedded-server":
        return embedded_server(ensure_core(), sandbox=sandbox)
    if config.backend == "language-server":
        return installed_server(config.project, config.imports, sandbox=sandbox)
    assert config.project is not None and config.repl is not None  # validated by LeanConfig
    return installed_repl(config.repl, config.project, lean_version(config.project), config.imports, sandbox)


@contextmanager
def open_pool(
    config: LeanConfig, *, workers: int = 0, batch: int = 32, trusted_headers: bool = False, queue_limit: int = 1_000_000
) -> Iterator[Pool]:
    """Open a local pool of the Lean that `config` selects, with its limits and its cache; `workers`, if not 0, replaces its workers.

    The other arguments are those of `Pool`. Raises LeanWorkerError if this Lean is unavailable.
    """
    backend, limits = make_backend(config), config.limits
    with ExitStack() as opened:
        yield opened.enter_context(
            Pool(
                workers or config.workers,
                limits.seconds,
                backend=backend,
                batch=batch,
                heartbeats=limits.heartbeats,
                memory_bytes=limits.memory_bytes,
                trusted_headers=trusted_headers,
                queue_limit=queue_limit,
                cache=opened.enter_context(closing(VerdictCache(config.cache))) if config.cache is not None else None,
            )
        )


def misjudgement(pool: LeanPool) -> str | None:
    """Return the verdicts on a true and a false theorem if either is wrong, or None if both are correct. No cache knows the theorems."""
    nonce = secrets.token_hex(8)
    true, false = pool.check_many(
        [
            Check("true", f"theorem true_{nonce} (p : Prop) : p → p := by sorry", "fun h => h"),
            Check("false", f"theorem false_{nonce} : 2 + 2 = 5 := by sorry", "by decide"),
        ]
    )
    if (true.accepted, false.accepted) == (True, False):
        return None
    results = [f"{verdict.id}: {verdict.kind} {' '.join(message.text for message in verdict.messages)}" for verdict in (true, false)]
    return "; ".join(results)[:300]


def second_judgement(pool: LeanPool) -> str:
    """Return "works" if the slow tier accepts a true theorem, otherwise what it says."""
    check = Check("again", f"theorem again_{secrets.token_hex(8)} (p : Prop) (h : p) : p := by sorry", "h", tier="slow")
    [verdict] = pool.check_many([check])
    return "works" if verdict.kind == "accepted" else "does NOT work: " + " ".join(message.text for message in verdict.messages)[:300]


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
