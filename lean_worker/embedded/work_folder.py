"""Temporary folders that do not outlive the process that made them, however it ends."""

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
    """A temporary folder of its own, removed by `close`.

    Where the process is killed instead, a small process that waits for its end removes the folder. Where both are killed, the next
    WorkFolder does: a folder whose lock nobody holds is nobody's.
    """

    def __init__(self) -> None:
        base = Path(tempfile.gettempdir())
        _sweep(base)
        # hidden until it is locked, so that no other process takes it for abandoned
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
        """Remove the folder with all that it holds. A second call does nothing."""
        if self._held < 0:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._held)
        self._held = -1
        self._remover.wait()
        os.close(self._lock)


def _sweep(base: Path) -> None:
    """Remove the folders of processes that are gone."""
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            if _abandoned(folder / _LOCK):
                shutil.rmtree(folder, ignore_errors=True)


def _abandoned(lock: Path) -> bool:
    """Return whether no process holds the lock; without a lock its folder was half removed."""
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
