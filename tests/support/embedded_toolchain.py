"""An installed Lean made of the embedded one: a folder as elan installs it, and libraries compiled with it.

The imitation is a script that starts the embedded Lean. What it reports of itself, how it starts its workers and where it finds `Init` is
as with a real one; `Init` is the embedded core library.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import lean_worker.embedded
from lean_worker.embedded.build import NAME, OPENING, ensure_core, lean_command

_SCRIPT = """#!/bin/sh
case "$1" in
--version) echo "Lean (version {version}, x86_64-unknown-linux-gnu, commit {commit}, Release)"; exit ;;
--print-prefix) echo "{folder}"; exit ;;
esac
LEAN_PATH="${{LEAN_PATH:+$LEAN_PATH:}}{folder}/lib/lean"
LEAN_WORKER_PATH="{folder}/bin/lean"
export LEAN_PATH LEAN_WORKER_PATH
exec {lean} "$@"
"""
_CHECKER = """#!/bin/sh
LEAN_PATH="${{LEAN_PATH:+$LEAN_PATH:}}{folder}/lib/lean" exec {python} "$@"
"""
_LINK = re.compile(r"^import +([\w.]+)", re.M)


def make_toolchain(folder: Path, checker: bool = True) -> Path:
    """Make a toolchain in `folder`, which must not exist, with or without a re-checker, and return its `bin`, for the PATH."""
    core = ensure_core()
    library, binaries = folder / "lib" / "lean", folder / "bin"
    (library / NAME).mkdir(parents=True)
    binaries.mkdir()
    for file in core.library.path.parent.glob("*.so"):
        _link(file, folder / "lib" / file.name)
    _link(core.path / NAME / "All.olean", library / NAME / "All.olean")
    command = [sys.executable, *lean_command(core.library)[1:-1], str(folder / "lib" / core.library.path.name)]
    words = " ".join(f"'{word}'" for word in command)
    lean = binaries / "lean"
    lean.write_text(_SCRIPT.format(version=core.lean_version, commit="0" * 40, folder=folder, lean=words))
    lean.chmod(0o755)
    if checker:
        script = folder / "lib" / "leanchecker.py"
        shutil.copyfile(Path(__file__).with_name("embedded_leanchecker.py"), script)
        words = [sys.executable, "-I", "-S", "-W", "ignore", str(script), str(Path(lean_worker.embedded.__file__).parent), command[-1]]
        program = binaries / "leanchecker"
        program.write_text(_CHECKER.format(folder=folder, python=" ".join(f"'{word}'" for word in words)))
        program.chmod(0o755)
    source = folder / "Init.lean"
    source.write_text(OPENING)
    _compile(binaries, folder, source, library / "Init.olean")
    source.unlink()
    return binaries


def compile_library(binaries: Path, source: Path, folder: Path) -> Path:
    """Compile the library of a source folder into `folder`, dependencies first, with the Lean in `binaries`; return `folder`."""
    shutil.copytree(source, folder)
    done: set[str] = set()

    def build(module: str) -> None:
        file = folder / f"{module.replace('.', '/')}.lean"
        if module in done or not file.is_file():
            return
        done.add(module)
        for needed in _LINK.findall(file.read_text()):
            build(needed)
        _compile(binaries, folder, file, file.with_suffix(".olean"))

    for file in sorted(folder.glob("*.lean")):
        build(file.stem)
    return folder


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file.resolve(), target)
    except OSError:
        shutil.copyfile(file, target)


def _compile(binaries: Path, folder: Path, source: Path, target: Path) -> None:
    command = [str(binaries / "lean"), "-R", str(folder), "-o", str(target), str(source)]
    done = subprocess.run(command, env={"LEAN_PATH": str(folder), "PATH": os.defpath}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{source} does not compile: {(done.stdout + done.stderr).strip()[:2000]}")
