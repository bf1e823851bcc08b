"""Stored form of a row: token ids, segment lengths, run-length encoded loss weights, and further fields unchanged.

Four bytes per token instead of the twenty that a row takes in memory; most of the time to read a row is spent writing those twenty.
Compressing the ids (zstd, as array_record would: 1.4 bytes per token; or three bytes each) makes reading half as fast.
"""

import math
from collections.abc import Sequence

import numpy as np

from oprover_jax.data.rows import ROW_FIELDS, Row

__all__ = ["Layout", "decode_into", "decode_row", "empty_rows", "encode_row", "layout_of"]

Layout = Sequence[tuple[str, str, tuple[int, ...]]]


def layout_of(row: Row) -> Layout:
    """Return names, types and shapes of a row's fields other than ROW_FIELDS, in stored order."""
    return [(name, row[name].dtype.str.lstrip("<=|"), row[name].shape) for name in sorted(row.keys() - ROW_FIELDS.keys())]


def encode_row(row: Row) -> bytes:
    """Encode a row as little-endian words of 32 bits: [segments, runs of weights, tokens], positions of each segment, lengths of the runs,
    weights of the runs, tokens of all segments, last target of each segment, further fields.

    Raises ValueError for arrays that do not form a row of packed segments.
    """
    segment_ids, weights = row["segment_ids"], row["weights"]
    lengths = np.bincount(segment_ids)[1:]
    ends = np.cumsum(lengths) - 1
    used = np.count_nonzero(segment_ids)
    bits = weights.view(np.int32)
    run_starts = np.append(0, np.flatnonzero(bits[1:] != bits[:-1]) + 1)
    run_lengths = np.diff(np.append(run_starts, len(weights)))
    head = np.concatenate([[len(lengths), len(run_lengths), used], lengths, run_lengths]).astype("<i4")
    arrays = [head, weights[run_starts].astype("<f4"), row["tokens"][:used].astype("<i4"), row["targets"][ends].astype("<i4")]
    arrays += [row[name].astype(f"<{dtype}", copy=False) for name, dtype, _ in layout_of(row)]
    record = b"".join(array.tobytes() for array in arrays)
    back = decode_row(record, len(weights), layout_of(row))
    if any(not np.array_equal(back[name], row[name]) for name in ROW_FIELDS):
        raise ValueError("the arrays do not form a row of packed segments; make rows with row_of")
    return record


def empty_rows(count: int, length: int, layout: Layout = ()) -> Row:
    """Return uninitialised arrays for `count` rows."""
    fields = {name: np.empty((count, length), dtype) for name, dtype in ROW_FIELDS.items()}
    return fields | {name: np.empty((count, *shape), dtype) for name, dtype, shape in layout}


def decode_into(rows: Row, at: int, record: bytes, layout: Layout = ()) -> None:
    """Decode a row stored by `encode_row` into position `at` of `rows`."""
    tokens, targets, positions, segment_ids, weights = (rows[name][at] for name in ROW_FIELDS)
    words = np.frombuffer(record, "<i4")
    segments, runs, used = words[:3].tolist()
    lengths = words[3 : 3 + segments]
    words = words[3 + segments :]
    run_lengths, run_weights, words = words[:runs].tolist(), words[runs : 2 * runs].view("<f4").tolist(), words[2 * runs :]
    tokens[:used] = words[:used]
    targets[: max(0, used - 1)] = words[1:used]
    targets[np.cumsum(lengths) - 1] = words[used : used + segments]
    words = words[used + segments :]
    counting = np.arange(lengths.max(initial=0), dtype=np.int32)
    here = 0
    for segment, size in enumerate(lengths.tolist(), start=1):
        end = here + size
        positions[here:end] = counting[:size]
        segment_ids[here:end] = segment
        here = end
    for field in (tokens, targets, positions, segment_ids):
        field[used:] = 0
    here = 0
    for size, weight in zip(run_lengths, run_weights, strict=True):
        weights[here : here + size] = weight
        here += size
    for name, dtype, shape in layout:
        count = math.prod(shape)
        rows[name][at] = words[:count].view(f"<{dtype}").reshape(shape)
        words = words[count:]


def decode_row(record: bytes, length: int, layout: Layout = ()) -> Row:
    """Return the row of `length` positions stored by `encode_row`."""
    rows = empty_rows(1, length, layout)
    decode_into(rows, 0, record, layout)
    return {name: field[0] for name, field in rows.items()}
