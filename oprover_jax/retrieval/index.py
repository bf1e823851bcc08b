"""Similarity index over vectors: exact search for few entries, ScaNN (arXiv 1908.10396) with tree and asymmetric hashing for many.

ScaNN stores codes only (a quarter of a byte per dimension) and proposes candidates, which are rescored exactly with the vectors in
`Vectors`, so that there is one copy of the vectors.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float32
from scann.scann_ops.py import scann_ops_pybind

from oprover_jax.retrieval.vectors import Found, Vectors

_CODES = 16  # codes of asymmetric hashing per pair of dimensions; fewer entries cannot train it
_MOVED = 1 << 14  # vectors copied to a new searcher per lock
_DOCIDS = "ids.json"


@dataclass(frozen=True)
class IndexConfig:
    """Search settings. The tree has about sqrt(n) leaves.

    Attributes:
      exact_up_to: Maximum number of entries for exact search.
      leaves_searched: Fraction of the leaves searched above that.
      candidates: Number of candidates that are rescored exactly.
      retrain_growth: Relative growth after which the tree is retrained, concurrently with searches.
      trained_on: Maximum number of training entries of the tree.
      stored: Data type of stored vectors, "float32" or "float16".
    """

    exact_up_to: int = 20_000
    leaves_searched: float = 0.1
    candidates: int = 128
    retrain_growth: float = 0.5
    trained_on: int = 1_000_000
    stored: str = "float32"

    def __post_init__(self) -> None:
        if self.exact_up_to < _CODES or self.trained_on < _CODES or self.candidates < 1:
            raise ValueError(
                f"exact_up_to is {self.exact_up_to}, trained_on {self.trained_on} and candidates {self.candidates}; "
                f"they must be at least {_CODES}, {_CODES} and 1"
            )
        if not 0 < self.leaves_searched <= 1:
            raise ValueError(f"leaves_searched is {self.leaves_searched}; it must be in (0, 1]")
        if self.retrain_growth <= 0:
            raise ValueError(f"retrain_growth is {self.retrain_growth}; it must be positive (0.5 retrains after growth by 50%)")
        if self.stored not in ("float32", "float16"):
            raise ValueError(f"stored is {self.stored!r}; give 'float32' or 'float16'")


class Tree(msgspec.Struct, frozen=True):
    """A saved search tree: the number of entries when it was trained, and of its leaves."""

    built_for: int
    leaves: int


class Index:
    """Thread-safe index with upsert, delete and search; a search sees all changes made before it started.

    The first search that needs a tree waits for it. Later trees are built in a thread while searches use the old one. Up to `exact_up_to`
    entries, results are a function of the contents alone.
    """

    def __init__(self, dims: int, config: IndexConfig, vectors: Vectors | None = None) -> None:
        """Make an index of `vectors`, by default of none."""
        self._config = config
        self._vectors = Vectors(dims, config.stored) if vectors is None else vectors
        self._searcher: Any = None
        self._tree = Tree(0, 1)  # of the searcher
        self._lock = threading.RLock()
        self._building: threading.Thread | None = None
        self._touched: set[str] = set()  # ids upserted or deleted since the current build started
        self._failure: BaseException | None = None

    def __len__(self) -> int:
        return len(self._vectors)

    def vectors(self, ids: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """Return a copy of the vectors of the existing ids among `ids`."""
        with self._lock:
            return self._vectors.of([identity for identity in ids if identity in self._vectors])

    def upsert(self, ids: Sequence[str], vectors: Float32[np.ndarray, "n d"]) -> None:
        """Add entries or replace their vectors."""
        with self._lock:
            self._vectors.put(ids, vectors)
            if self._searcher is not None:
                _put(self._searcher, ids, vectors)
            if self._building is not None:
                self._touched.update(ids)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete entries; raise KeyError, without changes, if one does not exist."""
        with self._lock:
            if unknown := next((identity for identity in ids if identity not in self._vectors), None):
                raise KeyError(unknown)
            self._vectors.remove(ids)
            if self._searcher is not None and ids:
                self._searcher.delete(list(ids))
            if self._building is not None:
                self._touched.update(ids)

    def search(self, queries: Float32[np.ndarray, "q d"], count: int) -> Found:
        """Return (id, dot product) of up to `count` most similar entries for each query, best first."""
        with self._lock:
            if len(self) <= self._config.exact_up_to:
                self._searcher = None
            if len(queries) == 0 or len(self) <= self._config.exact_up_to:
                return self._vectors.search(queries, count)
            self._build_if_outgrown()
            first = self._building if self._searcher is None else None
        if first is not None:
            self.wait()
            return self.search(queries, count)
        with self._lock:
            if self._searcher is None or len(self) <= count:
                return self._vectors.search(queries, count)
            candidates = min(max(count, self._config.candidates), len(self))
            leaves = _leaves_searched(self._tree.leaves, self._config)
            proposed, distances = self._searcher.search_batched_parallel(queries, candidates, None, leaves)
            # if the leaves have too few entries, ScaNN pads with its first entry and NaN distances
            proposed = [ids[: int(valid.sum())] for ids, valid in zip(proposed, ~np.isnan(distances), strict=True)]
            results = [row[:count] for row in self._vectors.rescored(queries, proposed)]
            short = [number for number, row in enumerate(results) if len(row) < count]
            for number, row in zip(short, self._vectors.search(queries[short], count) if short else (), strict=True):
                results[number] = row
            return results

    def search_exactly(self, queries: Float32[np.ndarray, "q d"], count: int) -> Found:
        """Return the results of `search` by brute force, as a reference."""
        with self._lock:
            return self._vectors.search(queries, count)

    def wait(self) -> None:
        """Wait until no tree is being built; raise the error of a failed build."""
        thread = self._building
        if thread is not None:
            thread.join()
        with self._lock:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure

    def save_tree(self, folder: Path) -> Tree | None:
        """Write the search tree to a new folder, trained first if the index has outgrown it; return None if no tree is needed."""
        with self._lock:
            if len(self) > self._config.exact_up_to:
                self._build_if_outgrown()
        self.wait()
        with self._lock:
            if self._searcher is None:
                return None
            folder.mkdir()
            self._searcher.searcher.serialize(str(folder), True)
            (folder / _DOCIDS).write_bytes(msgspec.json.encode(self._searcher.docids))  # ScaNN's own file of them is a pickle
            return self._tree

    def load_tree(self, folder: Path, tree: Tree) -> None:
        """Take a saved tree; entries that it lacks are added to it, and those that only it has are deleted from it."""
        docids = msgspec.json.decode((folder / _DOCIDS).read_bytes(), type=list[str])
        loaded = scann_ops_pybind.load_searcher(str(folder), assets_backcompat_shim=False)
        searcher = scann_ops_pybind.ScannSearcher(loaded.searcher, docids)
        differing = list(searcher.docid_to_id.keys() ^ set(self._vectors.ids))
        for start in range(0, len(differing), _MOVED):
            self._synchronize(searcher, differing[start : start + _MOVED])
        with self._lock:
            self._searcher, self._tree = searcher, tree

    def _build_if_outgrown(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        outgrown = self._searcher is None or len(self) > self._tree.built_for * (1 + self._config.retrain_growth)
        if outgrown and self._building is None:
            self._touched.clear()
            self._building = threading.Thread(target=self._build, name="oprover-index", daemon=True)
            self._building.start()

    def _build(self) -> None:
        try:
            with self._lock:
                ids = self._vectors.ids
                first = ids[: self._config.trained_on]
                learned = self._vectors.of(first)
            leaves = max(1, min(math.isqrt(len(ids)), len(first)))
            searcher = _train(first, learned, leaves, self._config)
            del learned
            for start in range(len(first), len(ids), _MOVED):
                self._synchronize(searcher, ids[start : start + _MOVED])
            while self._waiting() > _MOVED:
                with self._lock:
                    touched, self._touched = list(self._touched), set()
                for start in range(0, len(touched), _MOVED):
                    self._synchronize(searcher, touched[start : start + _MOVED])
            with self._lock:
                self._synchronize(searcher, list(self._touched))
                self._searcher, self._tree, self._building = searcher, Tree(len(ids), leaves), None
        except BaseException as failure:
            with self._lock:
                self._failure, self._building = failure, None

    def _waiting(self) -> int:
        with self._lock:
            return len(self._touched)

    def _synchronize(self, searcher: Any, ids: Sequence[str]) -> None:
        """Bring `ids` in a searcher under construction up to date."""
        with self._lock:
            present = [identity for identity in ids if identity in self._vectors]
            vectors = self._vectors.of(present)
        _put(searcher, present, vectors)
        if deleted := [identity for identity in set(ids) - set(present) if identity in searcher.docid_to_id]:
            searcher.delete(deleted)


def _put(searcher: Any, ids: Sequence[str], vectors: Float32[np.ndarray, "n d"]) -> None:
    if ids:
        searcher.upsert(list(ids), vectors, batch_size=256)


def _leaves_searched(leaves: int, config: IndexConfig) -> int:
    return max(1, math.ceil(leaves * config.leaves_searched))


def _train(ids: list[str], vectors: Float32[np.ndarray, "n d"], leaves: int, config: IndexConfig) -> Any:
    """Return a searcher over `ids` with a tree of so many leaves."""
    return (
        scann_ops_pybind.builder(vectors, config.candidates, "dot_product")
        .tree(leaves, _leaves_searched(leaves, config), training_sample_size=min(len(ids), 250_000))
        .score_ah(2, anisotropic_quantization_threshold=0.2)
        .build(docids=list(ids))
    )
