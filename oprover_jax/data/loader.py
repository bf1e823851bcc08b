"""Loader from stored rows to device batches: the batch at step n depends only on (rows, weights, seed, n).

There is no iterator state to save: resuming at any step costs as much as starting, on any number of hosts. The source of a row is looked up
in the mixture's order, and its position in the source, shuffled again in each epoch, is computed. Each process reads only the rows that its
devices hold, and batches cross epoch boundaries, so no row is skipped.
"""

import zlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import grain
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from oprover_jax.data.dataset import open_rows, read_index
from oprover_jax.data.mixture import Mixture, mix
from oprover_jax.data.rows import Row
from oprover_jax.data.shuffle import permuted, scrambled
from oprover_jax.errors import InputError
from oprover_jax.sharding import named

__all__ = ["Batch", "Batches", "Held", "Share", "Source", "checksum", "from_folders", "from_rows", "place", "shares"]

Batch = dict[str, jax.Array]

_ENDLESS = 2**40  # steps; Grain wants a length
_LOGICAL = ("batch", "sequence")


@runtime_checkable
class Source(Protocol):
    """Rows with random access by number: a `dataset.Rows`, or `Held` in memory."""

    def __len__(self) -> int: ...

    def empty(self, count: int) -> Row:
        """Return uninitialised arrays for `count` rows."""

    def read(self, number: int, rows: Row, at: int) -> None:
        """Read row `number` into position `at` of `rows`."""


@dataclass(frozen=True)
class Held:
    """Rows in memory."""

    rows: Sequence[Row]

    def __len__(self) -> int:
        return len(self.rows)

    def empty(self, count: int) -> Row:
        fields = {name: np.asarray(value) for name, value in self.rows[0].items()}
        return {name: np.empty((count, *value.shape), value.dtype) for name, value in fields.items()}

    def read(self, number: int, rows: Row, at: int) -> None:
        for name, value in self.rows[number].items():
            rows[name][at] = value


@dataclass(frozen=True)
class Batches:
    """Endless batches of `batch_rows` rows in an order given by `seed` (0 to 2**32 - 1), or in the order of their sources without
    `shuffle`. Create with `from_folders` or `from_rows`."""

    sources: tuple[Source, ...]
    mixture: Mixture
    batch_rows: int
    seed: int
    shuffle: bool = True

    def __post_init__(self) -> None:
        if self.batch_rows < 1 or not 0 <= self.seed < 2**32:
            raise ValueError(f"batch_rows is {self.batch_rows} and seed is {self.seed}; give at least 1 row and a seed in [0, 2**32)")

    @property
    def rows(self) -> int:
        """Total number of rows; with one source, those of an epoch."""
        return sum(len(source) for source in self.sources)

    def at(self, step: int) -> Row:
        """Return the whole batch of one step on the host: every field stacked over rows, [B, S] (or [B] for one number per row)."""
        return self._read(step, range(self.batch_rows))

    def describe(self, mesh: Mesh) -> dict[str, jax.ShapeDtypeStruct]:
        """Return shapes, types and shardings of a batch on `mesh`: rows over (dcn, fsdp), the sequence over context.

        Raises ShardingError if rows or positions do not divide over the mesh.
        """

        def field(name: str, value: np.ndarray) -> jax.ShapeDtypeStruct:
            shape = (self.batch_rows, *value.shape[1:])
            sharding = named(shape, _LOGICAL[: len(shape)], mesh, f"batch field {name}")
            return jax.ShapeDtypeStruct(shape, value.dtype, sharding=sharding)

        return {name: field(name, value) for name, value in self.sources[0].empty(1).items()}

    def stream(self, mesh: Mesh, start_step: int = 0, prefetch: int = 4) -> Generator[Batch, None, None]:
        """Yield the batches of steps start_step, start_step + 1, ... on `mesh`, laid out as by `describe`, with the same errors.

        `prefetch` batches are read ahead, by as many threads.
        """
        described = self.describe(mesh)
        shardings = {name: field.sharding for name, field in described.items()}
        first = next(iter(described.values()))
        mine = _local_rows(first.sharding, first.shape)
        for local in self.local(mine, start_step, prefetch):
            yield place(local, shardings, self.batch_rows, mine)

    def local(self, mine: Sequence[int], start_step: int = 0, prefetch: int = 4) -> Generator[Row, None, None]:
        """Yield the rows `mine` of the batches of steps start_step, start_step + 1, ... on the host; no other row is read."""
        steps = grain.MapDataset.range(start_step, start_step + _ENDLESS).map(lambda step: self._read(int(step), mine))
        iterator = iter(steps.to_iter_dataset(grain.ReadOptions(num_threads=prefetch, prefetch_buffer_size=prefetch)))
        try:
            yield from iterator
        finally:
            iterator.close()

    def _read(self, step: int, numbers: Sequence[int]) -> Row:
        rows = self.sources[0].empty(len(numbers))
        for at, row in enumerate(numbers):
            number, drawn = self.mixture.at(step * self.batch_rows + row)
            source = self.sources[number]
            epoch, place = divmod(drawn, len(source))
            if self.shuffle:
                place = permuted(place, len(source), scrambled(self._keys[number] + epoch))
            source.read(place, rows, at)
        return rows

    @cached_property
    def _keys(self) -> list[int]:
        """Return the keys that determine the order of each source."""
        return [int(key) for key in np.random.SeedSequence(self.seed).generate_state(len(self.sources), np.uint64)]


@dataclass(frozen=True)
class Share:
    """A source's share of the tokens of a run, and the number of epochs over its rows."""

    tokens: float
    epochs: float


def from_folders(weights: Mapping[str, float], batch_rows: int, seed: int, shuffle: bool = True) -> Batches:
    """Return batches of rows datasets (folder: weight in tokens). Errors: see `dataset.open_rows`, and InputError for rows that do not
    match each other."""
    indices = [read_index(folder) for folder in weights]
    try:
        mixture = mix(list(weights.values()), [index.report.positions / index.rows for index in indices])
    except ValueError as error:
        raise InputError(f"data {dict(weights)}: {error}") from error
    return Batches(tuple(open_rows(folder) for folder in weights), mixture, batch_rows, seed, shuffle)


def checksum(weights: Mapping[str, float]) -> int:
    """Return a CRC-32 of all rows of a mixture and their weights."""
    return zlib.crc32(repr([(read_index(folder).checksum, weight) for folder, weight in weights.items()]).encode())


def shares(batches: Batches, weights: Mapping[str, float], steps: int) -> dict[str, Share]:
    """Return the share of each folder in the first `steps` steps."""
    taken = batches.mixture.taken(steps * batches.batch_rows)
    indices = [read_index(folder) for folder in weights]
    tokens = [count * index.report.positions / index.rows for count, index in zip(taken, indices, strict=True)]
    return {
        Path(folder).name: Share(here / sum(tokens), count / index.rows)
        for folder, here, count, index in zip(weights, tokens, taken, indices, strict=True)
    }


def from_rows(rows: Sequence[Row], batch_rows: int, seed: int) -> Batches:
    """Return batches of rows in memory, such as those of one GSPO rollout batch; rows may have further fields."""
    if not rows:
        raise ValueError("no rows to train on; check their selection")
    return Batches((Held(rows),), mix([1.0], [1.0]), batch_rows, seed)


def place(local: Row, shardings: dict[str, NamedSharding], batch_rows: int, rows: Sequence[int]) -> Batch:
    """Put the rows of this process (`rows`: their ascending numbers in the batch) on its devices as parts of the global batch."""
    offset = {row: i for i, row in enumerate(rows)}

    def put(name: str, array: np.ndarray) -> jax.Array:
        def part(index: tuple[slice, ...] | None) -> np.ndarray:
            assert index is not None  # None only occurs for devices of other processes
            start, stop, _ = index[0].indices(batch_rows)
            return array[(slice(offset[start], offset[start] + stop - start), *index[1:])]

        return jax.make_array_from_callback((batch_rows, *array.shape[1:]), shardings[name], part)

    return {name: put(name, array) for name, array in local.items()}


def _local_rows(sharding: NamedSharding, shape: tuple[int, ...]) -> list[int]:
    """Return the rows of the batch that some device of this process holds."""
    held = sharding.addressable_devices_indices_map(shape).values()
    return sorted({row for index in held if index is not None for row in range(*index[0].indices(shape[0]))})
