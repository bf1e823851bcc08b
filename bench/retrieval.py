"""The retrieval memory's index against brute force: the same vectors, the same queries, the k nearest of each."""

import resource
from collections.abc import Iterator
from typing import Literal

import numpy as np
import tyro
from common import race, report, seconds

from oprover_jax.retrieval.index import Index, IndexConfig

PART = 1 << 16


def vectors(count: int, dims: int, seed: int) -> Iterator[np.ndarray]:
    """Yield unit vectors in 4096 loose clusters, like statements of one family, one part at a time."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((4096, dims), dtype=np.float32)
    for start in range(0, count, PART):
        size = min(PART, count - start)
        found = centres[rng.integers(len(centres), size=size)] + np.float32(0.7) * rng.standard_normal((size, dims), dtype=np.float32)
        yield found / np.linalg.norm(found, axis=1, keepdims=True)


def resident_mib() -> float:
    """Return the present memory of this process in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def main(
    entries: int = 50_000,
    queries: int = 256,
    dims: int = 384,
    k: int = 8,
    upserts: int = 2_000,
    repeats: int = 3,
    leaves_searched: float = IndexConfig.leaves_searched,
    candidates: int = IndexConfig.candidates,
    trained_on: int = IndexConfig.trained_on,
    stored: Literal["float32", "float16"] = "float32",
) -> None:
    """Measure build, search, recall, upserts, deletes and memory.

    Args:
      entries: Number of vectors in the memory.
      queries: Queries per batch.
      dims: Dimensions of a vector.
      k: Number of neighbours.
      upserts: Vectors added to the memory once it is built.
      repeats: Number of searches; the fastest counts.
      leaves_searched: Fraction of the tree's leaves that a search visits.
      candidates: Entries whose vectors are compared exactly.
      trained_on: Maximum number of entries that the tree is trained on; the others are upserted.
      stored: Storage format of vectors.
    """
    asked, added = np.concatenate(list(vectors(queries, dims, 2))), np.concatenate(list(vectors(upserts, dims, 3)))
    config = IndexConfig(leaves_searched=leaves_searched, candidates=candidates, trained_on=trained_on, stored=stored)
    index = Index(dims, config)
    before = resident_mib()
    for number, part in enumerate(vectors(entries, dims, 1)):
        ids = [str(number * PART + row) for row in range(len(part))]
        index.upsert(ids, part)
    held = resident_mib()
    build_seconds = seconds(lambda: index.search(asked[:1], k))
    built = resident_mib()
    found, exact = index.search(asked, k), index.search_exactly(asked, k)
    hits = [len({i for i, _ in row} & {i for i, _ in best}) / k for row, best in zip(found, exact, strict=True)]
    index_seconds, exact_seconds = race(lambda: index.search(asked, k), lambda: index.search_exactly(asked, k), repeats)
    one_seconds = min(seconds(lambda row=row: index.search(asked[row : row + 1], k)) for row in range(min(queries, 20)))
    new = [f"new{row}" for row in range(upserts)]
    upsert_seconds = seconds(lambda: index.upsert(new, added))
    delete_seconds = seconds(lambda: index.delete(new))
    report(
        "retrieval",
        entries=entries,
        queries=queries,
        dims=dims,
        k=k,
        stored=stored,
        scorer="exact" if entries <= config.exact_up_to else "tree and asymmetric hashing",
        **{f"recall_at_{k}": float(np.mean(hits))},
        build_seconds=build_seconds,
        queries_per_second=queries / index_seconds,
        queries_per_second_brute_force=queries / exact_seconds,
        one_query_ms=one_seconds * 1e3,
        upserts_per_second=upserts / upsert_seconds,
        deletes_per_second=upserts / delete_seconds,
        mib_of_vectors=held - before,
        mib_of_tree=built - held,
        mib_at_most=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        ratio_index_vs_brute_force=exact_seconds / index_seconds,
    )


if __name__ == "__main__":
    tyro.cli(main)
