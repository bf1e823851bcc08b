"""Parquet folders for what is kept: statements, proofs and whole trajectories.

A folder holds part files. A part is written under a hidden name, flushed to disk and renamed, so readers see all of an append or none
of it; its name carries the time and a random tag, so two writers never meet. Reading takes the parts in order of writing.
Token ids and log-probabilities are list columns; other nested values are JSON text in a column.
"""

import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from oprover_jax.errors import InputError
from oprover_jax.records import SCHEMA_VERSION, ProofRecord, Round, Statement, Trajectory

Record = TypeVar("Record")

_TEXT = pa.string()
_STATEMENT = [(name, pa.int32() if name == "difficulty" else _TEXT) for name in Statement.__struct_fields__]
_IDS = pa.list_(pa.list_(pa.int32()))
_ROUND_LISTS = ("prompt_ids", "attempt_ids", "logprobs")


class StoreError(InputError):
    """A part file that is not what its folder holds."""


@dataclass(frozen=True)
class Table(Generic[Record]):
    """How one kind of record becomes Parquet rows and comes back."""

    name: str
    schema: pa.Schema
    encode: Callable[[Record], dict[str, Any]]
    decode: Callable[[dict[str, Any]], Record]


def _statement_row(statement: Statement) -> dict[str, Any]:
    return {name: getattr(statement, name) for name in Statement.__struct_fields__}


def _statement(row: dict[str, Any]) -> Statement:
    return Statement(**{name: row[name] for name in Statement.__struct_fields__})


def _proof_row(record: ProofRecord) -> dict[str, Any]:
    own = {name: getattr(record, name) for name in ProofRecord.__struct_fields__ if name not in ("statement", "axioms")}
    return {**_statement_row(record.statement), **own, "axioms": list(record.axioms)}


def _proof(row: dict[str, Any]) -> ProofRecord:
    own = {name: row[name] for name in ProofRecord.__struct_fields__ if name not in ("statement", "axioms")}
    return ProofRecord(statement=_statement(row), axioms=tuple(row["axioms"]), **own)


def _trajectory_row(trajectory: Trajectory) -> dict[str, Any]:
    rest = [{name: getattr(r, name) for name in Round.__struct_fields__ if name not in _ROUND_LISTS} for r in trajectory.rounds]
    lists = {name: [list(getattr(r, name)) for r in trajectory.rounds] for name in _ROUND_LISTS}
    own = {name: getattr(trajectory, name) for name in ("sample", "stage", "version")}
    accepted = {"accepted": trajectory.accepted}
    return {**_statement_row(trajectory.statement), **own, **accepted, **lists, "rounds": [msgspec.json.encode(r).decode() for r in rest]}


def _trajectory(row: dict[str, Any]) -> Trajectory:
    rounds = []
    for index, text in enumerate(row["rounds"]):
        lists = {name: row[name][index] for name in _ROUND_LISTS}
        rounds.append(msgspec.convert({**msgspec.json.decode(text), **lists}, Round))
    return Trajectory(statement=_statement(row), sample=row["sample"], stage=row["stage"], rounds=tuple(rounds), version=row["version"])


STATEMENTS: Table[Statement] = Table("statements", pa.schema(_STATEMENT), _statement_row, _statement)

PROOFS: Table[ProofRecord] = Table(
    "proofs",
    pa.schema(
        [
            *_STATEMENT,
            ("proof", _TEXT),
            ("lean", _TEXT),
            ("library", _TEXT),
            ("axioms", pa.list_(_TEXT)),
            ("seconds", pa.float64()),
            ("origin", _TEXT),
        ]
    ),
    _proof_row,
    _proof,
)

TRAJECTORIES: Table[Trajectory] = Table(
    "trajectories",
    pa.schema(
        [
            *_STATEMENT,
            ("sample", pa.int32()),
            ("stage", _TEXT),
            ("version", pa.int32()),
            ("accepted", pa.bool_()),
            ("prompt_ids", _IDS),
            ("attempt_ids", _IDS),
            ("logprobs", pa.list_(pa.list_(pa.float64()))),
            ("rounds", pa.list_(_TEXT)),
        ]
    ),
    _trajectory_row,
    _trajectory,
)


def append(folder: Path, table: Table[Record], records: Sequence[Record]) -> Path | None:
    """Add `records` to `folder` as one part, all or nothing; the part's path, None where there was nothing to add."""
    if not records:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {b"oprover.table": table.name.encode(), b"oprover.version": str(SCHEMA_VERSION).encode()}
    rows = pa.Table.from_pylist([table.encode(record) for record in records], schema=table.schema.with_metadata(metadata))
    name = f"part-{time.time_ns():020d}-{uuid.uuid4().hex}.parquet"
    hidden = folder / f".{name}.tmp"
    try:
        with hidden.open("wb") as file:
            pq.write_table(rows, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        os.replace(hidden, folder / name)
    finally:
        hidden.unlink(missing_ok=True)
    return folder / name


def parts(folder: Path) -> list[Path]:
    """The part files of `folder` in order of writing; none where the folder does not exist."""
    return sorted(folder.glob("part-*.parquet"))


def read(folder: Path, table: Table[Record]) -> list[Record]:
    """All records of `folder`, in order of writing. Raises StoreError naming a part that cannot be read or holds something else."""
    return [table.decode(row) for part in parts(folder) for row in _rows(part, table.name, table.schema.names)]


def counts(folder: Path, columns: Iterable[str] = ("origin", "family")) -> dict[str, dict[str, int]]:
    """How many rows there are for each value of each column; reads only these columns."""
    wanted = list(columns)
    found: dict[str, Counter[str]] = {column: Counter() for column in wanted}
    for part in parts(folder):
        for row in _rows(part, None, wanted):
            for column in wanted:
                found[column][str(row[column])] += 1
    return {column: dict(sorted(counter.items())) for column, counter in found.items()}


def _rows(part: Path, expected: str | None, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    try:
        metadata = pq.read_schema(part).metadata or {}
        kind, version = metadata.get(b"oprover.table", b"").decode(), metadata.get(b"oprover.version", b"").decode()
        if (expected is not None and kind != expected) or version != str(SCHEMA_VERSION):
            raise StoreError(
                f"{part} holds {kind or 'unknown'} rows of version {version or '?'}, not {expected or 'any'} of version "
                f"{SCHEMA_VERSION}; read it with the release that wrote it, or remove it"
            )
        table = pq.read_table(part, columns=list(columns), partitioning=None)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise StoreError(f"{part} cannot be read as Parquet ({error}); remove it or restore it from a copy") from error
    yield from table.to_pylist()
