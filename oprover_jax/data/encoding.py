"""The stored form of a row: token ids once and in three bytes each, lengths of segments, loss weights as runs; further fields as they are.

Three bytes a token in place of the twenty that a row has in memory, and read in a fifth of the time that its arrays took, compressed.
Compressing the ids (to 1.2 bytes) would double that time.
"""

import math
from collections.abc import Sequence

import numpy as np

from oprover_jax.data.rows import ROW_FIELDS, Row

__all__ = ["Layout", "decode_into", "decode_row", "empty_rows", "encode_row", "layout_of"]

Layout = Sequence[tuple[str, str, tuple[int, ...]]]

_WORD = 4  # bytes of every stored value but the ids: 32-bit little-endian
LARGEST_ID = 2**24 - 1


def layout_of(row: Row) -> Layout:
    """Names, types and shapes of the fields that a row holds besides ROW_FIELDS, in the order of its stored form."""
    return [(name, row[name].dtype.str.lstrip("<=|"), row[name].shape) for name in sorted(row.keys() - ROW_FIELDS.keys())]


def encode_row(row: Row) -> bytes:
    """[segments, runs of weights], positions of each segment, lengths and weights of the runs, further fields, ids of all segments: their
    low 16 bits, then their high 8.

    Raises ValueError for arrays that are no row of packed segments, and for ids above 2**24 - 1.
    """
    segment_ids, weights = row["segment_ids"], row["weights"]
    lengths = np.bincount(segment_ids)[1:]
    ends = np.cumsum(lengths)
    bits = weights.view(np.int32)
    run_starts = np.append(0, np.flatnonzero(bits[1:] != bits[:-1]) + 1)
    run_lengths = np.diff(np.append(run_starts, len(weights)))
    ids = np.insert(row["tokens"][: np.count_nonzero(segment_ids)], ends, row["targets"][ends - 1])
    if len(ids) and not 0 <= ids.min() <= ids.max() <= LARGEST_ID:
        raise ValueError(f"token ids {ids.min()} to {ids.max()} do not fit a stored row, which has 24 bits for each")
    head = np.concatenate([[len(lengths), len(run_lengths)], lengths, run_lengths]).astype("<i4")
    more = [row[name].astype(f"<{dtype}", copy=False).tobytes() for name, dtype, _ in layout_of(row)]
    parts = [head.tobytes(), weights[run_starts].astype("<f4").tobytes(), *more, (ids & 0xFFFF).astype("<u2").tobytes()]
    record = b"".join([*parts, (ids >> 16).astype(np.uint8).tobytes()])
    back = decode_row(record, len(weights), layout_of(row))
    if any(not np.array_equal(back[name], row[name]) for name in ROW_FIELDS):
        raise ValueError("these arrays are no row of packed segments; make rows with row_of")
    return record


def empty_rows(count: int, length: int, layout: Layout = ()) -> Row:
    """Arrays for `count` rows, not yet filled."""
    fields = {name: np.empty((count, length), dtype) for name, dtype in ROW_FIELDS.items()}
    return fields | {name: np.empty((count, *shape), dtype) for name, dtype, shape in layout}


def decode_into(rows: Row, at: int, record: bytes, layout: Layout = ()) -> None:
    """Writes the row that `encode_row` stored to place `at` of `rows`."""
    tokens, targets, positions, segment_ids, weights = (rows[name][at] for name in ROW_FIELDS)
    words = np.frombuffer(record, "<i4", len(record) // _WORD)
    segments, runs = int(words[0]), int(words[1])
    lengths, words = words[2 : 2 + segments].tolist(), words[2 + segments :]
    run_lengths, run_weights, words = words[:runs].tolist(), words[runs : 2 * runs].view("<f4").tolist(), words[2 * runs :]
    for name, dtype, shape in layout:
        count = math.prod(shape)
        rows[name][at] = words[:count].view(f"<{dtype}").reshape(shape)
        words = words[count:]
    count = sum(lengths) + segments
    start = len(record) - 3 * count
    ids = np.frombuffer(record, "<u2", count, start).astype(np.int32)
    ids |= np.frombuffer(record, np.uint8, count, start + 2 * count).astype(np.int32) << 16
    counting = np.arange(max(lengths, default=0), dtype=np.int32)
    here = taken = 0
    for segment, size in enumerate(lengths, start=1):
        end, last = here + size, taken + size
        tokens[here:end] = ids[taken:last]
        targets[here:end] = ids[taken + 1 : last + 1]
        positions[here:end] = counting[:size]
        segment_ids[here:end] = segment
        here, taken = end, last + 1
    for field in (tokens, targets, positions, segment_ids):
        field[here:] = 0
    here = 0
    for size, weight in zip(run_lengths, run_weights, strict=True):
        weights[here : here + size] = weight
        here += size


def decode_row(record: bytes, length: int, layout: Layout = ()) -> Row:
    """The row of `length` positions that `encode_row` stored."""
    rows = empty_rows(1, length, layout)
    decode_into(rows, 0, record, layout)
    return {name: field[0] for name, field in rows.items()}
