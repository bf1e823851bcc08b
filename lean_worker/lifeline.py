"""Wrapper that ends a command with its process group, or removes a folder, as soon as the process that started it is gone.

A Lean in the middle of a proof would not notice that nobody reads its output any more. Standard library only: it runs as a plain script,
`python lifeline.py DESCRIPTOR [cpu=SECONDS] [address_space=BYTES] [file=BYTES] -- command...` or `python lifeline.py DESCRIPTOR
remove=FOLDER`. The descriptor is the reading end of a pipe whose other end the parent holds. It must lead its process group.
"""

import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_LIMITS = {"cpu": resource.RLIMIT_CPU, "address_space": resource.RLIMIT_AS, "file": resource.RLIMIT_FSIZE}
_REMOVING_SECONDS = 10.0


def _line(descriptor: int, *words: str) -> list[str]:
    return [sys.executable, "-I", "-S", str(Path(__file__)), str(descriptor), *words]


def guarded(command: Sequence[str], descriptor: int, *, address_space: int, cpu: int | None = None, file: int | None = None) -> list[str]:
    """Return the command line that runs `command` under a lifeline.

    Args:
        command: the command to run.
        descriptor: the reading end of a pipe, to be passed to the process; the parent keeps the other end.
        address_space: limit of address space for each process, in bytes.
        cpu: limit of processor time for each process, in seconds.
        file: size limit of each file, in bytes.
    """
    limits = {"cpu": cpu, "address_space": address_space, "file": file}
    return _line(descriptor, *(f"{name}={value}" for name, value in limits.items() if value is not None), "--", *command)


def removal(folder: Path, descriptor: int) -> list[str]:
    """Return the command line of a process that removes `folder` once the other end of the pipe is closed."""
    return _line(descriptor, f"remove={folder}")


def _wait_for_end(descriptor: int) -> None:
    os.read(descriptor, 1)


def _watch(descriptor: int) -> None:
    _wait_for_end(descriptor)
    os.killpg(0, signal.SIGKILL)


def _remove(folder: str) -> None:
    """Remove a folder into which dying processes may still write."""
    end = time.monotonic() + _REMOVING_SECONDS
    while os.path.lexists(folder) and time.monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)


def _run(descriptor: int, limits: dict[str, str], command: list[str]) -> int:
    """Return the command's exit code, or 128 plus the number of the signal that ended it, as a shell does."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, value in limits.items():
        resource.setrlimit(_LIMITS[name], (int(value), int(value)))
    os.set_inheritable(descriptor, False)
    child = os.posix_spawnp(command[0], command, os.environ)
    threading.Thread(target=_watch, args=(descriptor,), daemon=True).start()
    os.close(0)
    os.close(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


def main(words: list[str]) -> int:
    """Run according to the command line; return the exit code."""
    descriptor, end = int(words[0]), words.index("--") if "--" in words else len(words)
    options = dict(word.split("=", 1) for word in words[1:end])
    folder = options.pop("remove", None)
    if folder is None:
        return _run(descriptor, options, words[end + 1 :])
    _wait_for_end(descriptor)
    _remove(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
