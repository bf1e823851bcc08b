"""Atomic writing of files and folders."""

import errno
import os
import re
import shutil
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from oprover_jax.errors import DiskFull, InputError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_END = 2**16
_HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())
_TEMPORARY = re.compile(rf"\..+\.{re.escape(_HOST)}\.(\d+)\.tmp")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; the file written there replaces `path` when the block ends without an error.

    After an error, or if the process is killed, `path` is unchanged. A killed process leaves its temporary file for `remove_leftovers`.

    Raises:
      DiskFull: There is not enough space.
    """
    temporary = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.tmp")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(f"{path} cannot be written ({error.strerror}); free some space and run the same command again") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder next to `path`; it replaces `path`, if that exists, when the block ends without an error.

    After an error, or if the process is killed, `path` is unchanged; the next call removes what a killed process left behind.
    """
    path = path.resolve()
    temporary, replaced = path.with_name(f".{path.name}.new.tmp"), path.with_name(f".{path.name}.old.tmp")
    _put_back(replaced, path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for written in [*temporary.rglob("*"), temporary]:
            sync(written)
        if path.exists():
            os.replace(path, replaced)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        _put_back(replaced, path)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files below `folder` that were written by processes of this host that no longer run."""
    for path in folder.rglob(".*.tmp"):
        written_by = _TEMPORARY.fullmatch(path.name)
        if written_by and not _runs(int(written_by[1])):
            path.unlink(missing_ok=True)


def claim(folder: Path, settings: bytes, program: str, option: str) -> None:
    """Claim `folder` as the working folder of `program` and store `settings` in its settings.json; do nothing if it already matches.

    Args:
      folder: Working folder; created if it does not exist.
      settings: Serialised settings of the program.
      program: Command name for the error message.
      option: Command-line option for the error message.

    Raises:
      InputError: The folder was created with other settings or holds anything else.
    """
    path = folder / "settings.json"
    if path.exists():
        if path.read_bytes() != settings:
            raise InputError(f"{option}: {folder} was created with other settings (see its settings.json); give a new folder")
        remove_leftovers(folder)
        return
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{option}: {folder} is not empty and was not created by `{program}`; give a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(settings)


@contextmanager
def locked(folder: Path, option: str = "--run") -> Iterator[None]:
    """Hold the lock of a run folder, which is created if needed; the lock ends with its process, however that ends.

    The lock is that of the operating system on `folder`/.lock; `folder`/.owner says which process holds it.

    Args:
      folder: Run folder.
      option: Command-line option for the error message.

    Raises:
      InputError: Another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / ".owner"
    lock = FileLock(folder / ".lock", blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        held_by = owner.read_text(encoding="utf-8") if owner.exists() else "another process"
        raise InputError(f"{option}: {folder} is in use by {held_by}; wait for it, stop it, or give another folder") from error
    try:
        owner.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk; a new name survives a power loss only after its folder is flushed."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def ends_checksum(path: Path) -> int:
    """Return the CRC-32 of the first and last 64 KiB of a file, which tells torn and foreign files of any size in no time."""
    with path.open("rb") as file:
        checksum = zlib.crc32(file.read(_END))
        file.seek(max(0, path.stat().st_size - _END))
        return zlib.crc32(file.read(_END), checksum)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _put_back(replaced: Path, path: Path) -> None:
    """Restore a folder that was moved aside, unless its replacement exists."""
    if replaced.exists() and not path.exists():
        os.replace(replaced, path)
    shutil.rmtree(replaced, ignore_errors=True)
