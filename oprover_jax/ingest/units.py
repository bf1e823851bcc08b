"""Row-wise work over many Parquet files: each row group is a unit, processed locally or by Ray, with a result file of its own.

A unit whose result exists is skipped, so that interrupted work resumes. Rows keep their origin: column `place` is
the number of the file times 2^40 plus the number of the row in it, and orders all rows.
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from oprover_jax.files import replacing
from oprover_jax.ingest import rowwise
from oprover_jax.processes import in_processes
from oprover_jax.statements.decontaminate import BenchmarkIndex

Runner = Literal["local", "ray"]
Work = Literal["identify", "features"]

FILE_SHIFT = 40
_BATCH_ROWS = 2048
_COLUMNS = {"identify": rowwise.IDENTIFY_COLUMNS, "features": rowwise.FEATURE_COLUMNS}
_FUNCTIONS = {"identify": rowwise.identify, "features": rowwise.features}


@dataclass(frozen=True)
class Unit:
    """One row group of the file `source` with number `file`; its first row is number `row`."""

    source: str
    file: int
    group: int
    row: int
    rows: int
    result: str


def units_of(files: Sequence[Path], results: Path) -> list[Unit]:
    """Return the row groups of `files`, in order; the results go to the folder `results`."""
    units = []
    for number, path in enumerate(files):
        metadata, row = pq.read_metadata(path), 0
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if rows:
                units.append(Unit(str(path), number, group, row, rows, str(results / f"{number:06}-{group:06}.parquet")))
            row += rows
    return units


def run_units(units: Sequence[Unit], work: Work, index: Path | None, runner: Runner, workers: int) -> Iterator[int]:
    """Run `work` on the units and yield the number of rows of each as it finishes; `index` is a file written by `save_index`.

    With Ray, files and results must have the same paths on all machines.
    """
    for folder in {Path(unit.result).parent for unit in units}:
        folder.mkdir(parents=True, exist_ok=True)
    waiting = [unit for unit in units if not Path(unit.result).exists()]
    yield sum(unit.rows for unit in units) - sum(unit.rows for unit in waiting)
    run_one = partial(run_unit, work=work, index=index)
    if runner == "ray":
        yield from _on_ray(waiting, run_one)
    else:
        yield from (rows for _, rows in in_processes(run_one, waiting, workers))


def run_unit(unit: Unit, work: Work, index: Path | None) -> int:
    """Run one unit and return the number of its rows. The result is written atomically."""
    benchmarks = load_index(index) if index else None
    batches, row = [], (unit.file << FILE_SHIFT) + unit.row
    for batch in pq.ParquetFile(unit.source).iter_batches(_BATCH_ROWS, [unit.group], _COLUMNS[work]):
        made = _FUNCTIONS[work](batch, benchmarks)
        place = pa.array(np.arange(row, row + len(batch)), pa.int64())
        batches.append(pa.RecordBatch.from_arrays([place, *made.columns], names=["place", *made.schema.names]))
        row += len(batch)
    with replacing(Path(unit.result)) as temporary:
        pq.write_table(pa.Table.from_batches(batches), temporary, compression="zstd")
    return unit.rows


def save_index(index: BenchmarkIndex, path: Path) -> None:
    """Write the index for `run_units`; each process reads it once."""
    with replacing(path) as temporary:
        temporary.write_bytes(pickle.dumps(index))


@lru_cache(maxsize=1)
def load_index(path: Path) -> BenchmarkIndex:
    index = pickle.loads(path.read_bytes())
    assert isinstance(index, BenchmarkIndex)
    return index


def _on_ray(units: Sequence[Unit], run_one: Callable[[Unit], int]) -> Iterator[int]:
    import ray

    if units:
        dataset = ray.data.from_items([asdict(unit) for unit in units], override_num_blocks=len(units))
        for row in dataset.map(lambda row: {"rows": run_one(Unit(**row))}).iter_rows():
            yield int(row["rows"])
