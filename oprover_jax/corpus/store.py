"""Folders of Parquet parts inside a run: the results of one stage, one kind of record per folder. Data that outlives runs is in the corpus.

A part is written under a hidden name, flushed to disk and renamed, so readers see all of an append or none of it; its name contains the
time and a random tag, so writers never conflict. Parts are read in order of writing. Each row is self-contained, including its statement.

Trajectories have a key: stage, statement and sample. A chunk that was written twice, by a repeated or duplicated attempt, is read once:
the first copy of a key counts. Version 2 stored trajectories even if Lean was away (`accepted` null); these are not read.
"""

import time
import uuid
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from oprover_jax.corpus import tables
from oprover_jax.corpus.storage import write_parquet
from oprover_jax.errors import InputError
from oprover_jax.files import replacing
from oprover_jax.records import READABLE, SCHEMA_VERSION, ProofRecord, Statement, Trajectory

_READABLE = ("1", *map(str, READABLE))  # version 1 had the statement's fields next to those of the proof or trajectory

_BATCH_ROWS = 256

Record = TypeVar("Record")


class StoreError(InputError):
    """A part file does not contain what its folder should contain."""


@dataclass(frozen=True)
class Table(Generic[Record]):
    """Conversion of one kind of record to and from Parquet rows.

    `key` identifies a row; of several rows with one key, the first counts. Rows with the key None do not count.
    """

    name: str
    schema: pa.Schema
    encode: Callable[[Record], dict[str, Any]]
    decode: Callable[[dict[str, Any]], Record]
    key: Callable[[dict[str, Any]], Hashable] | None = None


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
    lambda row: None if row["accepted"] is None else (row["stage"], _statement(row).id, row["sample"]),
)


def append(folder: Path, table: Table[Record], records: Sequence[Record]) -> Path | None:
    """Add `records` to `folder` as one part, atomically. Return the part's path, or None if there is nothing to add.

    Raises:
      ValueError: A record has no key, such as a trajectory that ended because Lean was away. Nothing is written.
    """
    if not records:
        return None
    encoded = [table.encode(record) for record in records]
    if table.key is not None and None in map(table.key, encoded):
        raise ValueError(f"{table.name} for {folder} include one without a verdict, which must not be stored; verify it first")
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {b"oprover.table": table.name.encode(), b"oprover.version": str(SCHEMA_VERSION).encode()}
    rows = pa.Table.from_pylist(encoded, schema=table.schema.with_metadata(metadata))
    part = folder / f"part-{time.time_ns():020d}-{uuid.uuid4().hex}.parquet"
    with replacing(part) as hidden, hidden.open("wb") as file:
        write_parquet(rows, file)
    return part


def parts(folder: Path) -> list[Path]:
    """Return the part files of `folder` in order of writing; empty if the folder does not exist."""
    return sorted(folder.glob("part-*.parquet"))


def read(folder: Path, table: Table[Record]) -> list[Record]:
    """Return all records of `folder` in order of writing. Raises StoreError for a part that cannot be read or has other contents."""
    return list(iterate(folder, table))


def iterate(folder: Path, table: Table[Record]) -> Iterator[Record]:
    """Yield all records of `folder` in order of writing, reading a few at a time. Raises StoreError like `read`."""
    seen: set[Hashable] = {None}
    for part in parts(folder):
        for row in _rows(part, table.name):
            if table.key is not None:
                if (key := table.key(row)) in seen:
                    continue
                seen.add(key)
            yield table.decode(row)


def _rows(part: Path, expected: str) -> Iterator[dict[str, Any]]:
    try:
        with part.open("rb") as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            _require(part, parquet.schema_arrow, expected)
            for batch in parquet.iter_batches(_BATCH_ROWS):
                yield from batch.to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"{part} cannot be read as Parquet ({error}); remove it or restore it from a copy") from error


def _require(part: Path, schema: pa.Schema, expected: str) -> None:
    metadata = schema.metadata or {}
    kind, version = metadata.get(b"oprover.table", b"").decode(), metadata.get(b"oprover.version", b"").decode()
    if kind != expected or version not in _READABLE:
        raise StoreError(
            f"{part} contains {kind or 'unknown'} rows of version {version or '?'}, expected {expected} of version "
            f"{SCHEMA_VERSION}; read it with the release that wrote it, or remove it"
        )
