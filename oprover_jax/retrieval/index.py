"""ScaNN behind three verbs: exact scoring while the memory is small, a tree with asymmetric hashing when it is large."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32
from scann.scann_ops.py import scann_ops_pybind

Contents = Callable[[], tuple[list[str], Float32[np.ndarray, "n d"]]]


@dataclass(frozen=True)
class IndexConfig:
    """How to search. Up to `exact_up_to` entries every vector is scored; above, `leaves_searched` of the tree's leaves are.

    The tree has about sqrt(n) leaves; it is trained again when the entries have grown by `retrain_growth`.
    `reordered` candidates are scored again exactly.
    """

    exact_up_to: int = 20_000
    leaves_searched: float = 0.2
    reordered: int = 128
    retrain_growth: float = 0.5

    def __post_init__(self) -> None:
        if self.exact_up_to < 0 or self.reordered < 1:
            raise ValueError(f"exact_up_to is {self.exact_up_to} and reordered {self.reordered}; they must be at least 0 and 1")
        if not 0 < self.leaves_searched <= 1:
            raise ValueError(f"leaves_searched is {self.leaves_searched}; it is a fraction above 0 and up to 1")
        if self.retrain_growth <= 0:
            raise ValueError(f"retrain_growth is {self.retrain_growth}; it must be positive (0.5 retrains after half as many again)")


class Index:
    """Ids by similarity of their vectors (dot product). Built at the first search after it was outgrown, updated in place otherwise."""

    def __init__(self, dims: int, config: IndexConfig) -> None:
        self._dims = dims
        self._config = config
        self._searcher: Any = None
        self._trained_on = 0

    def upsert(self, ids: list[str], vectors: Float32[np.ndarray, "n d"]) -> None:
        """Adds entries or replaces their vectors."""
        if self._searcher is not None and ids:
            self._searcher.upsert(ids, vectors, batch_size=64)

    def delete(self, ids: list[str]) -> None:
        """Deletes entries that are there."""
        if self._searcher is not None and ids:
            self._searcher.delete(ids)

    def search(self, queries: Float32[np.ndarray, "q d"], count: int, contents: Contents) -> Sequence[Sequence[str]]:
        """The `count` most similar ids for each query, best first. `contents` gives all entries when the searcher must be built."""
        if self._searcher is None or self._outgrown():
            self._build(*contents())
        reordered = max(count, self._config.reordered)
        found, _ = self._searcher.search_batched(queries, count, reordered if self._trained_on > self._config.exact_up_to else None)
        return found

    def _outgrown(self) -> bool:
        size, exact = self._searcher.size(), self._config.exact_up_to
        if self._trained_on <= exact:
            return size > exact
        return size <= exact or size > self._trained_on * (1 + self._config.retrain_growth)

    def _build(self, ids: list[str], vectors: Float32[np.ndarray, "n d"]) -> None:
        size = len(ids)
        builder = scann_ops_pybind.builder(vectors, 10, "dot_product")
        if size <= self._config.exact_up_to:
            builder = builder.score_brute_force()
        else:
            leaves = max(1, math.isqrt(size))
            searched = max(1, math.ceil(leaves * self._config.leaves_searched))
            builder = (
                builder.tree(leaves, searched, training_sample_size=min(size, 250_000))
                .score_ah(2, anisotropic_quantization_threshold=0.2)
                .reorder(self._config.reordered)
            )
        self._searcher = builder.build(docids=ids)
        self._trained_on = size
