"""Manifest of an export, `manifest.json`, by which import verifies the files."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from oprover_jax.errors import InputError
from oprover_jax.records import READABLE, SCHEMA_VERSION

FORMAT = 1
NAME = "manifest.json"


class Shard(msgspec.Struct, frozen=True):
    """One Parquet file; `path` is relative to the export."""

    path: str
    rows: int
    bytes: int
    sha256: str


class LeftOut(msgspec.Struct, frozen=True):
    """Rows of one table that were not exported because of their licence."""

    table: str
    licence: str
    rows: int


class Manifest(msgspec.Struct, frozen=True):
    """Description of an export. `made_from` is a hash of the snapshot and the settings; equal hashes mean equal files. `commits` counts the
    snapshot's commits by command."""

    made_from: str
    made_at: str
    licences: list[str]
    tables: dict[str, list[Shard]]
    left_out: list[LeftOut]
    commits: dict[str, int]
    schema: int = SCHEMA_VERSION
    format: int = FORMAT

    @property
    def content(self) -> str:
        """A hash of all rows in order."""
        shards = [f"{table} {shard.sha256}" for table, table_shards in sorted(self.tables.items()) for shard in table_shards]
        return hashlib.sha256("\n".join(shards).encode()).hexdigest()[:24]

    def rows(self, table: str) -> int:
        return sum(shard.rows for shard in self.tables.get(table, []))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    (folder / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest. Raises InputError if `folder` is not an export, or one of another version."""
    path = folder / NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{folder} has no {NAME}, so it is not an export; give a folder written by `oprover corpus export`") from None
    except msgspec.DecodeError as error:
        raise InputError(f"{path} cannot be read ({error}); export or download it again") from error
    if manifest.format != FORMAT or manifest.schema not in READABLE:
        raise InputError(
            f"{folder} is an export of format {manifest.format} with rows of version {manifest.schema}, but this version reads {FORMAT} and"
            f" {SCHEMA_VERSION}; read it with the release that wrote it"
        )
    return manifest


def check_files(folder: Path, manifest: Manifest, on_bytes: Callable[[int], None] | None = None) -> None:
    """Read all files and compare them with the manifest; `on_bytes` is called with the total bytes read so far.

    Raises:
      InputError: a file is missing, torn or changed.
    """
    read = 0
    for shard in [shard for shards in manifest.tables.values() for shard in shards]:
        path = folder / shard.path
        if not path.is_file():
            raise InputError(f"{path} is missing; download the export again")
        if path.stat().st_size != shard.bytes:
            raise InputError(f"{path} is torn ({path.stat().st_size:,} bytes of {shard.bytes:,}); download it again")
        if sha256(path) != shard.sha256:
            raise InputError(f"{path} differs from the export (SHA-256); download it again")
        read += shard.bytes
        if on_bytes is not None:
            on_bytes(read)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
