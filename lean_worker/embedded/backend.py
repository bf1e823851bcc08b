"""The fork backend: the embedded Lean initialised once, a forked child for every document, so that nothing survives it."""

from dataclasses import dataclass, field, replace

from lean_worker.embedded.build import IMPORTS, PRELUDE, CoreLibrary, embedded_files, ensure_core
from lean_worker.embedded.process import LeanProcess
from lean_worker.embedded.slow_phases import SlowLimits
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.sandbox.sandbox import SandboxConfig
from lean_worker.session import Limits


@dataclass(frozen=True)
class ForkBackend:
    """Raises LeanUnavailable or BuildError at construction where the embedded Lean cannot be used."""

    core: CoreLibrary = field(default_factory=ensure_core)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    name: str = "embedded-fork"
    prelude: str = PRELUDE
    imports: tuple[str, ...] = IMPORTS
    allowed: frozenset[str] = frozenset()
    batch: int = 32

    @property
    def lean(self) -> str:
        return self.core.lean_version

    @property
    def library(self) -> str:
        return self.core.hash

    @property
    def inside(self) -> SandboxConfig:
        """The settings of the process that runs a document; the one that forks it may start others."""
        return replace(self.sandbox, read=(*embedded_files(self.core), *self.sandbox.read), max_processes=1)

    def start(self, opening: str, limits: Limits) -> LeanProcess:
        """Any opening will do: the child reads it anew."""
        return LeanProcess(self.core, limits, self.sandbox)

    def second_judge(self, seconds: float = SlowLimits.seconds) -> SlowTier:
        return SlowTier(self.core, SlowLimits(seconds), self.sandbox)
