"""The retrieval memory's searcher against brute force in numpy: the same vectors, the same queries, k best of each."""

import numpy as np
import tyro
from common import race, report, seconds

from oprover_jax.retrieval.index import Index, IndexConfig


def vectors(count: int, dims: int, seed: int) -> np.ndarray:
    """Unit vectors in loose clusters of about 20, as statements of one family are."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(4096, dims))
    found = centres[rng.integers(len(centres), size=count)] + 0.7 * rng.normal(size=(count, dims))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def brute_force(database: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Rows of the `k` best of each query, best first."""
    scores = queries @ database.T
    found = np.argpartition(scores, -k, axis=1)[:, -k:]
    return np.take_along_axis(found, np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1), axis=1)


def main(entries: int = 50_000, queries: int = 256, dims: int = 384, k: int = 8, upserts: int = 2_000, repeats: int = 3) -> None:
    """Measures build, search, recall and upserts.

    Args:
      entries: Vectors in the memory.
      queries: Queries of one batch.
      dims: Dimensions of a vector.
      k: Neighbours wanted.
      upserts: Vectors added to the memory once it is built.
      repeats: Runs of the search, of which the fastest counts.
    """
    database, asked, added = vectors(entries, dims, 1), vectors(queries, dims, 2), vectors(upserts, dims, 3)
    ids = [str(i) for i in range(entries)]
    config = IndexConfig()
    index = Index(dims, config)

    def search() -> list[list[str]]:
        return [list(row) for row in index.search(asked, k, lambda: (ids, database))]

    build_seconds = seconds(search)
    found = search()
    exact = brute_force(database, asked, k)
    hits = [len({int(i) for i in row} & set(best.tolist())) / k for row, best in zip(found, exact)]
    scann_seconds, numpy_seconds = race(search, lambda: brute_force(database, asked, k), repeats)
    upsert_seconds = seconds(lambda: index.upsert([f"new{i}" for i in range(upserts)], added))
    report(
        "retrieval",
        entries=entries,
        queries=queries,
        dims=dims,
        k=k,
        scorer="exact" if entries <= config.exact_up_to else "tree and asymmetric hashing",
        recall=float(np.mean(hits)),
        build_seconds=build_seconds,
        queries_per_second_scann=queries / scann_seconds,
        queries_per_second_numpy=queries / numpy_seconds,
        upserts_per_second=upserts / upsert_seconds,
        ratio_scann_vs_numpy=numpy_seconds / scann_seconds,
    )


if __name__ == "__main__":
    tyro.cli(main)
