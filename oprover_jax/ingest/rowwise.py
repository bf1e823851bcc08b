"""Row-wise work as pure functions from record batches to record batches, for local processes and Ray Data alike.

`identify` gives the rows of a source their ids and searches their texts for benchmarks; `features` processes each distinct
statement once: it compares it with the benchmarks and sketches it for the search for near duplicates.
"""

import zlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from rensa import RMinHash

from oprover_jax.statements.canonical import Item, canonical
from oprover_jax.statements.decontaminate import BenchmarkIndex, Hit, find_in_canonical, find_in_texts
from oprover_jax.statements.normalize import proof_id, statement_id
from oprover_jax.statements.shingles import statement_runs

BANDS = 16
ROWS_OF_A_BAND = 5  # a pair with Jaccard similarity 0.8 shares one of 16 bands of 5 with probability 0.998, one with 0.5 with 0.4
_SEED = 1

_TEXT = pa.string()
IDENTIFIED = pa.schema(
    [
        ("statement", pa.uint64()),
        ("proof", pa.uint64()),
        ("benchmark", _TEXT),
        ("reason", _TEXT),
        ("proof_benchmark", _TEXT),
        ("proof_reason", _TEXT),
    ]
)
"""Ids as numbers, `proof` null if there is none. `benchmark` and `reason` say which benchmark the statement's own texts (informal, header)
contain, `proof_benchmark` and `proof_reason` which one the proof contains; null if there is none."""

BAND_NAMES = [f"band_{number:02}" for number in range(BANDS)]
FEATURES = pa.schema(
    [
        ("benchmark", _TEXT),
        ("reason", _TEXT),
        *((name, pa.uint64()) for name in BAND_NAMES),
        ("numerals", pa.uint32()),
        ("runs", pa.list_(pa.uint32())),
    ]
)
"""Features for comparing two statements: `numerals` is a hash of the numbers in the statement, `runs` 32 bits of the hash of each distinct
run of tokens."""

IDENTIFY_COLUMNS = ["formal", "header", "proof", "informal"]
FEATURE_COLUMNS = ["formal", "header"]


def identify(batch: pa.RecordBatch, index: BenchmarkIndex | None) -> pa.RecordBatch:
    """Map rows with IDENTIFY_COLUMNS to IDENTIFIED; without an index no text is searched."""
    formals, headers, proofs, informals = (batch[name].to_pylist() for name in IDENTIFY_COLUMNS)
    known: dict[tuple[str, str], str] = {}
    statements = [
        known.get(pair) or known.setdefault(pair, statement_id(*pair)) for pair in zip(formals, (h or "" for h in headers), strict=True)
    ]
    ids = [None if proof is None else int(proof_id(key, proof), 16) for key, proof in zip(statements, proofs, strict=True)]
    of_statement: list[Hit | None] = [None] * len(batch)
    of_proof = of_statement
    if index:
        own, around = _found(index, "informal", informals), _found(index, "header", headers)
        of_statement = [first or second for first, second in zip(own, around, strict=True)]
        of_proof = _found(index, "proof", proofs)
    numbers = pa.array([int(key, 16) for key in statements], pa.uint64())
    return pa.RecordBatch.from_arrays(
        [numbers, pa.array(ids, pa.uint64()), *_hit_columns(of_statement), *_hit_columns(of_proof)], schema=IDENTIFIED
    )


def _found(index: BenchmarkIndex, kind: str, texts: Sequence[str | None]) -> list[Hit | None]:
    """Return the benchmark hit of each text; a text that many rows share, such as a header, is searched once."""
    distinct = [text for text in dict.fromkeys(texts) if text]
    hits = {text: hit for text, hit in zip(distinct, find_in_texts(index, distinct), strict=True) if hit}
    return [Hit(hit.benchmark, f"{kind}: {hit.reason}") if text and (hit := hits.get(text)) else None for text in texts]


def features(batch: pa.RecordBatch, index: BenchmarkIndex | None) -> pa.RecordBatch:
    """Map rows with FEATURE_COLUMNS to FEATURES; without an index nothing is contaminated."""
    formals, headers = (batch[name].to_pylist() for name in FEATURE_COLUMNS)
    items = [canonical(formal) for formal in formals]
    hashed = statement_runs(items)
    hits = find_in_canonical(index, formals, headers, items, hashed) if index else [None] * len(batch)
    offsets = np.searchsorted(hashed.owners, np.arange(len(batch) + 1)).astype(np.uint64)
    digests = RMinHash.digest_matrix_from_flat_token_hashes(hashed.hashes, offsets, BANDS * ROWS_OF_A_BAND, _SEED).to_rows()
    bands = _bands(np.array(digests, np.uint64).reshape(len(batch), BANDS, ROWS_OF_A_BAND))
    runs = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array((hashed.hashes >> np.uint64(32)).astype(np.uint32)))
    columns = [*(pa.array(bands[:, band]) for band in range(BANDS)), pa.array([_numerals(own) for own in items], pa.uint32()), runs]
    return pa.RecordBatch.from_arrays([*_hit_columns(hits), *columns], schema=FEATURES)


def _numerals(items: Sequence[Item]) -> int:
    return zlib.crc32(
        " ".join(sorted(word for item in items for word in item.kind if isinstance(word, str) and word[:1].isdigit())).encode()
    )


def _bands(digests: np.ndarray) -> np.ndarray:
    """Return one number for each band of each statement: uint64 [n, bands] of uint64 [n, bands, rows]."""
    mixed = np.zeros(digests.shape[:2], np.uint64)
    for row in range(digests.shape[2]):
        mixed = (mixed ^ digests[:, :, row]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _hit_columns(hits: Sequence[Hit | None]) -> list[pa.Array]:
    return [pa.array([hit and hit.benchmark for hit in hits], pa.string()), pa.array([hit and hit.reason for hit in hits], pa.string())]
