"""Building of a corpus at scale: synthetic shards in the layout of the public release are read, deduplicated and committed, at several
sizes.

The shards contain copies that differ in white space, near duplicates, and benchmark statements in disguise, in known numbers. The output
compares these with the numbers found, and gives rows per second and the peak memory of all processes together.
"""

import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import tyro

if __name__ == "__main__":  # child processes inherit the path, without this folder on it
    from common import report

from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.ingest.deduplicate import DeduplicateConfig, deduplicate
from oprover_jax.ingest.sources.layouts import LAYOUTS
from oprover_jax.ingest.sources.reading import Task, read_files
from oprover_jax.ingest.sources.rows import Place, RowLimits
from oprover_jax.records import Statement

HEADER = "import Mathlib\nimport Aesop\n\nset_option maxHeartbeats 400000\n\nopen BigOperators Real Nat Topology Rat\n\n"
BENCHMARK = 500  # number of benchmark statements
SHARD = 95_000  # rows; the release has 6.8 million in 73
# every 20th statement is the one before it in another shape, every 1000th a benchmark statement in disguise
NEAR, PLANTED = 20, 1000
PROOFS = 12  # at most this many distinct proofs per statement, drawn with replacement: about one row in eight is a copy
HELD_OUT = 10**9  # first number of the benchmark statements


def statement(number: int, shape: int = 0) -> str:
    """Return an inequality that follows from others; another `shape` restates it with other names and in another order."""
    rng = random.Random(number)
    names = rng.sample("abcdxyz", rng.randint(2, 4))
    kind = rng.choice(("ℝ", "ℕ", "ℤ"))

    def term() -> str:
        return " + ".join(f"{rng.randint(2, 99)} * {rng.choice(names)} ^ {rng.randint(2, 9)}" for _ in range(rng.randint(1, 4)))

    hypotheses = [f"{term()} {rng.choice('<≤=')} {term()}" for _ in range(rng.randint(1, 5))]
    goal = f"{term()} ≤ {term()}"
    if shape == 0:
        binders = " ".join(f"(h{i} : {text})" for i, text in enumerate(hypotheses))
        return f"theorem thm_{number} ({' '.join(names)} : {kind}) {binders} : {goal} := by sorry"
    shuffled = random.Random(shape)
    shuffled.shuffle(hypotheses)
    antecedents = " → ".join(f"({text})" for text in hypotheses)
    text = f"theorem other_{shape} :\n    ∀ {' '.join(names)} : {kind}, -- for all\n    {antecedents} → {goal} := by sorry"
    for name in names:
        text = text.replace(f" {name} ", f" {name}{shape % 10} ")
    return text


def proof(number: int, variant: int) -> str:
    """Return tactics of 0.3 to 3 kB; most are shorter than the mean."""
    rng = random.Random(number * PROOFS + variant)
    lines = [_line(rng, i) for i in range(min(24, max(2, int(rng.lognormvariate(1.9, 0.6)))))]
    return "\n".join([*lines, f"  nlinarith [sq_nonneg (a - {rng.randint(1, 99)} * b), mul_self_nonneg (c + d), h0]"])


def _line(rng: random.Random, index: int) -> str:
    a, b, c = rng.randint(2, 999), rng.randint(2, 9), rng.randint(2, 999)
    return rng.choice(
        (
            f"  have k{index} : {a} * x ^ {b} + {c} ≤ {a + c} * (x ^ {b} + y) := by nlinarith [sq_nonneg (x - {c}), mul_pos hx hy]",
            f"  rcases lt_trichotomy (x + {a}) ({c} * y ^ {b}) with h{index} | h{index} | h{index} <;> simp_all [mul_comm, pow_succ]",
            f"  -- the term of degree {b} is now at most {a}, and what is left of the sum follows from the step before it\n  norm_num at *",
            f"  obtain ⟨w{index}, hw{index}⟩ : ∃ w, w * {a} = {c} * w ^ {b} := ⟨0, by ring⟩",
            f"  field_simp [show (({a} : ℝ) ≠ 0) by norm_num]\n  rw [div_le_div_iff (by positivity) (by positivity)]",
        )
    )


def write_shard(shard: int, folder: Path, rows: int, statements: int) -> int:
    """Write one shard with the release's four columns; return the number of rows with a benchmark statement in disguise."""
    rng = random.Random(f"shard {shard}")
    planted = 0
    table: dict[str, list[str]] = {name: [] for name in ("formal_statement", "formal_proof", "cot_proof", "prompt")}
    for _ in range(rows):
        number, variant = rng.randrange(statements), rng.randrange(PROOFS)
        if number % PLANTED == 3:
            planted, stated = planted + 1, statement(HELD_OUT + number // PLANTED % BENCHMARK, shape=1 + number)
        else:
            stated = statement(number - 1, shape=1 + number) if number % NEAR == 7 else statement(number)
        proved = f"{stated.removesuffix(' sorry')}\n{proof(number, variant)}"
        table["formal_statement"].append(HEADER + stated)
        table["formal_proof"].append(HEADER + (proved if rng.random() < 0.7 else proved.replace("\n  ", "\n\n  ")))
        table["cot_proof"].append("")
        table["prompt"].append("")
    pq.write_table(pa.table(table), folder / f"train-{shard:05}.parquet", compression="zstd", row_group_size=8192)
    return planted


class Memory(threading.Thread):
    """Thread that samples the peak resident memory of this process and all its children together, twice a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.start()

    def run(self) -> None:
        own = psutil.Process()
        while True:
            total = 0
            for process in [own, *own.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak = max(self.peak, total)
            time.sleep(0.5)


@contextmanager
def clock(seconds: dict[str, float], cpu: dict[str, float], name: str) -> Iterator[None]:
    start, used = time.perf_counter(), sum(os.times()[:4])
    yield
    seconds[name], cpu[name] = round(time.perf_counter() - start, 1), round(sum(os.times()[:4]) - used, 1)


def build(size: int, proofs_per_statement: float, work: Path, workers: int, memory_gb: float) -> dict[str, Any]:
    """Build one size: write shards, then read, deduplicate and commit them; return the figures of the latter."""
    shards, folder = -(-size // SHARD), work / "shards"
    folder.mkdir(parents=True)
    tasks = [(n, folder, size // shards + (n < size % shards), max(1, int(size / proofs_per_statement))) for n in range(shards)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        planted = sum(pool.map(write_shard, *zip(*tasks, strict=True)))
    benchmark = [
        Statement(id="", name=f"b{i}", formal=statement(HELD_OUT + i), header=HEADER, family="synthetic") for i in range(BENCHMARK)
    ]
    seconds: dict[str, float] = {}
    cpu: dict[str, float] = {}
    memory, disk = Memory(), _bytes(folder)
    with clock(seconds, cpu, "read"):
        layout = LAYOUTS["oproofs"]
        files = [Task(path, Place("synthetic", layout, RowLimits(), path.name), path.stem) for path in sorted(folder.iterdir())]
        for _ in read_files(files, work / "read", workers):
            pass
    with clock(seconds, cpu, "settle"):
        settings = DeduplicateConfig(workers=workers, memory_gb=memory_gb)
        deduplicated = deduplicate(sorted((work / "read" / "incoming").iterdir()), None, benchmark, work / "settled", settings)
    with clock(seconds, cpu, "commit"):
        corpus = open_corpus(work / "corpus", create=True)
        tables = {table: ds.dataset(work / "settled" / table).to_batches() for table in ("statements", "proofs")}
        corpus.commit(tables, {"what": "bench"})
    return {
        "proofs": size,
        "statements_kept": deduplicated.statements,
        "proofs_kept": deduplicated.proofs,
        "copies_removed": deduplicated.removed.get("same proof", 0) + deduplicated.removed.get("same statement", 0),
        "near_marked": deduplicated.near,
        "planted": planted,
        "planted_removed": sum(deduplicated.benchmarks.values()),
        "rows_per_second": size / sum(seconds.values()),
        "peak_memory_gib": memory.peak / 2**30,
        "shards_gib": disk / 2**30,
        "corpus_gib": _bytes(work / "corpus") / 2**30,
        "cpu_us_per_row": {name: round(1e6 * used / size, 1) for name, used in cpu.items()},
        "seconds": seconds | {f"settle_{name}": value for name, value in deduplicated.seconds.items()},
    }


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(
    sizes: tuple[int, ...] = (175_000, 350_000, 700_000),
    proofs_per_statement: float = 3.5,
    workers: int = os.cpu_count() or 1,
    memory_gb: float = 4.0,
    folder: Path | None = None,
) -> None:
    """Build a corpus of each size and print the figures of each, and how speed and memory grow from the smallest to the largest.

    Args:
      sizes: Numbers of rows, each a statement with a proof.
      proofs_per_statement: Rows per distinct statement.
      workers: Number of processes.
      memory_gb: Memory limit of DuckDB, in GB.
      folder: Working folder; its contents are removed afterwards. About 5 KB per row are needed.
    """
    runs = []
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=folder) as work, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            runs.append(fresh.submit(build, size, proofs_per_statement, Path(work), workers, memory_gb).result())
        print(runs[-1], flush=True)
    first, last = runs[0], runs[-1]
    report(
        "corpus",
        workers=workers,
        runs=runs,
        all_planted_found=all(run["planted_removed"] == run["planted"] for run in runs),
        ratio_rows=last["proofs"] / first["proofs"],
        ratio_memory=last["peak_memory_gib"] / first["peak_memory_gib"],
        ratio_speed=last["rows_per_second"] / first["rows_per_second"],
    )


if __name__ == "__main__":
    tyro.cli(main)
