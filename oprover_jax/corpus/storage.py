"""A folder on this machine or on any fsspec store (`s3://`, `gs://`, `memory://`), and the writing of Parquet files.

What a function here has written has reached the disk when it returns; a store over the network keeps what it has acknowledged.
"""

import os
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.fs as arrow_fs
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from oprover_jax.files import sync

ROW_GROUP_ROWS = 65_536
ROW_GROUP_BYTES = 128 * 2**20
PARQUET: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
"""How all Parquet files of ours are written."""


@dataclass(frozen=True)
class Storage:
    """`root` on the file system `fs`; all paths are relative to it, with `/` between folders."""

    fs: fsspec.AbstractFileSystem
    root: str

    @property
    def local(self) -> bool:
        return isinstance(self.fs, LocalFileSystem)

    def path(self, relative: str) -> str:
        """As the file system wants it."""
        return f"{self.root}/{relative}"

    def url(self, relative: str) -> str:
        """For messages and for other programs: a path on this machine, else a URL."""
        return self.path(relative) if self.local else self.fs.unstrip_protocol(self.path(relative))

    def arrow(self) -> arrow_fs.FileSystem:
        return arrow_fs.LocalFileSystem() if self.local else arrow_fs.PyFileSystem(arrow_fs.FSSpecHandler(self.fs))

    def sizes(self, folder: str, hidden: bool = False) -> dict[str, int]:
        """The files under `folder`, at any depth, and their sizes in bytes: those in plain sight, or those that `create` is making."""
        self.fs.invalidate_cache()
        skip = len(self.root) + 1
        found = self.fs.find(self.path(folder), detail=True) if self.fs.isdir(self.path(folder)) else {}
        return {path[skip:]: info["size"] for path, info in found.items() if path.rsplit("/", 1)[1].startswith(".") == hidden}

    def sizes_of(self, relatives: Iterable[str]) -> dict[str, int]:
        """Sizes in bytes of those files that are there."""
        self.fs.invalidate_cache()
        found = {}
        for relative in relatives:
            with suppress(FileNotFoundError):
                found[relative] = self.fs.info(self.path(relative))["size"]
        return found

    def read(self, relatives: Iterable[str]) -> dict[str, bytes]:
        """Whole files by name; many are fetched at once where the store can. Raises FileNotFoundError."""
        paths = {self.path(relative): relative for relative in relatives}
        return {paths[path]: data for path, data in self.fs.cat(list(paths)).items()} if paths else {}

    def create(self, relative: str, data: bytes) -> None:
        """Makes a file, whole or not at all. Raises FileExistsError where there is one: of several writers one succeeds."""
        path = self.path(relative)
        self.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        if not self.local:
            self.fs.pipe_file(path, data, mode="create")
            return
        target = Path(path)
        hidden = target.with_name(f".part-{time.time_ns():020d}-{uuid.uuid4().hex}.tmp")
        try:
            hidden.write_bytes(data)
            sync(hidden)
            os.link(hidden, target)  # fails where there is a file, as a renaming would not
        finally:
            hidden.unlink(missing_ok=True)
        sync(target.parent)

    def write_parquet(self, relative: str, rows: pa.Table) -> int:
        """Writes a file under a name that nobody else uses; its size in bytes."""
        path = self.path(relative)
        self.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        with self.fs.open(path, "wb") if not self.local else open(path, "wb") as file:
            write_parquet(rows, file)
            size = file.tell()
        if self.local:
            sync(Path(path))
            sync(Path(path).parent)
        return size

    def remove(self, relatives: Iterable[str]) -> None:
        """Removes files; those that are gone already are passed over."""
        for relative in relatives:
            with suppress(FileNotFoundError):
                self.fs.rm_file(self.path(relative))


def open_storage(where: str | Path) -> Storage:
    fs, root = fsspec.core.url_to_fs(str(where))
    return Storage(fs, root.rstrip("/"))


def write_parquet(rows: pa.Table, file: Any) -> None:
    """Writes a table to a file open for bytes, in row groups that a reader can hold."""
    large = max(1, -(-rows.nbytes // ROW_GROUP_BYTES))
    pq.write_table(
        rows,
        file,
        row_group_size=max(1, min(ROW_GROUP_ROWS, -(-len(rows) // large))),
        **PARQUET,
    )
