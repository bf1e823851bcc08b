"""Decontamination of texts while they are packed, for `PackConfig.decontaminate`."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from oprover_jax.statements.benchmarks import load_benchmarks
from oprover_jax.statements.decontaminate import BenchmarkIndex, build_index, contains_benchmark


@dataclass(frozen=True)
class WithoutBenchmarks:
    """Return why a document must not be trained on: it contains a statement or the text of a benchmark in `data`/benchmarks; "" if it
    may. Raises InputError if the benchmarks are missing or changed."""

    data: str

    def __call__(self, text: str) -> str:
        hit = contains_benchmark(_index(self.data), text)
        return f"{hit.benchmark}: {hit.reason}" if hit else ""


@lru_cache(maxsize=1)
def _index(data: str) -> BenchmarkIndex:
    return build_index(load_benchmarks(Path(data)))
