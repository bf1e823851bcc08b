"""Language server backend, for an installed Lean, a Lake project (for example with Mathlib), and the embedded Lean."""

import hashlib
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from lean_worker.embedded.build import IMPORTS, PRELUDE, CoreLibrary, command_tokens, embedded_files, lean_command, lean_environment
from lean_worker.embedded.slow_phases import Program, SlowLimits
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.language_server.installed import installed_lean, installed_program, library_hash
from lean_worker.language_server.second_judge import NO_CHECKER, find_checker, installed_tier
from lean_worker.language_server.session import LanguageServer
from lean_worker.lean_options import known_options
from lean_worker.proof_filter import COMMANDS
from lean_worker.sandbox.read_list import command_files, installed_files
from lean_worker.sandbox.sandbox import SandboxConfig, wrap
from lean_worker.session import Limits

_SANDBOX = SandboxConfig()


@dataclass(frozen=True)
class ServerBackend:
    """Backend of a language server. `command` starts `lean --server`; options follow it. `folder` is its working directory: a Lake project,
    or any folder.

    `sandbox` confines the server and its workers.
    """

    command: tuple[str, ...]
    environment: dict[str, str] = field(hash=False)
    folder: Path
    name: str
    lean: str
    library: str
    imports: tuple[str, ...]
    allowed: frozenset[str] = frozenset()
    prelude: str = ""
    isolates: bool = False
    commands: frozenset[str] = COMMANDS
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    core: CoreLibrary | None = None
    program: Program | None = None
    checker: Path | None = None

    @property
    def lacks(self) -> str:
        """Why there is no slow tier; empty if there is one."""
        if self.core is None and self.program is None:
            return "the embedded Lean checks proofs again with its own library only; use the fast tier"
        return "" if self.core is not None or self.checker is not None else NO_CHECKER

    @property
    def inside(self) -> SandboxConfig:
        """Sandbox settings of its processes. With a read list, the program and scripts of the command may be read too."""
        return replace(self.sandbox, read=(*self.sandbox.read, *command_files(self.command))) if self.sandbox.read else self.sandbox

    def start(self, opening: str, limits: Limits) -> LanguageServer:
        """Start a server and load the opening before returning, which takes seconds for Mathlib."""
        options = {"server.reportDelayMs": "0", **known_options(limits.options, self.lean)}
        command = [*self.command, *(f"-D{name}={value}" for name, value in options.items())]
        return LanguageServer(wrap(command, self.inside), self.environment, self.folder, opening, limits)

    def second_judge(self, seconds: float = SlowLimits.seconds, heartbeats: int | None = None) -> SlowTier | None:
        """Return the slow tier, or None if an installed Lean has no re-checker, or if the embedded Lean has more modules than its own."""
        if self.core is not None:
            return SlowTier(self.core, SlowLimits(seconds, max(heartbeats or 0, SlowLimits.heartbeats)), self.sandbox)
        if self.program is None:
            return None
        opening = self.prelude + "".join(f"import {module}\n" for module in self.imports)
        return installed_tier(self.program, self.checker, opening, seconds, heartbeats, self.sandbox)


def embedded_server(
    core: CoreLibrary, path: Path | None = None, allowed: frozenset[str] = frozenset(), sandbox: SandboxConfig = _SANDBOX
) -> ServerBackend:
    """Return the embedded Lean as a server. `path` is a folder of further compiled modules, whose roots are named in `allowed`."""
    command = lean_command(core.library)
    environment = lean_environment(core.path) | {"LEAN_WORKER_PATH": str(_worker_script(core, command))}
    if path is not None:
        environment["LEAN_PATH"] += os.pathsep + str(path)
    read = (*embedded_files(core), *([path] if path else []), *sandbox.read)
    return ServerBackend(
        command=(*command, "--server"),
        environment=environment,
        folder=Path("/"),
        name="embedded-server",
        lean=core.lean_version,
        library=core.hash,
        imports=IMPORTS,
        allowed=allowed,
        prelude=PRELUDE,
        sandbox=replace(sandbox, read=read),
        core=core if path is None else None,
        commands=command_tokens(core),
    )


def _worker_script(core: CoreLibrary, command: list[str]) -> Path:
    """Write the worker script: the server starts its workers by one path without arguments.

    Several installations may share the folder, so the name depends on the content.
    """
    text = "#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in command) + ' "$@"\n'
    script = core.path / f"lean-worker-{hashlib.sha256(text.encode()).hexdigest()[:16]}.sh"
    if not script.exists():
        temporary = script.with_suffix(f".{os.getpid()}")
        temporary.write_text(text)
        temporary.chmod(temporary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        temporary.rename(script)
    return script


def installed_server(
    folder: Path | None = None, imports: tuple[str, ...] = (), allowed: frozenset[str] = frozenset(), sandbox: SandboxConfig = _SANDBOX
) -> ServerBackend:
    """Return the Lean that is installed on this machine, with the modules of the Lake project `folder` or without a project.

    `imports` open every document whose header names none (for example ("Mathlib",); if empty, Init alone); headers may import modules under
    `allowed`. Lake is called once, outside the sandbox, for the paths of the project's modules; the server then runs without it, so that
    nothing needs to be written. Raises BackendUnavailable if there is no such Lean.
    """
    environment, sysroot = installed_lean(folder)
    program = installed_program(folder, environment, sysroot)
    return ServerBackend(
        command=(*program.command, "--server"),
        environment=environment,
        folder=folder or Path("/"),
        name="language-server",
        lean=program.version,
        library=library_hash(folder) if folder else "Init",
        imports=imports,
        allowed=allowed | frozenset(imports),
        sandbox=replace(sandbox, read=(*installed_files(environment, sysroot, folder), *sandbox.read)),
        program=program,
        checker=find_checker(sysroot, folder, os.environ.get("PATH", "")),
    )
