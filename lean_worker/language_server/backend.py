"""Language server backend, for an installed Lean, a Lake project (for example with Mathlib), and the embedded Lean."""

import hashlib
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

from lean_worker.embedded.build import IMPORTS, PRELUDE, CoreLibrary, command_tokens, embedded_files, lean_command, lean_environment
from lean_worker.embedded.slow_phases import SlowLimits
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.language_server.session import LanguageServer
from lean_worker.proof_filter import COMMANDS
from lean_worker.sandbox.read_list import command_files, installed_environment, installed_files
from lean_worker.sandbox.sandbox import SandboxConfig, wrap
from lean_worker.session import BackendUnavailable, Limits

_PROBE_SECONDS = 120
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

    @property
    def inside(self) -> SandboxConfig:
        """Sandbox settings of its processes. With a read list, the program and scripts of the command may be read too."""
        return replace(self.sandbox, read=(*self.sandbox.read, *command_files(self.command))) if self.sandbox.read else self.sandbox

    def start(self, opening: str, limits: Limits) -> LanguageServer:
        """Start a server and load the opening before returning, which takes seconds for Mathlib."""
        options = {"server.reportDelayMs": "0", **limits.options}
        command = [*self.command, *(f"-D{name}={value}" for name, value in options.items())]
        return LanguageServer(wrap(command, self.inside), self.environment, self.folder, opening, limits)

    def second_judge(self, seconds: float = SlowLimits.seconds) -> SlowTier | None:
        """Return the slow tier, which exists only for the embedded Lean's own library."""
        return SlowTier(self.core, SlowLimits(seconds), self.sandbox) if self.core is not None else None


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
    """Write the worker script: the server starts its workers by one path without arguments."""
    script = core.path / "lean-worker.sh"
    text = "#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in command) + ' "$@"\n'
    if not script.exists() or script.read_text() != text:
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
    return ServerBackend(
        command=(environment.get("LEAN") or str(sysroot / "bin" / "lean"), "--server"),
        environment=environment,
        folder=folder or Path("/"),
        name="language-server",
        lean=lean_version(folder),
        library=_manifest(folder) if folder else "Init",
        imports=imports,
        allowed=allowed | frozenset(imports),
        sandbox=replace(sandbox, read=(*installed_files(environment, sysroot, folder), *sandbox.read)),
    )


def installed_lean(folder: Path | None) -> tuple[dict[str, str], Path]:
    """Return the environment and the toolchain's folder of the Lean of a Lake project, or of the one on the PATH.

    Lake runs outside the sandbox. Raises BackendUnavailable if there is no such Lean.
    """
    program = "lake" if folder is not None else "lean"
    if shutil.which(program) is None:
        raise BackendUnavailable(f"`{program}` is not on the PATH; install Lean with elan (https://lean-lang.org) or use the embedded Lean")
    if folder is not None and not any((folder / name).is_file() for name in ("lakefile.toml", "lakefile.lean")):
        raise BackendUnavailable(f"--project: {folder} has no lakefile; give the folder of a Lake project")
    environment = dict(os.environ) if folder is None else _lake_environment(folder)
    sysroot = environment.get("LEAN_SYSROOT") if folder is not None else None
    toolchain = Path(sysroot or _output([*_inside(folder), "lean", "--print-prefix"], folder or Path("/")))
    return installed_environment(environment, toolchain), toolchain


def _inside(folder: Path | None) -> list[str]:
    """Return the prefix that runs a command under Lake, if there is a project."""
    return ["lake", "env"] if folder is not None else []


def _lake_environment(folder: Path) -> dict[str, str]:
    """Return the variables under which Lake runs programs in a project; a value may contain line breaks."""
    pairs = (entry.partition("=") for entry in _output(["lake", "env", "printenv", "--null"], folder).split("\0"))
    return {name: value for name, equals, value in pairs if equals}


def lean_version(folder: Path | None = None) -> str:
    """Return the version of the Lean of a Lake project, or of the one on the PATH. Raises BackendUnavailable if none runs."""
    output = _output([*_inside(folder), "lean", "--version"], folder or Path("/"))
    return output.partition("version ")[2].partition(",")[0] or output


def _output(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendUnavailable(f"`{' '.join(command)}` does not run ({error}); reinstall Lean with elan") from error
    if done.returncode:
        raise BackendUnavailable(f"`{' '.join(command)}` fails: {done.stderr.strip()[:300]}; run `lake build` in the project first")
    return done.stdout.strip()


def _manifest(folder: Path) -> str:
    """Return a hash that identifies a project's libraries: that of its manifest."""
    manifest = folder / "lake-manifest.json"
    return hashlib.sha256(manifest.read_bytes()).hexdigest()[:20] if manifest.is_file() else "no manifest"
