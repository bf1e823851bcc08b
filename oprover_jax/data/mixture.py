"""Mixtures by weight in tokens: for each row of an endless order, its source and its number there, by random access.

Whole rows are mixed when they are read, so weights can change without packing again. The order of the sources repeats after PERIOD rows;
within it, at every point, each source has had its share to within one row (R. Tijdeman, The chairman assignment problem, 1980). No order
of whole rows does better than about that, so any 1M tokens hold the requested shares to within 0.5% for rows of 2,048 tokens, and any
3M tokens (a step of the publication's CPT has 4.2M) for rows of 8,192.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

__all__ = ["PERIOD", "Mixture", "mix"]

PERIOD = 2**12  # rows; shares are rounded to multiples of 1 / PERIOD


@dataclass(frozen=True)
class Mixture:
    """A repeating order of sources: `order[i]` is the source of row i, `earlier[i]` the number of earlier rows of that source in the
    period, `counts[s]` the number of rows of source s per period."""

    order: Int32[np.ndarray, "P"]
    earlier: Int32[np.ndarray, "P"]
    counts: Int32[np.ndarray, "K"]

    def at(self, row: int) -> tuple[int, int]:
        """Return (source, number of earlier rows of that source) of a row of the endless order."""
        period, place = divmod(row, len(self.order))
        source = int(self.order[place])
        return source, period * int(self.counts[source]) + int(self.earlier[place])

    def taken(self, rows: int) -> list[int]:
        """Return how many of the first `rows` rows come from each source."""
        periods, rest = divmod(rows, len(self.order))
        part = np.bincount(self.order[:rest], minlength=len(self.counts))
        return [int(count) for count in periods * self.counts.astype(np.int64) + part]


def mix(weights: Sequence[float], tokens_per_row: Sequence[float]) -> Mixture:
    """Return the order in which each source has its weight's share of the tokens; `tokens_per_row` are averages.

    Raises ValueError for weights that are not positive, and for a share that is too small for PERIOD.
    """
    if not weights or len(weights) != len(tokens_per_row):
        raise ValueError(f"a mixture needs one weight for each source, but has {len(weights)} for {len(tokens_per_row)}")
    for number, weight in enumerate(weights):
        if not (weight > 0 and np.isfinite(weight)):
            raise ValueError(f"source {number} of the mixture has weight {weight}; give a positive weight or remove the source")
    if len(weights) == 1:
        return Mixture(np.zeros(1, np.int32), np.zeros(1, np.int32), np.ones(1, np.int32))
    rate = np.asarray(weights, np.float64) / np.asarray(tokens_per_row, np.float64)
    counts = _rounded(rate / rate.sum() * PERIOD)
    if not counts.all():
        number = int(np.argmin(counts))
        raise ValueError(f"source {number} of the mixture has less than one row in {PERIOD}; increase its weight or remove it")
    order = _interleaved(counts)
    earlier = np.zeros(PERIOD, np.int32)
    for source, count in enumerate(counts):
        earlier[order == source] = np.arange(count)
    return Mixture(order, earlier, counts)


def _rounded(shares: np.ndarray) -> np.ndarray:
    """Round to whole numbers with the sum PERIOD, rounding the largest remainders up."""
    counts = np.floor(shares).astype(np.int32)
    up = np.argsort(counts - shares, kind="stable")[: PERIOD - counts.sum()]
    counts[up] += 1
    return counts


def _interleaved(counts: np.ndarray) -> np.ndarray:
    """Return Tijdeman's order in integers: among the sources behind by 1/(2K-2) rows or more, take the one whose bound is met first."""
    slack = 2 * len(counts) - 2
    taken = np.zeros(len(counts), np.int64)
    order = np.zeros(PERIOD, np.int32)
    for row in range(PERIOD):
        behind = slack * (counts * np.int64(row + 1) - taken * PERIOD)  # times slack * PERIOD rows
        due = ((slack - 1) * PERIOD - behind) / counts
        source = int(np.argmin(np.where(behind >= PERIOD, due, np.inf)))
        order[row] = source
        taken[source] += 1
    return order
