"""Storage in a local folder or any fsspec store (`s3://`, `gs://`, `memory://`), with writing of Parquet files.

Written data has reached the disk when a function returns; a network store keeps what it has acknowledged.
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
"""Settings of all Parquet files that this package writes."""


@dataclass(frozen=True)
class Storage:
    """Folder `root` on the file system `fs`; all paths are relative to it, with `/` between folders."""

    fs: fsspec.AbstractFileSystem
    root: str

    @property
    def local(self) -> bool:
        return isinstance(self.fs, LocalFileSystem)

    def path(self, relative: str) -> str:
        """Return the path in the form of the file system."""
        return f"{self.root}/{relative}"

    def url(self, relative: str) -> str:
        """Return a local path, or a URL, for messages and other programs."""
        return self.path(relative) if self.local else self.fs.unstrip_protocol(self.path(relative))

    def arrow(self) -> arrow_fs.FileSystem:
        return arrow_fs.LocalFileSystem() if self.local else arrow_fs.PyFileSystem(arrow_fs.FSSpecHandler(self.fs))

    def sizes(self, folder: str, hidden: bool = False) -> dict[str, int]:
        """Return the files under `folder`, at any depth, with their sizes in bytes: visible ones, or those that `create` is writing."""
        self.fs.invalidate_cache()
        skip = len(self.root) + 1
        files = self.fs.find(self.path(folder), detail=True) if self.fs.isdir(self.path(folder)) else {}
        return {path[skip:]: info["size"] for path, info in files.items() if path.rsplit("/", 1)[1].startswith(".") == hidden}

    def sizes_of(self, relatives: Iterable[str]) -> dict[str, int]:
        """Return the sizes in bytes of those files that exist."""
        self.fs.invalidate_cache()
        sizes = {}
        for relative in relatives:
            with suppress(FileNotFoundError):
                sizes[relative] = self.fs.info(self.path(relative))["size"]
        return sizes

    def read(self, relatives: Iterable[str]) -> dict[str, bytes]:
        """Return whole files by name, fetched concurrently if the store can. Raises FileNotFoundError."""
        paths = {self.path(relative): relative for relative in relatives}
        return {paths[path]: data for path, data in self.fs.cat(list(paths)).items()} if paths else {}

    def create(self, relative: str, data: bytes) -> None:
        """Create a file atomically. Raises FileExistsError if it exists: of several writers one succeeds."""
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
            os.link(hidden, target)  # fails if the file exists, unlike a rename
        finally:
            hidden.unlink(missing_ok=True)
        sync(target.parent)

    def write_parquet(self, relative: str, rows: pa.Table) -> int:
        """Write a file under a name that is not used otherwise; return its size in bytes."""
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
        """Remove files, skipping those that do not exist."""
        for relative in relatives:
            with suppress(FileNotFoundError):
                self.fs.rm_file(self.path(relative))


def open_storage(where: str | Path) -> Storage:
    fs, root = fsspec.core.url_to_fs(str(where))
    return Storage(fs, root.rstrip("/"))


def write_parquet(rows: pa.Table, file: Any) -> None:
    """Write a table to a binary file, in row groups that fit a reader's memory."""
    large = max(1, -(-rows.nbytes // ROW_GROUP_BYTES))
    pq.write_table(
        rows,
        file,
        row_group_size=max(1, min(ROW_GROUP_ROWS, -(-len(rows) // large))),
        **PARQUET,
    )
