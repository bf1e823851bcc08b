"""Packing of examples into rows of one length: best-fit-decreasing over a window, close to the optimum and linear in memory.

Packing before training rather than during it makes the position in the data one integer, the step, so that a run can be
resumed on any number of hosts.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from oprover_jax.data.rows import Example, Row, parts, row_of

__all__ = ["PackReport", "TooLong", "fill_rows", "pack", "pack_examples"]

TooLong = Literal["continue", "drop"]


@dataclass(frozen=True)
class PackReport:
    """Counts of a packing: examples read, rows written, positions used and trained (weight > 0), examples continued in further rows,
    examples dropped because they fit no row, and their ids; documents removed by decontamination, and documents without text."""

    examples: int = 0
    rows: int = 0
    positions: int = 0
    trained: int = 0
    continued: int = 0
    dropped: int = 0
    dropped_ids: int = 0
    removed: int = 0
    unusable: int = 0

    def __add__(self, other: "PackReport") -> "PackReport":
        return PackReport(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def fill(self, length: int) -> float:
        """Return the fraction of positions that hold a token, for rows of `length`."""
        return self.positions / (self.rows * length) if self.rows else 0.0


def pack(lengths: Sequence[int], capacity: int, window: int = 4096) -> list[list[int]]:
    """Return bins of indices into `lengths`, each bin's sum at most `capacity`; every index once, no item split, deterministic.

    Items are taken `window` at a time, longest first, each into the fullest bin with enough room (ties: the oldest bin). Bins stay open
    over windows; beyond `window` open ones the fullest are closed. Bins and the items in them are returned in ascending order, so a corpus
    roughly keeps its order. Raises ValueError for an item that fits no bin.
    """
    if capacity < 1 or window < 1:
        raise ValueError(f"capacity is {capacity} and window is {window}; give at least 1 for both")
    bins: list[list[int]] = []
    open_bins: list[tuple[int, int]] = []  # (room left, bin), sorted
    for start in range(0, len(lengths), window):
        for item in sorted(range(start, min(start + window, len(lengths))), key=lambda i: (-lengths[i], i)):
            size = lengths[item]
            if not 0 < size <= capacity:
                raise ValueError(f"item {item} has length {size}, but bins hold 1 to {capacity}; split it first")
            at = bisect_left(open_bins, (size, -1))
            room, chosen = open_bins.pop(at) if at < len(open_bins) else (capacity, len(bins))
            if chosen == len(bins):
                bins.append([])
            bins[chosen].append(item)
            if room > size:
                insort(open_bins, (room - size, chosen))
        del open_bins[: max(0, len(open_bins) - window)]
    return [sorted(items) for items in bins]


def fill_rows(examples: Sequence[Example], length: int, too_long: TooLong) -> tuple[list[list[Example]], PackReport]:
    """Assign examples to rows of `length` positions.

    An example longer than a row continues in further rows as separate segments ("continue", for documents: nothing is lost, only context
    is cut), or is dropped ("drop", for prompts with their attempts). The report counts both.
    """
    longer = [e for e in examples if e.positions > length]
    kept = [part for e in examples if too_long == "continue" or e.positions <= length for part in parts(e, length)]
    bins = pack([e.positions for e in kept], length)
    report = PackReport(
        examples=len(examples),
        rows=len(bins),
        positions=sum(e.positions for e in kept),
        trained=sum(int(np.count_nonzero(e.weights)) for e in kept),
        continued=len(longer) if too_long == "continue" else 0,
        dropped=len(longer) if too_long == "drop" else 0,
        dropped_ids=sum(len(e.ids) for e in longer) if too_long == "drop" else 0,
    )
    return [[kept[i] for i in items] for items in bins], report


def pack_examples(examples: Sequence[Example], length: int, too_long: TooLong) -> tuple[list[Row], PackReport]:
    """Pack examples into rows of `length` positions in memory; `too_long` as in `fill_rows`."""
    rows, report = fill_rows(examples, length, too_long)
    return [row_of(segments, length) for segments in rows], report
