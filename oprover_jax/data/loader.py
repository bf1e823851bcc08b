"""From stored rows to device batches: the batch at step n is a function of (rows, seed, n) and of nothing else.

There is no iterator state to save: resuming at any step costs what the first step costs, on any number of hosts. Rows are
shuffled anew in every epoch by Grain's index shuffle, which needs no table. Each process reads only the rows that its
devices hold, and batches run over epoch ends, so no row is left out.
"""

import json
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grain
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from oprover_jax.data.packing import ROWS_VERSION, decode_row, sidecar
from oprover_jax.data.rows import Row
from oprover_jax.errors import InputError
from oprover_jax.sharding import named

__all__ = ["Batch", "Batches", "describe_rows", "from_file", "from_rows", "open_rows", "place"]

Batch = dict[str, jax.Array]

_ENDLESS = 2**40  # steps; Grain wants a length
_LOGICAL = ("batch", "sequence")
_AGAIN = "write it again"


@dataclass(frozen=True)
class Batches:
    """Endless batches of `batch_rows` rows in an order given by `seed` (0 to 2**32 - 1). Make one with `from_file` or `from_rows`."""

    rows: Any  # grain.MapDataset of rows: random access by index
    batch_rows: int
    seed: int

    def __post_init__(self) -> None:
        if self.batch_rows < 1 or not 0 <= self.seed < 2**32:
            raise ValueError(f"batches need at least 1 row and a seed in [0, 2**32), not {self.batch_rows} rows and seed {self.seed}")

    def at(self, step: int) -> Row:
        """The whole batch of one step on the host: every field stacked over rows, [B, S] (or [B] for a number per row)."""
        return self._source(range(self.batch_rows))[step]

    def describe(self, mesh: Mesh) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes, types and shardings of a batch on `mesh`: rows over (dcn, fsdp), the sequence over context.

        Raises ShardingError where rows or positions do not divide the mesh.
        """

        def field(name: str, value: np.ndarray) -> jax.ShapeDtypeStruct:
            shape = (self.batch_rows, *value.shape)
            sharding = named(shape, _LOGICAL[: len(shape)], mesh, f"batch field {name}")
            return jax.ShapeDtypeStruct(shape, value.dtype, sharding=sharding)

        return {name: field(name, np.asarray(value)) for name, value in self.rows[0].items()}

    def stream(self, mesh: Mesh, start_step: int = 0, prefetch: int = 4) -> Generator[Batch, None, None]:
        """The batches of steps start_step, start_step + 1, ... on `mesh`, laid out as `describe` says (and raising what it raises).

        `prefetch` batches are read ahead by a thread.
        """
        described = self.describe(mesh)
        shardings = {name: field.sharding for name, field in described.items()}
        first = next(iter(described.values()))
        mine = _local_rows(first.sharding, first.shape)
        options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=prefetch)
        iterator = iter(self._source(mine)[start_step:].to_iter_dataset(options))
        try:
            for local in iterator:
                yield place(local, shardings, self.batch_rows, mine)
        finally:
            iterator.close()

    def _source(self, wanted: Sequence[int]) -> Any:
        endless = self.rows.seed(self.seed).shuffle().repeat()
        return grain.MapDataset.range(_ENDLESS).map(lambda step: _stack([endless[int(step) * self.batch_rows + row] for row in wanted]))


def from_file(path: str | os.PathLike, batch_rows: int, seed: int) -> Batches:
    """Batches of the rows that `packing.write_rows` stored at `path`. Errors: see `open_rows`."""
    return Batches(open_rows(path), batch_rows, seed)


def from_rows(rows: Sequence[Row], batch_rows: int, seed: int) -> Batches:
    """Batches of rows in memory, as GSPO makes them for one rollout batch; rows may hold further fields."""
    if not rows:
        raise ValueError("there are no rows to train on; check what selected them")
    return Batches(grain.MapDataset.source(rows), batch_rows, seed)


def open_rows(path: str | os.PathLike) -> Any:
    """The rows of a file as a Grain dataset, after a check that the file is whole.

    Raises InputError if it is missing, torn, of another version, or holds another number of rows than was written.
    """
    path = Path(path)
    described = describe_rows(path)
    try:
        source = grain.sources.ArrayRecordDataSource(os.fspath(path))
        count = len(source)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"rows file {path} is missing or torn; {_AGAIN}") from error
    if described["rows"] != count:
        raise InputError(f"rows file {path} holds {count} rows and {described['rows']} were written; {_AGAIN}")
    layout = [(name, dtype, tuple(shape)) for name, dtype, shape in described["layout"]]
    return grain.MapDataset.source(source).map(lambda record: decode_row(record, layout))


def describe_rows(path: str | os.PathLike) -> dict[str, Any]:
    """What stands beside a rows file (`rows`, `length`, `largest_id`, `checksum`, `layout`, `report`). InputError if it cannot be read."""
    path = Path(path)
    try:
        described = json.loads(sidecar(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"rows file {path} has no description {sidecar(path).name} beside it; {_AGAIN}") from error
    except ValueError as error:
        raise InputError(f"rows file {path} is missing or torn; {_AGAIN}") from error
    if described.get("version") != ROWS_VERSION:
        raise InputError(f"rows file {path} has version {described.get('version')} and this program reads {ROWS_VERSION}; {_AGAIN}")
    return dict(described)


def place(local: Row, shardings: dict[str, NamedSharding], batch_rows: int, rows: Sequence[int]) -> Batch:
    """Puts the rows of this process (`rows`: their ascending numbers in the batch) on its devices as parts of the global batch."""
    offset = {row: i for i, row in enumerate(rows)}

    def put(name: str, array: np.ndarray) -> jax.Array:
        def part(index: tuple[slice, ...] | None) -> np.ndarray:
            assert index is not None  # None only stands for devices of other processes
            start, stop, _ = index[0].indices(batch_rows)
            return array[(slice(offset[start], offset[start] + stop - start), *index[1:])]

        return jax.make_array_from_callback((batch_rows, *array.shape[1:]), shardings[name], part)

    return {name: put(name, array) for name, array in local.items()}


def _local_rows(sharding: NamedSharding, shape: tuple[int, ...]) -> list[int]:
    """Rows of the batch that some device of this process holds."""
    held = sharding.addressable_devices_indices_map(shape).values()
    return sorted({row for index in held if index is not None for row in range(*index[0].indices(shape[0]))})


def _stack(rows: Sequence[Row]) -> Row:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
