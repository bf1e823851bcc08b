"""Script that tries what a sandbox must refuse and prints as JSON what succeeded: `python probe.py OUTSIDE INSIDE HOST PORT PID`.

OUTSIDE is a folder with one file named `file`, INSIDE a writable folder, PID a process outside. Standard library only.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial

_libc = ctypes.CDLL(None, use_errno=True)


def _can(action: Callable[[], object]) -> bool:
    try:
        action()
    except OSError:
        return False
    return True


def _write(path: str) -> None:
    with open(path, "w") as file:
        file.write("changed")


def _read(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)


def _truncate(path: str) -> None:
    if _libc.truncate(path.encode(), ctypes.c_long(1)):
        raise OSError(ctypes.get_errno())


def _connect(host: str, port: int) -> None:
    socket.create_connection((host, port), timeout=5).close()


def _started(count: int) -> int:
    """Return how many of `count` processes could be started at once."""
    children: list[int] = []
    with contextlib.suppress(OSError):
        while len(children) < count:
            child = os.fork()
            if child == 0:
                signal.pause()
                os._exit(0)
            children.append(child)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return len(children)


def main(outside: str, inside: str, host: str, port: int, pid: int) -> None:
    """Try everything and print the results."""
    target = os.path.join(outside, "file")
    secrets = (target, "/etc/passwd", f"/proc/{pid}/cmdline", f"/proc/{pid}/environ")
    attempts: list[Callable[[], object]] = [
        lambda: _write(os.path.join(outside, "new")),
        lambda: _write(target),
        lambda: _truncate(target),
        lambda: os.chmod(target, 0o777),
        lambda: os.symlink("x", os.path.join(outside, "link")),
        lambda: os.rename(target, os.path.join(outside, "other")),
        lambda: os.unlink(target),
    ]
    children = _started(8)
    readable = [_can(partial(_read, secret)) for secret in secrets]
    done = [_can(attempt) for attempt in attempts]  # all of them, not only up to the first that succeeds
    found = {
        "changed": any(done),
        "read": any(readable),
        "written_inside": _can(lambda: _write(os.path.join(inside, "file"))),
        "connected": _can(lambda: _connect(host, port)),
        "forked": children > 0,
        "many": children == 8,
        "signalled": _can(lambda: os.kill(pid, 0)),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
