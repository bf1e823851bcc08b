"""Configuration of Lean: which one checks proofs, where it runs, and the limits of a check."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from lean_worker.errors import LeanWorkerError
from lean_worker.protocol import Tier
from lean_worker.sandbox.sandbox import Kind
from lean_worker.session import Limits

BackendName = Literal["embedded-fork", "embedded-server", "language-server", "repl", "remote"]

EMBEDDED: tuple[BackendName, ...] = ("embedded-fork", "embedded-server")

_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.01, 86_400.0

# A runaway of the embedded Lean takes about 0.2 ms per heartbeat, so it reaches this limit within the time limit and ends as a
# deterministic failure instead of a timeout, which would be retried. The slow tier uses the same limit. Installed Leans keep Lean's own
# default, which proofs written for Mathlib rely on, and get the time that it takes.
_EMBEDDED_HEARTBEATS, _EMBEDDED_SECONDS = 20_000, 10.0
_INSTALLED_HEARTBEATS, _INSTALLED_SECONDS = 200_000, 60.0


@dataclass(frozen=True)
class LeanConfig:
    """Selection of the Lean that checks proofs, and limits of a check. Raises LeanWorkerError for values that contradict each other."""

    backend: BackendName = "embedded-fork"
    """How Lean is run. embedded-fork and embedded-server are self-contained, with core Lean only; language-server and repl use the Lean
    that elan installed; remote uses lean-worker services."""
    urls: tuple[str, ...] = ()
    """Addresses of the services of backend remote, each http://HOST:PORT."""
    connections: int = 128
    """Checks in flight to each service."""
    patience: float = 300.0
    """Seconds for which a check waits for a Lean that is away, one whose services or processes give no answer."""
    key_file: Path | None = None
    """File whose first line is the bearer key of the services, or, for `lean-worker serve`, of the service; without it, the variable
    LEAN_WORKER_KEY."""
    project: Path | None = None
    """Lake project to run in, already built (language-server: optional; repl: required)."""
    imports: tuple[str, ...] = ()
    """Modules imported by every check whose header imports none, for example Mathlib; headers may import modules under these."""
    repl: Path | None = None
    """Path to the built program of leanprover-community/repl."""
    workers: int = 2
    """Lean processes that check concurrently; the number of CPU cores is a good value."""
    timeout: float | None = None
    """Wall clock of one check, in seconds, without its time in the queue. None: 10 for the embedded Lean, 60 for an installed one."""
    heartbeats: int | None = None
    """Lean's deterministic limit, in thousands of small allocations, as in `maxHeartbeats`. None: 20,000 for the embedded Lean, Lean's own
    200,000 for an installed one."""
    memory_gib: float = 8.0
    """Memory limit of each Lean process, in GiB of address space."""
    tier: Tier = "slow"
    """Tier that a proof must pass before it is stored. Slow verifies it twice, the second time in processes that never ran it."""
    sandbox: Kind = "auto"
    """Sandbox that keeps Lean from files and network; `lean-worker doctor` reports what is available."""
    require_sandbox: bool = False
    """Refuse to start if files and network cannot be closed off."""
    cache: Path | None = None
    """File that stores verdicts across restarts; several pools on one machine may share it."""

    def __post_init__(self) -> None:
        for name in ("connections", "workers"):
            if getattr(self, name) < 1:
                raise LeanWorkerError(f"{name} is {getattr(self, name)}; it must be at least 1")
        check_seconds("patience", self.patience)
        if self.timeout is not None:
            check_seconds("timeout", self.timeout)
        if self.sandbox == "none" and self.require_sandbox:
            raise LeanWorkerError("require_sandbox: sandbox is none; choose auto, bubblewrap or landlock")
        if self.backend == "remote":
            self._check_remote()
        else:
            self._check_local()
        try:
            _ = self.limits
        except ValueError as error:
            raise LeanWorkerError(str(error)) from error

    @property
    def limits(self) -> Limits:
        """The limits of a check, with the backend's defaults for those that are None."""
        embedded = self.backend in EMBEDDED
        seconds = _EMBEDDED_SECONDS if embedded else _INSTALLED_SECONDS
        heartbeats = _EMBEDDED_HEARTBEATS if embedded else _INSTALLED_HEARTBEATS
        return Limits(
            seconds=self.timeout if self.timeout is not None else seconds,
            heartbeats=self.heartbeats if self.heartbeats is not None else heartbeats,
            memory_bytes=int(self.memory_gib * (1 << 30)),
        )

    @property
    def identity(self) -> dict[str, Any]:
        """What the outcome of a build depends on, as JSON values; where it runs, how fast, and how it is confined are left out."""
        limits = self.limits
        return {
            "backend": "embedded" if self.backend in EMBEDDED else self.backend,
            "project": str(self.project or ""),
            "imports": list(self.imports),
            "heartbeats": limits.heartbeats,
            "seconds": limits.seconds,
            "tier": self.tier,
        }

    def over(self, own: "LeanConfig") -> "LeanConfig":
        """Return `own` with the values that differ from the defaults here; another backend than the default one replaces `own` as a whole.

        This is how options on a command line change a stored configuration, as `--lean.workers 8` keeps its backend and project.
        """
        given = {one.name: value for one in fields(self) if (value := getattr(self, one.name)) != one.default}
        return self if "backend" in given else replace(own, **given)

    def _check_remote(self) -> None:
        if not self.urls:
            raise LeanWorkerError("urls: backend remote needs the address of at least one service; give http://HOST:PORT")
        for url in self.urls:
            if not _is_address(url):
                raise LeanWorkerError(f"urls: {url!r} is not the address of a service; give http://HOST:PORT")
        if len({url.rstrip("/") for url in self.urls}) < len(self.urls):
            raise LeanWorkerError("urls: an address occurs twice; give each service once")
        for name in ("project", "imports", "repl", "timeout", "heartbeats", "require_sandbox", "cache"):
            if getattr(self, name) not in (None, (), False):
                raise LeanWorkerError(f"{name}: backend remote leaves this to the service; give it to `lean-worker serve` there")

    def _check_local(self) -> None:
        if self.urls:
            raise LeanWorkerError(f"urls: backend {self.backend} uses no service; choose backend remote or leave urls out")
        if self.backend in EMBEDDED and (self.project is not None or self.imports):
            raise LeanWorkerError(f"project and imports: not supported by backend {self.backend}; choose backend language-server")
        if self.backend == "repl" and (self.project is None or self.repl is None):
            raise LeanWorkerError("backend repl needs project (a Lake project) and repl (the built leanprover-community/repl); give both")
        if self.backend != "repl" and self.repl is not None:
            raise LeanWorkerError(f"repl: not used by backend {self.backend}; choose backend repl or leave it out")


def check_seconds(name: str, value: float) -> None:
    """Raise LeanWorkerError unless `value`, of the option `name`, is a number of seconds that a clock can wait for."""
    if not _SHORTEST_SECONDS <= value <= _LONGEST_SECONDS:
        raise LeanWorkerError(f"{name} is {value:g}; give a number of seconds from {_SHORTEST_SECONDS:g} to {_LONGEST_SECONDS:g}")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
