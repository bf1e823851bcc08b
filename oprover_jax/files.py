"""Files that are there whole or not at all."""

import errno
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oprover_jax.errors import DiskFull, InputError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())
_TEMPORARY = re.compile(rf"\..+\.{re.escape(_HOST)}\.(\d+)\.tmp")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a name beside `path` to write to; the written file takes the place of `path` when the block ends without an error.

    After an error, or when the process is killed, `path` is what it was before. A kill leaves the temporary file behind, for
    `remove_leftovers`. Raises DiskFull where there is no room.
    """
    temporary = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.tmp")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(f"{path} cannot be written ({error.strerror}); make room, and the same command goes on") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Gives a new folder beside `path` to write files and folders to; it takes the place of `path`, a folder or nothing, when the block
    ends without an error.

    After an error, or when the process is killed, `path` is what it was before, and what is left beside it the next call clears away.
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
    """Remove the temporary files below `folder` whose writer, a process of this host, no longer runs."""
    for path in folder.rglob(".*.tmp"):
        written_by = _TEMPORARY.fullmatch(path.name)
        if written_by and not _runs(int(written_by[1])):
            path.unlink(missing_ok=True)


def claim(folder: Path, settings: bytes, program: str, option: str) -> None:
    """Makes `folder` the place of work of `program` under `settings`, kept in its settings.json, unless it is that already.

    Raises InputError, naming the command line's `option`, where it was begun with other settings or holds anything else.
    """
    path = folder / "settings.json"
    if path.exists():
        if path.read_bytes() != settings:
            raise InputError(f"{folder} was begun with other settings (see its settings.json); give a new {option}")
        remove_leftovers(folder)
        return
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and holds no work of `{program}`; give a new {option}")
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(settings)


def sync(path: Path) -> None:
    """A file, or the names in a folder, reach the disk: a new name outlives a power cut only when its folder has been written."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _put_back(replaced: Path, path: Path) -> None:
    """What was moved out of the way comes back, unless its successor is there."""
    if replaced.exists() and not path.exists():
        os.replace(replaced, path)
    shutil.rmtree(replaced, ignore_errors=True)
