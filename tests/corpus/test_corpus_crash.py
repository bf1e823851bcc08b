"""Writers of a corpus killed at any moment, and several at once: what was reported is there, no commit is half there, reruns complete."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from oprover_jax.corpus.corpus import Corpus, open_corpus

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

ROOT = Path(__file__).parents[2]

# Appends work items START.. under keys, to three tables; prints the number of each when `commit` has returned.
WRITER = """
import sys
from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.corpus.tables import TABLES, rows_to_table
where, start, end, step = sys.argv[1], *map(int, sys.argv[2:])
filling = {"string": "x" * 200, "int32": 0, "double": 0.0, "bool": False}
def table(name, numbers, key):
    rows = [{f.name: filling.get(str(f.type), []) for f in TABLES[name]} | {key: str(n), "source": f"s{n % 2}"} for n in numbers]
    return rows_to_table(rows, TABLES[name])
corpus = open_corpus(where, create=True)
for item in range(start, end, step):
    numbers = range(item * 10, item * 10 + 10)
    tables = {"statements": "id", "proofs": "statement_id", "trajectories": "statement_id"}
    if corpus.commit({name: table(name, numbers, key) for name, key in tables.items()}, {"item": item}, key=f"item {item}"):
        print(item, flush=True)
"""


def writer(where: Path, start: int, end: int, step: int = 1) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, str(where), str(start), str(end), str(step)]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def items(corpus: Corpus) -> Counter[int]:
    """How often each work item is there; each with all of its rows in all three tables, or not at all."""
    commits = corpus.commits()
    found = {}
    for table, column in (("statements", "id"), ("proofs", "statement_id"), ("trajectories", "statement_id")):
        numbers = Counter(map(int, corpus.dataset(table, commits).to_table()[column].to_pylist()))
        assert set(numbers) == {item * 10 + i for item in {n // 10 for n in numbers} for i in range(10)}
        found[table] = numbers
    assert found["statements"] == found["proofs"] == found["trajectories"]
    return Counter({n // 10: count for n, count in found["statements"].items()})


def reported(process: subprocess.Popen[str]) -> list[int]:
    output, _ = process.communicate(timeout=300)
    return [int(line) for line in output.split("\n")[:-1]]


def test_killed_again_and_again(tmp_path: Path) -> None:
    where, rng, told = tmp_path / "corpus", random.Random(0), set[int]()
    for _ in range(2):
        process = writer(where, 0, 1_000_000)
        assert process.stdout is not None
        told.add(int(process.stdout.readline()))
        for _ in range(6):  # stopped and looked at: as if it had been killed here
            time.sleep(rng.uniform(0, 0.03))
            os.kill(process.pid, signal.SIGSTOP)
            assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
            there = items(open_corpus(where))
            assert set(there) >= told and max(there.values()) == 1
            os.kill(process.pid, signal.SIGCONT)
        process.kill()
        told |= set(reported(process))
        assert set(items(open_corpus(where))) >= told
    corpus = open_corpus(where)
    before = items(corpus)
    end = max(before) + 20
    last = writer(where, 0, end)
    assert set(reported(last)) == set(range(end)) - set(before) and last.returncode == 0  # done once, gone on from there
    assert items(corpus) == Counter(range(end))
    written = set(corpus.storage.sizes("statements"))
    orphans = [name for name in corpus.tidy(older=0.0) if name.startswith("statements/")]
    assert set(orphans) == written - {part.path for commit in corpus.commits() for part in commit.parts["statements"]}
    assert items(corpus) == Counter(range(end)) and not corpus.storage.sizes("commits", hidden=True)


def test_writers_at_once_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    where = tmp_path / "corpus"
    writers = [writer(where, 0, 40, 2), writer(where, 1, 40, 2), writer(where, 0, 40)]
    told = [number for process in writers for number in reported(process)]
    assert [process.returncode for process in writers] == [0, 0, 0]
    assert sorted(told) == list(range(40)) and items(open_corpus(where)) == Counter(range(40))
