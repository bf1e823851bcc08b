"""Offline packing: examples into rows of one length, rows into an ArrayRecord file.

Packing before training rather than during it makes the position in the data one integer, the step, so that a run can be
resumed on any number of hosts. The packer is best-fit-decreasing over a window: close to the optimum, linear in memory.
"""

import json
import math
import os
import zlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter

from oprover_jax.data.rows import ROW_FIELDS, Example, Row, row_of

__all__ = [
    "ROWS_VERSION",
    "Layout",
    "PackReport",
    "decode_row",
    "encode_row",
    "layout_of",
    "pack",
    "pack_examples",
    "sidecar",
    "write_packed",
    "write_rows",
]

ROWS_VERSION = 2
Layout = list[tuple[str, str, tuple[int, ...]]]

_WORD = 4  # bytes of one value: every field of a row is a 32-bit type


@dataclass(frozen=True)
class PackReport:
    """What packing did: examples taken, rows written, positions used and trained (weight > 0), examples and ids cut off."""

    examples: int
    rows: int
    length: int
    positions: int
    trained: int
    cut_examples: int
    cut_ids: int

    @property
    def fill(self) -> float:
        """Share of the positions that hold a token."""
        return self.positions / (self.rows * self.length) if self.rows else 0.0


def pack(lengths: Sequence[int], capacity: int, window: int = 4096) -> list[list[int]]:
    """Bins of indices into `lengths`, each bin's sum at most `capacity`; every index once, no item split, deterministic.

    Items are taken `window` at a time, longest first, each into the fullest bin that still holds it (ties: the oldest
    bin). Bins stay open over windows; beyond `window` open ones the fullest are closed. Bins and the items in them come
    in ascending order, so a corpus keeps its order roughly. Raises ValueError for an item that fits no bin.
    """
    if capacity < 1 or window < 1:
        raise ValueError(f"packing needs a capacity and a window of at least 1, not {capacity} and {window}")
    bins: list[list[int]] = []
    open_bins: list[tuple[int, int]] = []  # (room left, bin), sorted
    for start in range(0, len(lengths), window):
        for item in sorted(range(start, min(start + window, len(lengths))), key=lambda i: (-lengths[i], i)):
            size = lengths[item]
            if not 0 < size <= capacity:
                raise ValueError(f"item {item} has length {size}, and bins hold 1 to {capacity}; cut it first")
            at = bisect_left(open_bins, (size, -1))
            room, chosen = open_bins.pop(at) if at < len(open_bins) else (capacity, len(bins))
            if chosen == len(bins):
                bins.append([])
            bins[chosen].append(item)
            if room > size:
                insort(open_bins, (room - size, chosen))
        del open_bins[: max(0, len(open_bins) - window)]
    return [sorted(items) for items in bins]


def pack_examples(examples: Sequence[Example], length: int, window: int = 4096) -> tuple[list[Row], PackReport]:
    """Packs examples into rows of `length` positions. An example longer than a row loses its tail, and the report counts it."""
    kept = [Example(e.ids[: length + 1], e.weights[: length + 1]) if e.positions > length else e for e in examples]
    bins = pack([e.positions for e in kept], length, window)
    rows = [row_of([kept[i] for i in items], length) for items in bins]
    report = PackReport(
        examples=len(examples),
        rows=len(rows),
        length=length,
        positions=sum(e.positions for e in kept),
        trained=sum(int((row["weights"] > 0).sum()) for row in rows),
        cut_examples=sum(e.positions > length for e in examples),
        cut_ids=sum(max(0, e.positions - length) for e in examples),
    )
    return rows, report


def layout_of(row: Row) -> Layout:
    """Names, types and shapes of a row's fields in the order of its stored form."""
    return [(name, row[name].dtype.str.lstrip("<=|"), row[name].shape) for name in (*ROW_FIELDS, *sorted(row.keys() - ROW_FIELDS.keys()))]


def encode_row(row: Row) -> bytes:
    """The stored form of a row: its fields one behind the other as `layout_of` orders them, 32-bit little-endian."""
    return b"".join(row[name].astype(f"<{dtype}", copy=False).tobytes() for name, dtype, _ in layout_of(row))


def decode_row(record: bytes, layout: Layout) -> Row:
    """The row that `encode_row` wrote."""
    row: Row = {}
    start = 0
    for name, dtype, shape in layout:
        count = math.prod(shape)
        row[name] = np.frombuffer(record, f"<{dtype}", count, start).astype(dtype).reshape(shape)
        start += count * _WORD
    return row


def sidecar(path: str | os.PathLike) -> Path:
    """The small JSON file beside a rows file that says what a whole one holds."""
    return Path(f"{os.fspath(path)}.json")


def write_rows(path: str | os.PathLike, rows: Iterable[Row], report: PackReport | None = None) -> int:
    """Writes rows to an ArrayRecord file with a sidecar and returns how many; the file appears whole or not at all.

    Rows may hold further 32-bit fields, the same in all. Raises ValueError for no rows at all and for rows of different lengths or
    fields; whatever stood at `path` is then still there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        written = _write_records(temporary, rows)
        described = {"version": ROWS_VERSION, **asdict(written), "report": asdict(report) if report else None}
        described_temporary = temporary.with_suffix(".json")
        described_temporary.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        path.unlink(missing_ok=True)
        os.replace(described_temporary, sidecar(path))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return written.rows


@dataclass(frozen=True)
class _Written:
    """What the sidecar says of the rows: how many, their positions, the largest token id, a checksum (CRC-32 of all records in order),
    the layout of a record."""

    rows: int
    length: int
    largest_id: int
    checksum: int
    layout: Layout


def _write_records(path: Path, rows: Iterable[Row]) -> _Written:
    writer = ArrayRecordWriter(os.fspath(path), "group_size:1")
    try:
        count, largest, checksum, layout = 0, 0, 0, Layout()
        for row in rows:
            here = layout_of(row)
            layout = layout or here
            if here != layout:
                length, first = len(row["tokens"]), layout[0][2][0]
                different = f"has {length} positions and the first has {first}" if length != first else "has other fields than the first"
                raise ValueError(f"row {count} {different}; pack them to one length")
            largest = max(largest, int(row["tokens"].max()), int(row["targets"].max()))
            record = encode_row(row)
            checksum = zlib.crc32(record, checksum)
            writer.write(record)
            count += 1
    finally:
        writer.close()
    if not count:
        raise ValueError("there are no rows to write; check that the sources hold examples")
    return _Written(count, layout[0][2][0], largest, checksum, layout)


def write_packed(path: str | os.PathLike, examples: Sequence[Example], length: int, window: int = 4096) -> PackReport:
    """Packs and writes in one go, and returns the report. Errors: see `write_rows`."""
    rows, report = pack_examples(examples, length, window)
    write_rows(path, rows, report)
    return report
