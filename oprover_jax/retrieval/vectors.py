"""Vectors by id in one growing array with exact search, used for small memories and as reference for other indexes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32

CHUNK = 1 << 14  # rows scored per step: 4 MB of scores and 25 MB of vectors for 64 queries of 384 dims

Found = list[list[tuple[str, float]]]


class Vectors:
    """Unit vectors of `dims` dimensions, stored as "float32", or as "float16" with half the memory and similarities to 3 digits.

    Rows are dense: the last row replaces a deleted one. Not thread-safe.
    """

    def __init__(self, dims: int, stored: str = "float32") -> None:
        self._ids: list[str] = []
        self._row: dict[str, int] = {}
        self._rows = np.zeros((0, dims), stored)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, identity: str) -> bool:
        return identity in self._row

    @property
    def ids(self) -> list[str]:
        return list(self._ids)

    def of(self, ids: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """Return a copy of the vectors of `ids`; raise KeyError if one does not exist."""
        return self._rows[[self._row[identity] for identity in ids]].astype(np.float32)

    def put(self, ids: Sequence[str], vectors: Float32[np.ndarray, "n d"]) -> None:
        """Add entries or replace their vectors; for repeated ids, the last vector is used."""
        for identity in ids:
            if identity not in self._row:
                self._row[identity] = len(self._ids)
                self._ids.append(identity)
        if len(self._ids) > len(self._rows):
            # resize in place without copying; no view of the rows ever leaves this object
            self._rows.resize((max(len(self._ids), len(self._rows) * 9 // 8), self._rows.shape[1]), refcheck=False)
        self._rows[[self._row[identity] for identity in ids]] = vectors

    def remove(self, ids: Sequence[str]) -> None:
        """Delete entries; raise KeyError if one does not exist."""
        for identity in ids:
            row, last = self._row.pop(identity), self._ids.pop()
            if last != identity:
                self._ids[row], self._row[last] = last, row
                self._rows[row] = self._rows[len(self._ids)]

    def search(self, queries: Float32[np.ndarray, "q d"], count: int) -> Found:
        """Return (id, dot product) of up to `count` most similar entries for each query, best first."""
        best = np.full((len(queries), 0), -np.inf, np.float32)
        rows = np.zeros((len(queries), 0), np.int64)
        for start in range(0, len(self), CHUNK):
            stop = min(start + CHUNK, len(self))
            scores = queries @ self._rows[start:stop].astype(np.float32, copy=False).T
            best = np.concatenate([best, scores], axis=1)
            rows = np.concatenate([rows, np.broadcast_to(np.arange(start, stop), scores.shape)], axis=1)
            if best.shape[1] > count:
                kept = np.argpartition(best, -count, axis=1)[:, -count:]
                best, rows = np.take_along_axis(best, kept, axis=1), np.take_along_axis(rows, kept, axis=1)
        return self._ordered(best, rows)

    def rescored(self, queries: Float32[np.ndarray, "q d"], candidates: Sequence[Sequence[str]]) -> Found:
        """Return (id, dot product) of the candidates of each query, best first."""
        results: Found = []
        for query, ids in zip(queries, candidates, strict=True):
            rows = np.array([self._row[identity] for identity in ids], np.int64)
            scores = self._rows[rows].astype(np.float32, copy=False) @ query
            results += self._ordered(scores[None], rows[None])
        return results

    def _ordered(self, scores: Float[np.ndarray, "q n"], rows: np.ndarray) -> Found:
        order = np.lexsort((rows, -scores), axis=1)
        ranked = zip(np.take_along_axis(scores, order, axis=1).tolist(), np.take_along_axis(rows, order, axis=1).tolist(), strict=True)
        return [[(self._ids[row], score) for score, row in zip(*pair, strict=True)] for pair in ranked]
