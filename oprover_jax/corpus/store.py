"""Folders of Parquet parts inside a run: the results of one stage, one kind of record per folder. Data that outlives runs is in the corpus.

A part is written under a hidden name, flushed to disk and renamed, so readers see all of an append or none of it; its name contains the
time and a random tag, so writers never conflict. Parts are read in order of writing. Each row is self-contained, including its statement.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from oprover_jax.corpus import tables
from oprover_jax.corpus.storage import write_parquet
from oprover_jax.errors import InputError
from oprover_jax.files import replacing
from oprover_jax.records import SCHEMA_VERSION, ProofRecord, Statement, Trajectory

READABLE = ("1", str(SCHEMA_VERSION))  # version 1 had the statement's fields next to those of the proof or trajectory

Record = TypeVar("Record")


class StoreError(InputError):
    """A part file does not contain what its folder should contain."""


@dataclass(frozen=True)
class Table(Generic[Record]):
    """Conversion of one kind of record to and from Parquet rows."""

    name: str
    schema: pa.Schema
    encode: Callable[[Record], dict[str, Any]]
    decode: Callable[[dict[str, Any]], Record]


def _statement(row: dict[str, Any]) -> Statement:
    return tables.statement_of(row.get("statement", {**row, "lean": ""}))  # version 1: `lean` is the proof's


STATEMENTS: Table[Statement] = Table("statements", pa.schema(tables.STATEMENT_FIELDS), tables.statement_columns, tables.statement_of)

_STATEMENT = ("statement", pa.struct(tables.STATEMENT_FIELDS))

PROOFS: Table[ProofRecord] = Table(
    "proofs",
    pa.schema([_STATEMENT, *tables.PROOF_FIELDS]),
    lambda record: {"statement": tables.statement_columns(record.statement), **tables.proof_columns(record)},
    lambda row: tables.proof_of(row, _statement(row)),
)

TRAJECTORIES: Table[Trajectory] = Table(
    "trajectories",
    pa.schema([_STATEMENT, *tables.TRAJECTORY_FIELDS]),
    lambda trajectory: {"statement": tables.statement_columns(trajectory.statement), **tables.trajectory_columns(trajectory)},
    lambda row: tables.trajectory_of(row, _statement(row)),
)


def append(folder: Path, table: Table[Record], records: Sequence[Record]) -> Path | None:
    """Add `records` to `folder` as one part, atomically. Return the part's path, or None if there is nothing to add."""
    if not records:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {b"oprover.table": table.name.encode(), b"oprover.version": str(SCHEMA_VERSION).encode()}
    rows = pa.Table.from_pylist([table.encode(record) for record in records], schema=table.schema.with_metadata(metadata))
    part = folder / f"part-{time.time_ns():020d}-{uuid.uuid4().hex}.parquet"
    with replacing(part) as hidden, hidden.open("wb") as file:
        write_parquet(rows, file)
    return part


def parts(folder: Path) -> list[Path]:
    """Return the part files of `folder` in order of writing; empty if the folder does not exist."""
    return sorted(folder.glob("part-*.parquet"))


def read(folder: Path, table: Table[Record]) -> list[Record]:
    """Return all records of `folder` in order of writing. Raises StoreError for a part that cannot be read or has other contents."""
    return [table.decode(row) for part in parts(folder) for row in _rows(part, table.name)]


def _rows(part: Path, expected: str) -> list[dict[str, Any]]:
    try:
        with part.open("rb") as file:
            rows = pq.ParquetFile(file, page_checksum_verification=True).read()
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"{part} cannot be read as Parquet ({error}); remove it or restore it from a copy") from error
    metadata = rows.schema.metadata or {}
    kind, version = metadata.get(b"oprover.table", b"").decode(), metadata.get(b"oprover.version", b"").decode()
    if kind != expected or version not in READABLE:
        raise StoreError(
            f"{part} contains {kind or 'unknown'} rows of version {version or '?'}, expected {expected} of version "
            f"{SCHEMA_VERSION}; read it with the release that wrote it, or remove it"
        )
    return rows.to_pylist()
