"""Temporary folders that are removed when their process ends, however it ends."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lean_worker.lifeline import removal

_PREFIX = "lean-slow-tier-"
_LOCK = "lock"


class WorkFolder:
    """A temporary folder, removed by `close`.

    If the process is killed instead, a small process that waits for its end removes the folder. If both are killed, the next WorkFolder
    removes it: a folder whose lock is free is abandoned.
    """

    def __init__(self) -> None:
        base = Path(tempfile.gettempdir())
        _sweep(base)
        # hidden until it is locked, so that no other process treats it as abandoned
        hidden = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=base))
        self._lock = os.open(hidden / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.path = hidden.rename(base / hidden.name.removeprefix("."))
        watched, self._held = os.pipe()
        self._remover = subprocess.Popen(
            removal(self.path, watched),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
            pass_fds=(watched,),
        )
        os.close(watched)

    def close(self) -> None:
        """Remove the folder with all its contents. A second call does nothing."""
        if self._held < 0:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._held)
        self._held = -1
        self._remover.wait()
        os.close(self._lock)


def _sweep(base: Path) -> None:
    """Remove the folders of processes that have ended."""
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            if _abandoned(folder / _LOCK):
                shutil.rmtree(folder, ignore_errors=True)


def _abandoned(lock: Path) -> bool:
    """Return whether no process holds the lock; without a lock the folder is half removed."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
