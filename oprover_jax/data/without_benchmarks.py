"""Decontamination of texts while they are packed, for `PackConfig.decontaminate`."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from oprover_jax.statements.benchmarks import REGISTRY, Benchmark, load_benchmarks
from oprover_jax.statements.decontaminate import BenchmarkIndex, build_index, contains_benchmark


@dataclass(frozen=True)
class WithoutBenchmarks:
    """Return why a document must not be trained on: it contains a statement or the text of one of `benchmarks`, whose files are in
    `data`/benchmarks; "" if it may. Raises InputError if the benchmarks are missing or changed."""

    data: str
    benchmarks: tuple[Benchmark, ...] = REGISTRY

    def __call__(self, text: str) -> str:
        hit = contains_benchmark(_index(self.data, self.benchmarks), text)
        return f"{hit.benchmark}: {hit.reason}" if hit else ""


@lru_cache(maxsize=1)
def _index(data: str, benchmarks: tuple[Benchmark, ...]) -> BenchmarkIndex:
    return build_index(load_benchmarks(Path(data), benchmarks))
