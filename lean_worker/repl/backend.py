"""REPL backend, for machines with a built leanprover-community/repl."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from lean_worker.embedded.slow_phases import Program, SlowLimits
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.language_server.installed import installed_lean, installed_program
from lean_worker.language_server.second_judge import NO_CHECKER, find_checker, installed_tier
from lean_worker.proof_filter import COMMANDS
from lean_worker.repl.session import Repl
from lean_worker.sandbox.read_list import command_files, installed_files
from lean_worker.sandbox.sandbox import SandboxConfig, wrap
from lean_worker.session import BackendUnavailable, Limits


@dataclass(frozen=True)
class ReplBackend:
    """Backend of a REPL. `command` starts the REPL in `folder`, the Lake project whose modules it may import; `sandbox` confines it."""

    command: tuple[str, ...]
    environment: dict[str, str] = field(hash=False)
    folder: Path
    lean: str
    library: str
    imports: tuple[str, ...]
    allowed: frozenset[str] = frozenset()
    prelude: str = ""
    name: str = "repl"
    isolates: bool = False
    commands: frozenset[str] = COMMANDS
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    program: Program | None = None
    checker: Path | None = None

    @property
    def inside(self) -> SandboxConfig:
        """Sandbox settings of its processes. With a read list, the program and scripts of the command may be read too."""
        return replace(self.sandbox, read=(*self.sandbox.read, *command_files(self.command))) if self.sandbox.read else self.sandbox

    def start(self, opening: str, limits: Limits) -> Repl:
        """Start a REPL and load the opening before returning, which takes seconds for Mathlib."""
        return Repl(wrap(list(self.command), self.inside), self.environment, self.folder, opening, limits)

    @property
    def lacks(self) -> str:
        """Why there is no slow tier; empty if there is one."""
        return "" if self.program is not None and self.checker is not None else NO_CHECKER

    def second_judge(self, seconds: float = SlowLimits.seconds, heartbeats: int | None = None) -> SlowTier | None:
        """Return the slow tier, which runs `lean` instead of the REPL, or None without a re-checker."""
        if self.program is None:
            return None
        opening = self.prelude + "".join(f"import {module}\n" for module in self.imports)
        return installed_tier(self.program, self.checker, opening, seconds, heartbeats, self.sandbox)


def installed_repl(program: Path, folder: Path, lean: str, imports: tuple[str, ...], sandbox: SandboxConfig | None = None) -> ReplBackend:
    """Return the REPL binary `program` as a backend for the Lake project `folder`; `lean` is the version that verdicts report.

    Lake is called once, outside the sandbox, for the environment; the REPL then runs without it. Raises BackendUnavailable if program or
    project is missing.
    """
    if not os.access(program, os.X_OK):
        raise BackendUnavailable(f"--repl: {program} is not a program; build leanprover-community/repl and give its .lake/build/bin/repl")
    environment, sysroot = installed_lean(folder)
    sandbox = sandbox or SandboxConfig()
    return ReplBackend(
        command=(str(program.resolve()),),
        environment=environment,
        folder=folder,
        lean=lean,
        library=str(folder),
        imports=imports,
        allowed=frozenset(imports),
        sandbox=replace(sandbox, read=(program.resolve(), *installed_files(environment, sysroot, folder), *sandbox.read)),
        program=installed_program(folder, environment, sysroot),
        checker=find_checker(sysroot, folder, os.environ.get("PATH", "")),
    )
