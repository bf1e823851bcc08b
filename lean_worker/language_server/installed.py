"""The Lean that is installed on this machine: its environment, its version, and what it accepts."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lean_worker.embedded.slow_phases import Program
from lean_worker.sandbox.read_list import installed_environment
from lean_worker.session import BackendUnavailable

_PROBE_SECONDS = 120


def installed_lean(folder: Path | None) -> tuple[dict[str, str], Path]:
    """Return the environment and the toolchain's folder of the Lean of a project, or of the one on the PATH.

    A project is a Lake project, or a folder of compiled modules without Lake. Lake runs outside the sandbox. Raises BackendUnavailable if
    there is no such Lean.
    """
    lake = folder is not None and _uses_lake(folder)
    program = "lake" if lake else "lean"
    if shutil.which(program) is None:
        raise BackendUnavailable(f"`{program}` is not on the PATH; install Lean with elan (https://lean-lang.org) or use the embedded Lean")
    if folder is not None and not lake and not any(folder.glob("*.olean")):
        raise BackendUnavailable(
            f"project: {folder} has neither a lakefile nor compiled modules (.olean); give the folder of a Lake project"
        )
    environment = _lake_environment(folder) if folder is not None and lake else dict(os.environ)
    if folder is not None and not lake:
        environment["LEAN_PATH"] = os.pathsep.join(filter(None, [str(folder.resolve()), environment.get("LEAN_PATH")]))
    sysroot = environment.get("LEAN_SYSROOT") if lake else None
    toolchain = Path(sysroot or _output([*_inside(folder), "lean", "--print-prefix"], folder or Path("/")))
    return installed_environment(environment, toolchain), toolchain


def installed_program(folder: Path | None, environment: Mapping[str, str], toolchain: Path) -> Program:
    """Return the Lean of a project, or of the PATH, as a command, given its environment and its toolchain's folder."""
    lean = environment.get("LEAN") or str(toolchain / "bin" / "lean")
    return Program((lean,), environment, (toolchain,), lean_version(folder))


def _uses_lake(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("lakefile.toml", "lakefile.lean"))


def _inside(folder: Path | None) -> list[str]:
    """Return the prefix that runs a command under Lake, if there is a Lake project."""
    return ["lake", "env"] if folder is not None and _uses_lake(folder) else []


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


def library_hash(folder: Path) -> str:
    """Return a hash that identifies a project's libraries: that of its manifest, or of the dates of its modules if it has none."""
    manifest = folder / "lake-manifest.json"
    if manifest.is_file():
        return hashlib.sha256(manifest.read_bytes()).hexdigest()[:20]
    if _uses_lake(folder):
        return "no manifest"
    listed = [f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in sorted(folder.rglob("*.olean"))]
    return hashlib.sha256("\n".join(listed).encode()).hexdigest()[:20]
