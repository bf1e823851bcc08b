"""Fork backend: the embedded Lean initialised once, with a forked process for every candidate, so that no state survives a candidate."""

import functools
from dataclasses import dataclass, field, replace

from lean_worker.embedded.build import IMPORTS, PRELUDE, CoreLibrary, command_tokens, embedded_files, ensure_core
from lean_worker.embedded.process import LeanTree
from lean_worker.embedded.slow_phases import SlowLimits
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.sandbox.sandbox import SandboxConfig
from lean_worker.session import Limits


@dataclass(frozen=True)
class ForkBackend:
    """Backend that forks the embedded Lean. Raises LeanUnavailable or BuildError at construction if it is unavailable."""

    core: CoreLibrary = field(default_factory=ensure_core)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    name: str = "embedded-fork"
    prelude: str = PRELUDE
    imports: tuple[str, ...] = IMPORTS
    allowed: frozenset[str] = frozenset()
    isolates: bool = True
    lacks: str = ""

    @property
    def lean(self) -> str:
        return self.core.lean_version

    @property
    def library(self) -> str:
        return self.core.hash

    @functools.cached_property
    def commands(self) -> frozenset[str]:
        return command_tokens(self.core)

    @property
    def inside(self) -> SandboxConfig:
        """Sandbox settings of the process that runs a candidate; its parents may start other processes."""
        return replace(self.sandbox, read=(*embedded_files(self.core), *self.sandbox.read), max_processes=1)

    def start(self, opening: str, limits: Limits) -> LeanTree:
        """Return a tree whose root has loaded the opening."""
        return LeanTree(self.core, opening, limits, self.sandbox)

    def second_judge(self, seconds: float = SlowLimits.seconds, heartbeats: int | None = None) -> SlowTier:
        return SlowTier(self.core, SlowLimits(seconds, max(heartbeats or 0, SlowLimits.heartbeats)), self.sandbox)
