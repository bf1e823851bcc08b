"""Lists of the files that a confined process may read: Python and the system's libraries, or an installed Lean and its project."""

import functools
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from lean_worker.errors import LeanWorkerError

# Lean reads /proc only for the memory policy; nothing of any process may be read there. The shell starts the server's workers.
SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/bin/sh", "/etc/ld.so.cache"),
    *("/usr/share/locale", "/usr/share/zoneinfo", "/etc/localtime"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/sys/vm", "/sys/devices/system", "/sys/kernel/mm/transparent_hugepage"),
    *("/dev/urandom", "/dev/zero"),
)

_PACKAGE = Path(__file__).parents[1]
_LOADED = "import ctypes; print(open('/proc/self/maps').read())"
_NAMES = (
    *("LEAN", "LEAN_PATH", "LEAN_SRC_PATH", "LEAN_SYSROOT", "LEAN_NUM_THREADS", "LEAN_WORKER_PATH"),
    *("LAKE", "LAKE_HOME", "LD_LIBRARY_PATH"),
)


@functools.cache
def python_files() -> tuple[str, ...]:
    """Return the files that the running Python needs: system and own libraries, its standard library and this package's scripts."""
    files = {sys.executable, f"{sys.prefix}/pyvenv.cfg", sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(_PACKAGE)}
    loaded = subprocess.run([sys.executable, "-I", "-S", "-c", _LOADED], env={}, capture_output=True, text=True, check=True).stdout
    for line in loaded.split("\n"):
        _, slash, path = line.partition("/")
        if slash and ".so" in path:
            files.add(f"/{path}")
    return (*SYSTEM, *sorted(files))


def installed_environment(found: Mapping[str, str], sysroot: Path) -> dict[str, str]:
    """Return a minimal environment for an installed Lean, without the service's own variables, least of all its key.

    Args:
        found: the variables under which Lake runs programs in the project, or the service's own if there is no project.
        sysroot: the folder of the toolchain.
    """
    kept = {name: found[name] for name in _NAMES if found.get(name)}
    return {**kept, "PATH": os.pathsep.join([str(sysroot / "bin"), os.defpath]), "LC_ALL": "C.UTF-8"}


def installed_files(environment: Mapping[str, str], sysroot: Path, project: Path | None) -> tuple[Path, ...]:
    """Return what an installed Lean may read: its toolchain, the folders of compiled modules, and the project's folder.

    Args:
        environment: the variables that Lean gets; LEAN_PATH names the folders of compiled modules.
        sysroot: the folder of the toolchain.
        project: the folder of the Lake project, if there is one.

    Raises:
        LeanWorkerError: a folder contains the user's home, and so everything that must not be read.
    """
    modules = [Path(entry) for entry in environment.get("LEAN_PATH", "").split(os.pathsep) if os.path.isabs(entry)]
    readable = dict.fromkeys(path.resolve() for path in (sysroot, *([project] if project else []), *modules))
    home = Path.home().resolve()
    for path in readable:
        if path == home or path in home.parents:
            raise LeanWorkerError(f"{path} contains the home folder, which Lean must not read; move the project into a folder of its own")
    return tuple(readable)


def command_files(command: Sequence[str]) -> tuple[Path, ...]:
    """Return the files that a command names by absolute paths: programs and scripts that it needs to run."""
    return tuple(Path(word) for word in command if os.path.isabs(word) and os.path.isfile(word))
