"""Rows datasets: a folder of ArrayRecord shards with an index of their contents.

    index.json                  version, length of rows, shards with their sizes and checksums, packing report; written last
    rows-00000.array_record     shards, each written atomically

A folder without an index is not a dataset yet. The index lists every shard with its size and the checksum of its ends, so that a shard that
is missing, torn or from another dataset is detected when the dataset is opened, and not at the step that reads it.
"""

import os
import resource
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

import msgspec
from array_record.python.array_record_data_source import ArrayRecordDataSource
from array_record.python.array_record_module import ArrayRecordWriter

from oprover_jax.data.encoding import Layout, decode_into, empty_rows, encode_row, layout_of
from oprover_jax.data.packing import PackReport, TooLong, fill_rows
from oprover_jax.data.rows import Example, Row, row_of
from oprover_jax.errors import InputError
from oprover_jax.files import ends_checksum, replacing, replacing_folder

__all__ = [
    "INDEX",
    "MIXTURE",
    "ROWS_VERSION",
    "Rows",
    "RowsIndex",
    "Shard",
    "folders_of",
    "open_rows",
    "read_index",
    "shard_name",
    "write_index",
    "write_packed",
    "write_rows",
    "write_shard",
]

ROWS_VERSION = 3
INDEX = "index.json"
MIXTURE = "mixture.json"  # next to several datasets; {name: weight in tokens}
SHARD_ROWS = 4096

_AGAIN = "pack it again"


@dataclass(frozen=True)
class Shard:
    """One file of a dataset: its name, its contents (rows, their length, the largest token id, further fields) and its bytes (count, CRC-32
    of all of them and of the first and last 64 KiB). A shard without rows has no file."""

    name: str
    rows: int
    length: int
    largest_id: int
    layout: Layout
    bytes: int
    checksum: int
    ends: int


@dataclass(frozen=True)
class RowsIndex:
    """Contents of index.json. `made_of` is a hash of what the rows were packed from, or empty if rows were given."""

    version: int
    length: int
    layout: Layout
    report: PackReport
    shards: list[Shard]
    made_of: str = ""

    @property
    def rows(self) -> int:
        return sum(shard.rows for shard in self.shards)

    @property
    def largest_id(self) -> int:
        return max(shard.largest_id for shard in self.shards)

    @property
    def fill(self) -> float:
        """Fraction of the positions that hold a token."""
        return self.report.fill(self.length)

    @property
    def checksum(self) -> int:
        """CRC-32 of all rows in order, computed from those of the shards."""
        return zlib.crc32(repr([shard.checksum for shard in self.shards]).encode())


def write_rows(folder: str | os.PathLike, rows: Iterable[Row], report: PackReport | None = None, shard_rows: int = SHARD_ROWS) -> RowsIndex:
    """Write rows as a dataset with `shard_rows` rows per shard, and atomically replace any dataset in `folder`.

    Args:
        folder: the dataset's folder.
        rows: the rows; they may have further 32-bit fields, the same in all rows.
        report: the packing report of these rows; by default they are counted.
        shard_rows: rows per shard.

    Raises:
        ValueError: there are no rows, or rows have different lengths or fields. `folder` is then unchanged.
    """
    shards: list[Shard] = []
    counted = PackReport()
    left = iter(rows)
    with replacing_folder(Path(folder)) as temporary:
        while (first := next(left, None)) is not None:
            shard, more = write_shard(temporary, len(shards), chain([first], islice(left, shard_rows - 1)))
            shards.append(shard)
            counted += more
        return write_index(temporary, shards, report or counted)


def write_packed(
    folder: str | os.PathLike, examples: Sequence[Example], length: int, too_long: TooLong, shard_rows: int = SHARD_ROWS
) -> RowsIndex:
    """Pack examples and write them as a dataset. Errors: see `write_rows`."""
    rows, report = fill_rows(examples, length, too_long)
    return write_rows(folder, (row_of(segments, length) for segments in rows), report, shard_rows)


def shard_name(number: int) -> str:
    return f"rows-{number:05d}.array_record"


def write_shard(folder: Path, number: int, rows: Iterable[Row]) -> tuple[Shard, PackReport]:
    """Write shard `number` of a dataset atomically and return its index entry and the count of its rows. Errors: see `write_rows`."""
    path = folder / shard_name(number)
    counted, largest, length = PackReport(), 0, 0
    layout: Layout = []
    with replacing(path) as temporary:
        writer = ArrayRecordWriter(os.fspath(temporary), "group_size:1,uncompressed")
        try:
            for row in rows:
                if not counted.rows:
                    length, layout = len(row["tokens"]), layout_of(row)
                _check_alike(row, counted.rows, length, layout)
                writer.write(encode_row(row))
                largest = max(largest, int(row["tokens"].max()), int(row["targets"].max()))
                segments, used = int(row["segment_ids"].max()), int((row["segment_ids"] > 0).sum())
                counted += PackReport(segments, 1, used, int((row["weights"] > 0).sum()))
        finally:
            writer.close()
        size, (checksum, ends) = temporary.stat().st_size, (_checksum(temporary), ends_checksum(temporary))
    if not counted.rows:
        path.unlink()
    return Shard(path.name, counted.rows, length, largest, layout, size if counted.rows else 0, checksum, ends), counted


def _check_alike(row: Row, number: int, length: int, layout: Layout) -> None:
    if len(row["tokens"]) != length:
        raise ValueError(f"row {number} has {len(row['tokens'])} positions, but the first has {length}; pack all rows to one length")
    if layout_of(row) != layout:
        raise ValueError(f"row {number} has different fields from the first; pack all rows with the same fields")


def write_index(folder: Path, shards: Sequence[Shard], report: PackReport, made_of: str = "") -> RowsIndex:
    """Write the index of the shards in `folder`. Raises ValueError if there are no rows or the shards have different kinds of rows."""
    first = next((shard for shard in shards if shard.rows), None)
    if first is None:
        raise ValueError("no rows to write; check that the sources contain examples")
    for shard in shards:
        if shard.rows and (shard.length, shard.layout) != (first.length, first.layout):
            raise ValueError(f"{shard.name}: rows have different lengths or fields from those of {first.name}; pack all rows alike")
    index = RowsIndex(ROWS_VERSION, first.length, first.layout, report, list(shards), made_of)
    with replacing(folder / INDEX) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(index), indent=1) + b"\n")
    return index


def read_index(folder: str | os.PathLike) -> RowsIndex:
    """Return the index of a dataset. Raises InputError if it is missing, cannot be read, or is of another version."""
    path = Path(folder) / INDEX
    try:
        content = msgspec.json.decode(path.read_bytes())
        version = content.get("version") if isinstance(content, dict) else None
        if version != ROWS_VERSION:
            raise InputError(f"rows dataset {folder} has version {version}, but this program reads version {ROWS_VERSION}; {_AGAIN}")
        return msgspec.convert(content, RowsIndex)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{folder} is not a rows dataset, because it has no {INDEX}; finish packing it or give another folder") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InputError(f"rows dataset {folder} has a torn {INDEX} ({error}); {_AGAIN}") from error


class Rows:
    """The rows of a dataset in shard order. Thread-safe random access."""

    def __init__(self, folder: Path, index: RowsIndex) -> None:
        self._index = index
        # with the range in its name, a shard is opened only when it is first read
        named = [f"{folder / shard.name}[0:{shard.rows}]" for shard in index.shards if shard.rows]
        self._records = ArrayRecordDataSource(named)

    def __len__(self) -> int:
        return len(self._records)

    def empty(self, count: int) -> Row:
        """Return uninitialised arrays for `count` rows."""
        return empty_rows(count, self._index.length, self._index.layout)

    def read(self, number: int, rows: Row, at: int) -> None:
        """Read row `number` into position `at` of `rows`."""
        decode_into(rows, at, self._records[number], self._index.layout)

    def all(self) -> Iterator[Row]:
        """Yield each row separately, in order."""
        for number in range(len(self)):
            rows = self.empty(1)
            self.read(number, rows, 0)
            yield {name: field[0] for name, field in rows.items()}


def open_rows(folder: str | os.PathLike) -> Rows:
    """Open a dataset after verifying the size and ends of every shard.

    Raises InputError for the first shard that is missing, torn, or from another dataset.
    """
    index = read_index(folder)
    shards = [shard for shard in index.shards if shard.rows]
    with ThreadPoolExecutor(16) as threads:
        for problem in threads.map(partial(_problem, Path(folder)), shards):
            if problem:
                raise InputError(f"{problem}; restore it from a copy, or {_AGAIN}")
    _allow_open_files(len(shards))
    return Rows(Path(folder), index)


def folders_of(data: str | Mapping[str, float]) -> dict[str, float]:
    """Return {folder of rows: weight} for a job's data: such a mapping, a rows dataset, or a folder written by `oprover pack`, whose
    mixture.json has the weights. Raises InputError if it cannot be read."""
    if not isinstance(data, str):
        return dict(data)
    path = Path(data) / MIXTURE
    if not path.exists():
        return {data: 1.0}
    try:
        weights = msgspec.json.decode(path.read_bytes(), type=dict[str, float])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InputError(f"{path} is torn ({error}); run `oprover pack` again") from error
    return {str(Path(data) / name): weight for name, weight in weights.items()}


def _problem(folder: Path, shard: Shard) -> str:
    path = folder / shard.name
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return f"shard {path} is missing"
    if size != shard.bytes:
        return f"shard {path} is torn: it has {size:,} bytes, expected {shard.bytes:,}"
    if ends_checksum(path) != shard.ends:
        return f"shard {path} does not match {INDEX}: its checksum differs"
    return ""


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(2**20):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _allow_open_files(shards: int) -> None:
    """Raise the limit of open files of this process, since every shard that was read stays open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and shards + 256 > hard:
        raise InputError(
            f"a rows dataset has {shards} shards, but a process may open only {hard} files; raise `ulimit -Hn`, or pack larger shards"
        )
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft + shards if hard == resource.RLIM_INFINITY else min(hard, soft + shards), hard))
