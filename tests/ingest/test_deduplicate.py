"""From incoming rows to new statements and proofs: every row is accounted for, the first copy stays, and a rerun changes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from disguise import disguise, random_theorem, reshape
from rich.console import Console

from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.corpus.tables import INCOMING
from oprover_jax.errors import InputError
from oprover_jax.ingest.deduplicate import DeduplicateConfig, deduplicate
from oprover_jax.ingest.near import near_duplicates
from oprover_jax.ingest.rowwise import features
from oprover_jax.ingest.units import run_unit, units_of
from oprover_jax.progress import ProgressConsole, StageProgress
from oprover_jax.records import Statement
from oprover_jax.statements.normalize import proof_id, statement_id

_LOCAL = DeduplicateConfig(workers=1, memory_gb=0.5)
_A, _B, _C = (random_theorem(seed) for seed in range(3))


def row(formal: str, proof: str | None = None, **more: Any) -> dict[str, Any]:
    texts = {
        "name": "t",
        "header": "",
        "kind": "",
        "informal": "",
        "domain": "",
        "lean": "",
        "source": "s",
        "licence": "MIT",
        "origin": "o",
    }
    return {**texts, "formal": formal, "proof": proof, "difficulty": 0, "where": "", **more}


def incoming(folder: Path, *parts: list[dict[str, Any]], group: int = 3) -> list[Path]:
    """Parts in row groups of `group` rows, each row's `where` saying its part and number."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, rows in enumerate(parts):
        placed = [{**one, "where": f"{number}:{at}"} for at, one in enumerate(rows)]
        pq.write_table(pa.Table.from_pylist(placed, schema=INCOMING), folder / f"{number}.parquet", row_group_size=group)
        paths.append(folder / f"{number}.parquet")
    return paths


def read(out: Path, table: str) -> list[dict[str, Any]]:
    return [one for path in sorted((out / table).iterdir()) for one in pq.read_table(path).to_pylist()]


def test_first_copies_stay_and_every_row_is_accounted_for(tmp_path: Path) -> None:
    a, b = _A.written(), _B.written()
    parts = incoming(
        tmp_path,
        [row(a, "by simp"), row(a, "by  simp -- again"), row(a, ":= by simp"), row(a, "by omega"), row(a)],
        [row(disguise(a, 1), "by simp"), row(b), row(b), row(b, "by simp")],
    )
    report = deduplicate(parts, None, [], tmp_path / "out", _LOCAL)
    statements, proofs, removed = (read(tmp_path / "out", table) for table in ("statements", "proofs", "removed"))
    assert [one["id"] for one in statements] == [statement_id(a), statement_id(b)] and statements[0]["formal"] == a
    assert [(one["statement_id"], one["proof"], one["checked"]) for one in proofs] == [
        (statement_id(a), "by simp", "unchecked"),
        (statement_id(a), "by omega", "unchecked"),
        (statement_id(b), "by simp", "unchecked"),
    ]
    assert proofs[0]["id"] == proof_id(statement_id(a), "by simp") and proofs[0]["axioms"] == []
    assert [(one["where"], one["reason"], one["of"]) for one in removed] == [
        ("0:1", "same proof", "s 0:0"),
        ("0:2", "same proof", "s 0:0"),
        ("0:4", "same statement", "s 0:0"),
        ("1:0", "same proof", "s 0:0"),
        ("1:2", "same statement", "s 1:1"),
    ]
    assert (report.rows, report.statements, report.proofs, report.removed) == (9, 2, 3, {"same proof": 3, "same statement": 2})


def test_what_the_corpus_holds_comes_before_all(tmp_path: Path) -> None:
    a, b = _A.written(), _B.written()
    first = deduplicate(incoming(tmp_path / "1", [row(a, "by simp")]), None, [], tmp_path / "a", _LOCAL)
    corpus = open_corpus(tmp_path / "corpus", create=True)
    corpus.commit({table: pq.read_table(tmp_path / "a" / table) for table in ("statements", "proofs")}, {})
    again = incoming(tmp_path / "2", [row(a, "by simp"), row(a, "by omega"), row(b), row(reshape(_A, 4), "by simp")])
    report = deduplicate(again, corpus, [], tmp_path / "b", _LOCAL)
    assert (first.statements, first.proofs) == (1, 1)
    assert [(one["where"], one["of"]) for one in read(tmp_path / "b", "removed")] == [("0:0", "in the corpus")]
    assert [(one["formal"], one["near"]) for one in read(tmp_path / "b", "statements")] == [(b, ""), (reshape(_A, 4), statement_id(a))]
    assert report.proofs == 2 and report.near == 1
    corpus.commit({table: pq.read_table(tmp_path / "b" / table) for table in ("statements", "proofs")}, {})
    report = deduplicate(again, corpus, [], tmp_path / "b", _LOCAL)
    assert (report.statements, report.proofs) == (0, 0)


def test_proofs_that_come_with_a_benchmarks_text_stay_out_even_of_what_the_corpus_holds(tmp_path: Path) -> None:
    deduplicate(incoming(tmp_path / "1", [row(_A.written(), "by simp")]), None, [], tmp_path / "a", _LOCAL)
    corpus = open_corpus(tmp_path / "corpus", create=True)
    corpus.commit({table: pq.read_table(tmp_path / "a" / table) for table in ("statements", "proofs")}, {})
    benchmark = [
        Statement(id="", name="p", formal=_B.written(), family="made", informal="How many apples are left when seven of nine are eaten?")
    ]
    again = incoming(tmp_path / "2", [row(_A.written(), "by omega", informal=benchmark[0].informal)])
    report = deduplicate(again, corpus, benchmark, tmp_path / "b", _LOCAL)
    assert (report.statements, report.proofs, report.removed) == (0, 0, {"informal: text overlap": 1})


def test_near_duplicates_are_marked_or_dropped(tmp_path: Path) -> None:
    a, near, other = _A.written(), reshape(_A, 7), _A.written().replace(_A.goal, _A.goal.replace("≤", "≤ 1 +"))
    parts = incoming(tmp_path, [row(a), row(near, "by simp"), row(other), row(_B.written())])
    marked = deduplicate(parts, None, [], tmp_path / "marked", _LOCAL)
    assert [one["near"] for one in read(tmp_path / "marked", "statements")] == ["", statement_id(a), "", ""]
    dropped = deduplicate(parts, None, [], tmp_path / "dropped", DeduplicateConfig(near="drop", workers=1))
    assert (marked.statements, marked.near, dropped.statements, dropped.near) == (4, 1, 3, 0)
    (gone,) = read(tmp_path / "dropped", "removed")
    assert (gone["where"], gone["reason"], gone["of"]) == ("0:1", "near duplicate 1.00", statement_id(a))
    assert marked.proofs == 1 and dropped.proofs == 0


def test_benchmarks_are_removed_with_all_their_proofs(tmp_path: Path) -> None:
    benchmark = [
        Statement(
            id="", name="p", formal=_A.written(), family="made", informal="How many apples are left when seven of the nine are eaten?"
        )
    ]
    parts = incoming(
        tmp_path,
        [row(reshape(_A, 2), "by simp"), row(_B.written(), "by simp"), row(_B.written(), f"by\n  -- {benchmark[0].informal}\n  omega")],
        [row(reshape(_A, 2), "by omega"), row(_C.written(), "by simp", informal=benchmark[0].informal), row(_C.written(), "by omega")],
    )
    report = deduplicate(parts, None, benchmark, tmp_path / "out", _LOCAL)
    assert [one["formal"] for one in read(tmp_path / "out", "statements")] == [_B.written()]
    assert [one["proof"] for one in read(tmp_path / "out", "proofs")] == ["by simp"]
    text = "text overlap 1.00"
    assert [(one["where"], one["reason"], one["of"]) for one in read(tmp_path / "out", "removed")] == [
        ("0:0", "reshaped", "made/p"),
        ("0:2", f"proof: {text}", "made/p"),
        ("1:0", "reshaped", "made/p"),
        ("1:1", f"informal: {text}", "made/p"),
        ("1:2", f"informal: {text}", "made/p"),
    ]
    assert report.benchmarks == {"made": 5} and sum(report.removed.values()) == 5


class _Interrupted(ProgressConsole):
    """Ctrl-C comes when the bars have moved `moves` times."""

    def __init__(self, moves: int) -> None:
        super().__init__(Console(quiet=True))
        self.moves = moves

    @contextmanager
    def bar(self, label: str, last: bool = True) -> Iterator[StageProgress]:
        with super().bar(label, last) as shown:
            yield _Counted(shown.progress, shown.task, console=self)


@dataclass
class _Counted(StageProgress):
    console: _Interrupted | None = None

    def update(self, done: int, detail: str) -> None:
        assert self.console is not None
        if self.console.moves == 0:
            raise KeyboardInterrupt
        self.console.moves -= 1


def test_cut_off_anywhere_it_goes_on_to_the_same_result(tmp_path: Path) -> None:
    rows = [row(reshape(random_theorem(seed // 3), seed), f"by simp [h{seed % 5}]") for seed in range(60)]
    parts = incoming(tmp_path, rows[:35], rows[35:], group=7)
    whole = deduplicate(parts, None, [], tmp_path / "whole", _LOCAL)
    cuts = 0
    for moves in range(1, 13):
        try:
            deduplicate(parts, None, [], tmp_path / "cut", _LOCAL, _Interrupted(moves))
        except KeyboardInterrupt:
            cuts += 1
            assert not (tmp_path / "cut" / "settled.json").exists()
    assert cuts > 3
    report = deduplicate(parts, None, [], tmp_path / "cut", _LOCAL)
    assert (report.statements, report.proofs, report.near) == (whole.statements, whole.proofs, whole.near)
    for table in ("statements", "proofs", "removed"):
        assert read(tmp_path / "cut", table) == read(tmp_path / "whole", table)
    assert not (tmp_path / "cut" / "work").exists()


@pytest.mark.multiprocess
def test_processes_change_nothing(tmp_path: Path) -> None:
    rows = [row(reshape(random_theorem(seed // 2), seed), "by simp") for seed in range(40)]
    parts = incoming(tmp_path, rows, group=15)
    for workers in (1, 2):
        deduplicate(parts, None, [], tmp_path / str(workers), DeduplicateConfig(workers=workers, memory_gb=0.5))
    for table in ("statements", "proofs", "removed"):
        assert read(tmp_path / "1", table) == read(tmp_path / "2", table)


def test_nothing_makes_nothing(tmp_path: Path) -> None:
    assert deduplicate([], None, [], tmp_path / "none", _LOCAL).rows == 0
    report = deduplicate(incoming(tmp_path, []), open_corpus(tmp_path / "corpus", create=True), [], tmp_path / "empty", _LOCAL)
    assert (report.rows, report.statements, report.removed) == (0, 0, {})


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"formal": ["theorem a : 1 = 1"]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"x.parquet lacks the columns .*header"):
        deduplicate([tmp_path / "x.parquet"], None, [], tmp_path / "out", _LOCAL)


def test_near_duplicates_are_those_that_comparing_all_pairs_finds(tmp_path: Path) -> None:
    formals = [random_theorem(seed).written() for seed in range(80)]
    formals += [text.replace("(h0 :", "(new : p q r s t u v w) (h0 :") for text in formals[:40]] + [
        text.replace(" : ", " :  ") for text in formals[40:60]
    ]
    batch = features(pa.record_batch({"formal": formals, "header": [""] * len(formals)}), None)
    pq.write_table(pa.Table.from_batches([batch]), tmp_path / "featured.parquet")
    first, likeness = near_duplicates([tmp_path / "featured.parquet"], 0.8, np.zeros(len(formals), bool))
    runs = [set(one) for one in batch["runs"].to_pylist()]
    expected: list[int] = []
    for later, own in enumerate(runs):
        alike = [i for i in range(later) if expected[i] == i and len(own & runs[i]) / len(own | runs[i]) >= 0.8]
        expected.append(alike[0] if alike else later)
    assert first.tolist() == expected and len(set(expected)) < 100
    assert all(likeness[i] == len(runs[i] & runs[j]) / len(runs[i] | runs[j]) for i, j in enumerate(expected))


def test_row_groups_keep_their_place(tmp_path: Path) -> None:
    (path,) = incoming(tmp_path, [row(random_theorem(seed).written(), "by simp") for seed in range(8)], group=3)
    units = units_of([path, path], tmp_path)
    places = []
    for unit in units:
        run_unit(unit, "identify", None)
        places += pq.read_table(unit.result)["place"].to_pylist()
    assert places == [*range(8), *range(2**40, 2**40 + 8)]
