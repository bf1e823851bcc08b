"""Candidates: passages that look like mathematical statements, with their origin."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from oprover_jax.corpus.database import open_database
from oprover_jax.errors import InputError
from oprover_jax.files import replacing

CANDIDATES = "candidates.parquet"

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("kind", pa.string()),
        ("score", pa.float64()),
        ("url", pa.string()),
        ("where", pa.string()),
        ("place", pa.int32()),
        ("licence", pa.string()),
    ]
)


class Candidate(msgspec.Struct, frozen=True):
    """Candidate statement. `id` is the hash of the normal form of `text`, `where` the file (and row), `place` the passage number."""

    id: str
    text: str
    kind: str
    score: float
    url: str
    where: str
    place: int
    licence: str


def write_candidates(path: Path, rows: Sequence[Candidate]) -> None:
    """Write candidates atomically to a Parquet file."""
    table = pa.Table.from_pylist([msgspec.structs.asdict(row) for row in rows], schema=SCHEMA)
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_candidates(folder: Path) -> list[Candidate]:
    """Read the candidates of a mining run, in order; raise InputError if the folder has none."""
    path = folder / CANDIDATES
    if not path.is_file():
        raise InputError(f"{folder} has no {CANDIDATES}; finish `oprover corpus mine --out {folder}` first")
    return read_part(path)


def read_part(path: Path) -> list[Candidate]:
    """Read the candidates of one part; raise InputError if the file is damaged."""
    try:
        return [Candidate(**row) for row in pq.read_table(path, partitioning=None).to_pylist()]
    except (pa.ArrowInvalid, TypeError) as error:
        raise InputError(f"{path} cannot be read ({error}); remove it and mine again") from error


def merge(parts: Sequence[Path], target: Path) -> tuple[int, int]:
    """Write the first candidate of each id, in order of the parts, to `target`; return the numbers of kept candidates and duplicates.

    DuckDB works out of core, so that the texts need not fit into memory.
    """
    total = sum(pq.read_metadata(part).num_rows for part in parts)
    with replacing(target) as temporary:
        if total:
            with open_database(target.parent / f".duckdb.{os.getpid()}") as database:
                database.execute(
                    f"""COPY (SELECT {", ".join(f'"{name}"' for name in SCHEMA.names)} FROM (
                            SELECT *, row_number() OVER (PARTITION BY id ORDER BY filename, file_row_number) AS copy
                            FROM read_parquet(?, filename = true, file_row_number = true)
                        ) WHERE copy = 1 ORDER BY filename, file_row_number)
                        TO '{str(temporary).replace("'", "''")}' (FORMAT parquet, COMPRESSION zstd)""",
                    [[str(part) for part in parts]],
                )
        else:
            pq.write_table(SCHEMA.empty_table(), temporary)
        kept = pq.read_metadata(temporary).num_rows
    return kept, total - kept
