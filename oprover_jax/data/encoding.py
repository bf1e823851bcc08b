"""The stored form of a row: token ids once, lengths of segments, loss weights as runs; further fields of a row as they are.

Ids, not the arrays that follow from them: half the bytes of five 32-bit arrays after the file's own compression, and half the
time to read them.
"""

import math
from collections.abc import Sequence

import numpy as np

from oprover_jax.data.rows import ROW_FIELDS, Row

__all__ = ["Layout", "decode_row", "encode_row", "layout_of"]

Layout = list[tuple[str, str, tuple[int, ...]]]

_WORD = 4  # bytes of every stored value: ids, lengths and further fields are 32-bit little-endian


def layout_of(row: Row) -> Layout:
    """Names, types and shapes of the fields that a row holds besides ROW_FIELDS, in the order of its stored form."""
    return [(name, row[name].dtype.str.lstrip("<=|"), row[name].shape) for name in sorted(row.keys() - ROW_FIELDS.keys())]


def encode_row(row: Row) -> bytes:
    """[segments, runs of weights], positions of each segment, lengths and weights of the runs, ids of all segments, further fields.

    Raises ValueError for arrays that are no row of packed segments.
    """
    segment_ids, weights = row["segment_ids"], row["weights"]
    used = int(np.count_nonzero(segment_ids))
    lengths = np.bincount(segment_ids)[1:]
    ends = np.cumsum(lengths)
    bits = weights.view(np.int32)
    changes = np.flatnonzero(bits[1:] != bits[:-1]) + 1
    run_starts = np.concatenate([[0], changes])
    run_lengths = np.diff(np.append(run_starts, len(weights)))
    ids = np.insert(row["tokens"][:used], ends, row["targets"][ends - 1])
    head = np.concatenate([[len(lengths), len(run_lengths)], lengths, run_lengths]).astype("<i4")
    more = [row[name].astype(f"<{dtype}", copy=False).tobytes() for name, dtype, _ in layout_of(row)]
    record = b"".join([head.tobytes(), weights[run_starts].astype("<f4").tobytes(), ids.astype("<i4").tobytes(), *more])
    back = decode_row(record, len(weights), layout_of(row))
    if any(not np.array_equal(back[name], row[name]) for name in ROW_FIELDS):
        raise ValueError("these arrays are no row of packed segments; make rows with row_of")
    return record


def decode_row(record: bytes, length: int, layout: Sequence[tuple[str, str, tuple[int, ...]]] = ()) -> Row:
    """The row of `length` positions that `encode_row` wrote."""
    words = np.frombuffer(record, "<i4")
    segments, runs = int(words[0]), int(words[1])
    lengths, words = words[2 : 2 + segments].tolist(), words[2 + segments :]
    run_lengths, run_weights = words[:runs].tolist(), words[runs : 2 * runs].view("<f4").tolist()
    ids = words[2 * runs :]
    row: Row = {name: np.zeros(length, dtype) for name, dtype in ROW_FIELDS.items()}
    counting = np.arange(max(lengths, default=0), dtype=np.int32)
    at = taken = 0
    for segment, size in enumerate(lengths, start=1):
        here = slice(at, at + size)
        row["tokens"][here] = ids[taken : taken + size]
        row["targets"][here] = ids[taken + 1 : taken + size + 1]
        row["positions"][here] = counting[:size]
        row["segment_ids"][here] = segment
        at, taken = at + size, taken + size + 1
    at = 0
    for size, weight in zip(run_lengths, run_weights, strict=True):
        if weight:
            row["weights"][at : at + size] = weight
        at += size
    start = len(record) - _WORD * (len(ids) - taken)
    for name, dtype, shape in layout:
        count = math.prod(shape)
        row[name] = np.frombuffer(record, f"<{dtype}", count, start).astype(dtype).reshape(shape)
        start += count * _WORD
    return row
