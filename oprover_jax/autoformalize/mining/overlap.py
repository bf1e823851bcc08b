"""Detection of passages that overlap with benchmark statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oprover_jax.progress import ProgressConsole
from oprover_jax.statements.benchmarks import load_benchmarks
from oprover_jax.statements.decontaminate import BenchmarkIndex, build_index, find_in_texts


@dataclass(frozen=True)
class BenchmarkOverlap:
    """Picklable function that returns, for each text, the benchmark statement that it overlaps with, or ""."""

    index: BenchmarkIndex

    def __call__(self, texts: Sequence[str]) -> list[str]:
        return [hit.benchmark if hit is not None else "" for hit in find_in_texts(self.index, texts)]


def overlap_with(data: Path | None, console: ProgressConsole) -> BenchmarkOverlap | None:
    """Return the overlap detector for the benchmarks in `data`, or None with a warning if no folder is given."""
    if data is None:
        console.line("warning: no benchmarks given (--data); passages are not decontaminated")
        return None
    return BenchmarkOverlap(build_index(load_benchmarks(data)))
