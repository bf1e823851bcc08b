"""Vectors by id with exact search: rows in a file, mapped into memory, and rows that were added since."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

CHUNK = 1 << 14  # rows scored per step: 4 MB of scores and 25 MB of vectors for 64 queries of 384 dims

Found = list[list[tuple[str, float]]]


class Vectors:
    """Unit vectors of `dims` dimensions, stored as "float32", or as "float16" with half the memory and similarities to 3 digits.

    Rows are dense: the last row replaces a deleted one. `mapped` are the first rows, from `map_rows`: processes that map one file share
    its memory, and a changed row takes memory of its own. Not thread-safe.
    """

    def __init__(self, dims: int, stored: str = "float32", ids: Sequence[str] = (), mapped: np.ndarray | None = None) -> None:
        self._ids: list[str] = list(ids)
        self._row: dict[str, int] = {identity: row for row, identity in enumerate(ids)}
        self._mapped = np.zeros((0, dims), stored) if mapped is None else mapped
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
        return self._at(np.array([self._row[identity] for identity in ids], np.int64))

    def put(self, ids: Sequence[str], vectors: Float32[np.ndarray, "n d"]) -> None:
        """Add entries or replace their vectors; for repeated ids, the last vector is used."""
        for identity in ids:
            if identity not in self._row:
                self._row[identity] = len(self._ids)
                self._ids.append(identity)
        added = len(self._ids) - len(self._mapped)
        if added > len(self._rows):
            # resize in place without copying; no view of the rows ever leaves this object
            self._rows.resize((max(added, len(self._rows) * 9 // 8), self._rows.shape[1]), refcheck=False)
        self._set(np.array([self._row[identity] for identity in ids], np.int64), vectors)

    def remove(self, ids: Sequence[str]) -> None:
        """Delete entries; raise KeyError if one does not exist."""
        for identity in ids:
            row, last = self._row.pop(identity), self._ids.pop()
            if last != identity:
                self._ids[row], self._row[last] = last, row
                self._set(np.array([row]), self._at(np.array([len(self._ids)])))

    def search(self, queries: Float32[np.ndarray, "q d"], count: int) -> Found:
        """Return (id, dot product) of up to `count` most similar entries for each query, best first."""
        best = np.full((len(queries), 0), -np.inf, np.float32)
        rows = np.zeros((len(queries), 0), np.int64)
        for start, block in self._blocks():
            scores = queries @ block.astype(np.float32, copy=False).T
            best = np.concatenate([best, scores], axis=1)
            rows = np.concatenate([rows, np.broadcast_to(np.arange(start, start + len(block)), scores.shape)], axis=1)
            if best.shape[1] > count:
                kept = np.argpartition(best, -count, axis=1)[:, -count:]
                best, rows = np.take_along_axis(best, kept, axis=1), np.take_along_axis(rows, kept, axis=1)
        return self._ordered(best, rows)

    def rescored(self, queries: Float32[np.ndarray, "q d"], candidates: Sequence[Sequence[str]]) -> Found:
        """Return (id, dot product) of the candidates of each query, best first."""
        results: Found = []
        for query, ids in zip(queries, candidates, strict=True):
            rows = np.array([self._row[identity] for identity in ids], np.int64)
            results += self._ordered((self._at(rows) @ query)[None], rows[None])
        return results

    def _blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, rows) in order; a block lies in one of the two arrays."""
        inside = min(len(self), len(self._mapped))
        for rows, begin, end in ((self._mapped, 0, inside), (self._rows, inside, len(self))):
            for start in range(begin, end, CHUNK):
                yield start, rows[start - begin : min(start + CHUNK, end) - begin]

    def _at(self, rows: np.ndarray) -> Float32[np.ndarray, "n d"]:
        edge = len(self._mapped)
        if not edge:
            return self._rows[rows].astype(np.float32)
        out = np.empty((len(rows), self._rows.shape[1]), np.float32)
        out[rows < edge], out[rows >= edge] = self._mapped[rows[rows < edge]], self._rows[rows[rows >= edge] - edge]
        return out

    def _set(self, rows: np.ndarray, vectors: Float[np.ndarray, "n d"]) -> None:
        edge = len(self._mapped)
        self._mapped[rows[rows < edge]] = vectors[rows < edge]
        self._rows[rows[rows >= edge] - edge] = vectors[rows >= edge]

    def _ordered(self, scores: Float[np.ndarray, "q n"], rows: np.ndarray) -> Found:
        order = np.lexsort((rows, -scores), axis=1)
        ranked = zip(np.take_along_axis(scores, order, axis=1).tolist(), np.take_along_axis(rows, order, axis=1).tolist(), strict=True)
        return [[(self._ids[row], score) for score, row in zip(*pair, strict=True)] for pair in ranked]


def map_rows(path: Path, rows: int, dims: int, stored: str) -> np.ndarray:
    """Return the [rows, dims] array in a file of nothing else; what is written to the array stays in this process."""
    return np.asarray(np.memmap(path, stored, "c", shape=(rows, dims))) if rows else np.zeros((0, dims), stored)
