"""A small benchmark in a data folder."""

import json
from collections.abc import Mapping
from pathlib import Path

from oprover_jax.statements.benchmarks import Benchmark


def write_benchmark(data: Path, formals: Mapping[str, str]) -> Benchmark:
    """Writes statements by name as `data`/benchmarks/own.jsonl; its entry in the list of benchmarks."""
    (data / "benchmarks").mkdir(parents=True)
    rows = [json.dumps({"name": name, "formal_statement": formal}) for name, formal in formals.items()]
    (data / "benchmarks" / "own.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return Benchmark("own", "own.jsonl", rows=len(rows), sha256="", licence="MIT", upstream="")
