"""Compiles the core library to one .olean file, once per content of its sources and of the Lean library."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lean_worker.embedded import binding_lists, bindings, mangle
from lean_worker.embedded.library import LeanUnavailable, Library, find_library
from lean_worker.errors import LeanWorkerError

NAME = "OProverCore"
_ORDER = "Core Data Syntax Bind Logic Simp Prop Nat NatMore List WF Quote Misc Config AC Int IntDiv Omega OmegaFacts"
MODULES = tuple(_ORDER.split())
IMPORTS = (f"{NAME}.All",)
PRELUDE = "prelude\n"
OPENING = f"{PRELUDE}import {IMPORTS[0]}\n"

_SOURCES = Path(__file__).parent / "core"
_RUN_LEAN = Path(__file__).parent / "run_lean.py"
_FRONTEND = Path(__file__).parent / "frontend.py"
_COMMANDS = "commands.json"
_BUILD_SECONDS = 300


class BuildError(LeanWorkerError):
    """The core library did not compile; the message holds Lean's first words."""


@dataclass(frozen=True)
class CoreLibrary:
    """The compiled core library: `path` is the folder for LEAN_PATH, `hash` names its content."""

    path: Path
    hash: str
    library: Library

    @property
    def lean_version(self) -> str:
        return self.library.lean_version


def cache_folder() -> Path:
    """Where compiled libraries are kept: below $XDG_CACHE_HOME, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "oprover_jax" / "lean"


def _sources() -> dict[str, str]:
    return {name: (_SOURCES / f"{name}.lean").read_text() for name in MODULES if name != "Bind"}


def content_hash(library: Library) -> str:
    """Names the result of a build: everything that goes into it."""
    digest = hashlib.sha256(library.sha256.encode())
    for file in (bindings.__file__, binding_lists.__file__, mangle.__file__, __file__):
        digest.update(Path(str(file)).read_bytes())
    for name, text in _sources().items():
        digest.update(f"\0{name}\0{text}".encode())
    return digest.hexdigest()[:20]


def joined_source(library: Library) -> str:
    """All modules as one: importing one .olean is faster than importing ten. Each keeps its own section."""
    texts = _sources() | {"Bind": bindings.bindings(library)}
    parts = ["prelude\n"]
    for name in MODULES:
        lines = (line for line in texts[name].split("\n") if not line.startswith(("prelude", "import ")))
        parts.append("section\n" + "\n".join(lines) + "\nend\n")
    return "".join(parts)


def lean_command(library: Library, *arguments: str | Path) -> list[str]:
    """The command line of one `lean` process of the embedded Lean."""
    return [sys.executable, "-I", "-S", str(_RUN_LEAN), str(library.path), *map(str, arguments)]


def lean_environment(core_path: Path) -> dict[str, str]:
    """A small environment for Lean processes: nothing of the caller's leaks into what Lean sees."""
    return {"LEAN_PATH": str(core_path), "PATH": os.defpath, "LC_ALL": "C.UTF-8"}


def embedded_files(core: CoreLibrary) -> tuple[Path, ...]:
    """Return all that the embedded Lean needs to read, besides Python and the system's libraries."""
    return core.library.path.parent, core.path


def _compile(library: Library, folder: Path) -> None:
    source = folder / NAME / "All.lean"
    source.parent.mkdir(parents=True)
    source.write_text(joined_source(library))
    target = source.with_suffix(".olean")
    _run(lean_command(library, "-R", folder, "-o", target, source), folder)
    if not target.is_file():
        raise BuildError("the core library compiles, but to nothing; reinstall the wheel")
    asked = [sys.executable, "-I", "-S", str(_FRONTEND), str(library.path), OPENING]
    (folder / NAME / _COMMANDS).write_text(_run(asked, folder))


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, env=lean_environment(folder), capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
    if done.returncode:
        words = (done.stdout + done.stderr).strip()[:6000]
        raise BuildError(f"the core library does not compile (exit code {done.returncode}): {words}")
    return done.stdout


def ensure_core(cache_dir: Path | None = None) -> CoreLibrary:
    """The compiled core library, built first where the cache does not hold it yet (a few seconds).

    Several processes may call it at once: each builds in a folder of its own and the first to finish puts it in place.
    Raises LeanUnavailable where the wheel is missing or wrong, BuildError where a source does not compile.
    """
    library = find_library()
    key = content_hash(library)
    cache = cache_dir or cache_folder()
    target = cache / key
    core = CoreLibrary(target, key, library)
    if not (target / NAME / "All.olean").is_file():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=cache))
        except OSError as error:
            remedy = "set XDG_CACHE_HOME to a writable folder"
            raise LeanUnavailable(f"cannot write the cache folder {cache}: {error.strerror}; {remedy}") from error
        try:
            _compile(library, work)
            os.chmod(work, 0o755)
            os.rename(work, target)
        except OSError:
            if not (target / NAME / "All.olean").is_file():
                raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return core


def command_tokens(core: CoreLibrary) -> frozenset[str]:
    """Return the words and `#` symbols that begin a command for a text that imports the core library, as Lean itself has them.

    What begins a command among other things, such as `@[` and `/--`, is not among them.
    """
    found = json.loads((core.path / NAME / _COMMANDS).read_text())
    return frozenset(token for token in found if token[0].isalpha() or token[0] == "#")
