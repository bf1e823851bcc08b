"""Reading of source files: one file becomes one part of INCOMING and one of QUARANTINE, with counts. Each file is read whole or again."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from oprover_jax.corpus.tables import INCOMING, QUARANTINE
from oprover_jax.files import replacing
from oprover_jax.ingest.sources.files import rows
from oprover_jax.ingest.sources.rows import Place, read
from oprover_jax.processes import in_processes

_BATCH = 2048


class Counts(msgspec.Struct):
    """Counts of a file: `read` rows, `kept` rows of INCOMING, `refused` by reason (rows, or single proofs of them)."""

    origin: str
    read: int = 0
    kept: int = 0
    refused: dict[str, int] = msgspec.field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A file to read, and the name of its parts."""

    path: Path
    place: Place
    part: str


def reason_of(words: str) -> str:
    """Return the part of a reason that is counted: the words before the colon."""
    return words.partition(":")[0]


def read_files(tasks: Iterable[Task], out: Path, processes: int = 1) -> Iterator[Task]:
    """Read each file without counts into `out`/incoming, quarantine and counts; yield the tasks as they finish.

    Raises InputError for a file that cannot be read to its end.
    """
    for folder in ("incoming", "quarantine", "counts"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    left = []
    for task in tasks:
        if _counts_path(out, task.part).is_file():
            yield task
        else:
            left.append(task)
    for task, _ in in_processes(partial(_read, out=out), left, processes):
        yield task


def counts_of(out: Path, tasks: Iterable[Task]) -> list[Counts]:
    return [msgspec.json.decode(_counts_path(out, task.part).read_bytes(), type=Counts) for task in tasks]


def _counts_path(out: Path, part: str) -> Path:
    return out / "counts" / f"{part}.json"


def _read(task: Task, out: Path) -> None:
    counts = Counts(task.place.origin)
    refused: Counter[str] = Counter()
    kept: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    with ExitStack() as stack:
        incoming = stack.enter_context(replacing(out / "incoming" / f"{task.part}.parquet"))
        quarantine = stack.enter_context(replacing(out / "quarantine" / f"{task.part}.parquet"))
        keep = stack.enter_context(pq.ParquetWriter(incoming, INCOMING, compression="zstd"))
        drop = stack.enter_context(pq.ParquetWriter(quarantine, QUARANTINE, compression="zstd"))
        for raw in rows(task.path, task.place.layout):
            counts.read += 1
            for row, problem in read(raw, task.place):
                if row is not None:
                    kept.append(row)
                if problem is not None:
                    bad.append(problem)
                    refused[reason_of(problem["reason"])] += 1
            if len(kept) >= _BATCH:
                counts.kept += _flush(keep, kept)
            if len(bad) >= _BATCH:
                _flush(drop, bad)
        counts.kept += _flush(keep, kept)
        _flush(drop, bad)
    counts.refused = dict(refused)
    with replacing(_counts_path(out, task.part)) as path:
        path.write_bytes(msgspec.json.encode(counts))


def _flush(writer: pq.ParquetWriter, rows: list[dict[str, Any]]) -> int:
    """Write and clear `rows`; return their number."""
    number = len(rows)
    if rows:
        writer.write_table(pa.Table.from_pylist(rows, schema=writer.schema))
        rows.clear()
    return number
