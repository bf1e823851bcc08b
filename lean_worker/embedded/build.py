"""Compiles the core library to one .olean file, once per content of its sources and of the Lean library."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
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
    (folder / NAME / "Opening.lean").write_text(OPENING)
    _run_lean(library, folder, source.with_suffix(".olean"), "-R", folder, "-o", source.with_suffix(".olean"), source)


def _run_lean(library: Library, folder: Path, target: Path, *arguments: str | Path) -> None:
    command = lean_command(library, *arguments)
    done = subprocess.run(command, env=lean_environment(folder), capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
    if done.returncode or not target.is_file():
        words = (done.stdout + done.stderr).strip()[:6000]
        raise BuildError(f"the core library does not compile to {target.name} (exit code {done.returncode}): {words}")


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


def ensure_snapshot(core: CoreLibrary, options: Sequence[str]) -> Path:
    """Lean's own snapshot of a document that has only imported the library: loading it saves a third of a check.

    It holds the options under which it was made, which win over those of the command line, and names the shared library by its path, so
    that each set of options and each place of the library has its own.
    """
    key = hashlib.sha256(repr((options, core.library.path)).encode()).hexdigest()[:12]
    target = core.path / NAME / f"opening-{key}.snapshot"
    if not target.is_file():
        with tempfile.TemporaryDirectory(prefix=".snapshot-", dir=core.path) as folder:
            made = Path(folder) / target.name
            _run_lean(core.library, core.path, made, *options, f"--incr-header-save={made}", core.path / NAME / "Opening.lean")
            for file in (made.with_name(f"{made.name}.deps"), made):  # the snapshot last: it is what is looked for
                file.rename(target.with_name(file.name))
    return target
