"""Near duplicates: MinHash bands propose pairs of statements, and the Jaccard similarity of their runs of tokens decides.

Statements that differ in a numeral are different theorems, however long they are: of 553 pairs of real theorems with similarity 0.75 and
more, 211 differed this way. The remaining ones from 0.85 on are the same theorem in another shape, for another type, or with one more
hypothesis.

Bands are read one at a time and sorted, so that memory is some tens of bytes per statement, and 4 bytes for each of its runs.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int64, UInt32

from oprover_jax.ingest.rowwise import BAND_NAMES
from oprover_jax.records import Statement
from oprover_jax.statements.decontaminate import form

_PAIRS_AT_ONCE = 200_000


def near_duplicates(
    featured: Sequence[Path], share: float, ignored: Bool[np.ndarray, "n"]
) -> tuple[Int64[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Return for each statement the number of the first of its group (itself if it is the first) and its similarity to that one.

    Statements are numbered in the order of `featured`, files in the schema FEATURES. In order, each joins the earliest first of a
    group with a Jaccard similarity of at least `share` and the same numerals, or begins a group. Within a bucket of a
    band a statement is compared with the first one and with the one before it. Those `ignored` stay alone.
    """
    runs = pa.chunked_array(
        [chunk for path in featured for chunk in pq.read_table(path, columns=["runs"])["runs"].chunks], pa.list_(pa.uint32())
    )
    counts = np.concatenate([np.zeros(0, np.int64), *(chunk.value_lengths().to_numpy() for chunk in runs.chunks)]).astype(np.int64)
    flat = np.concatenate([np.zeros(0, np.uint32), *(chunk.flatten().to_numpy() for chunk in runs.chunks)])
    first, alike = np.arange(len(counts)), np.ones(len(counts))
    candidates = np.unique(np.concatenate([np.zeros(0, np.int64), *(_pairs(featured, name, ignored) for name in BAND_NAMES)]))
    numerals = np.concatenate(
        [np.zeros(0, np.uint32), *(pq.read_table(path, columns=["numerals"])["numerals"].to_numpy() for path in featured)]
    )
    begins = np.cumsum(counts) - counts
    for chunk in range(0, len(candidates), _PAIRS_AT_ONCE):
        later, earlier = np.divmod(candidates[chunk : chunk + _PAIRS_AT_ONCE], len(counts))
        similarity = _jaccard(flat, begins, counts, later, earlier)
        for at in np.flatnonzero(
            (similarity >= share) & (numerals[later] == numerals[earlier])
        ):  # in the order of the later ones, so that the earlier one already has its group
            statement, other = later[at], earlier[at]
            if first[statement] == statement and first[other] == other:
                first[statement], alike[statement] = other, similarity[at]
    return first, alike


def reshaped(statements: Iterable[Statement]) -> dict[str, str]:
    """Map each statement that restates an earlier one in another shape (`canonical`) to the id of the first such statement.

    For generated statements: their hypotheses are shorter than a run of tokens, so that runs would merge whole families.
    """
    first: dict[str, str] = {}
    copies = {}
    for statement in statements:
        key = form(statement)
        if first.setdefault(key, statement.id) != statement.id:
            copies[statement.id] = first[key]
    return copies


def _pairs(featured: Sequence[Path], band: str, ignored: Bool[np.ndarray, "n"]) -> Int64[np.ndarray, "p"]:
    """Return pairs in one bucket of one band: (later, earlier) as later * n + earlier."""
    hashes = np.concatenate([np.zeros(0, np.uint64), *(pq.read_table(path, columns=[band])[band].to_numpy() for path in featured)])
    order = np.argsort(hashes, kind="stable")
    order = order[~ignored[order]]
    same = np.zeros(len(order), bool)
    same[1:] = hashes[order[1:]] == hashes[order[:-1]]
    heads = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    at = np.flatnonzero(same)
    return np.unique(np.concatenate([order[at] * len(hashes) + order[heads[at]], order[at] * len(hashes) + order[at - 1]]))


def _jaccard(
    flat: UInt32[np.ndarray, "r"],
    begins: Int64[np.ndarray, "n"],
    counts: Int64[np.ndarray, "n"],
    left: Int64[np.ndarray, "p"],
    right: Int64[np.ndarray, "p"],
) -> Float[np.ndarray, "p"]:
    """Return the Jaccard similarity of the sets of runs of each pair."""
    pairs = len(left)
    sizes = np.concatenate([counts[left], counts[right]])
    at = np.arange(sizes.sum()) + np.repeat(np.concatenate([begins[left], begins[right]]) - (np.cumsum(sizes) - sizes), sizes)
    owner = np.repeat(np.tile(np.arange(pairs), 2), sizes)
    keys = np.sort((owner << 32) | flat[at].astype(np.int64))
    both = np.bincount(keys[1:][keys[1:] == keys[:-1]] >> 32, minlength=pairs)
    either = counts[left] + counts[right] - both
    return np.where(either, both / np.maximum(either, 1), 0.0)
