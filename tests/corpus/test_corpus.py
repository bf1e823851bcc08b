"""The corpus: an append over several tables is there whole or not at all, here and on other stores, whoever else writes."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import duckdb
import fsspec
import pyarrow as pa
import pytest

from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.corpus.parts import by_source
from oprover_jax.corpus.tables import TABLES, proof_kind, proof_row, rows_to_table, statement_row, trajectory_row
from oprover_jax.errors import InputError
from oprover_jax.records import ProofRecord, Round, Statement, Trajectory
from oprover_jax.statements.normalize import proof_id

TRIVIAL = "by\n  trivial"


@pytest.fixture(params=["local", "memory"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path / "corpus")
        return
    url = f"memory://corpus-{uuid.uuid4().hex}"
    yield url
    fsspec.filesystem("memory").rm(url, recursive=True)


def _statement(number: int, source: str = "mini") -> Statement:
    formal = f"theorem t{number} : {number} = {number} := by sorry"
    return Statement(
        id=f"{number:016x}", name=f"t{number}", formal=formal, source=source, licence="MIT", difficulty=number % 11, lean="4.9"
    )


def _proof(statement: Statement, proof: str = "by rfl") -> ProofRecord:
    return ProofRecord(statement, proof, "4.35.0", "core", ("propext",), 0.25, "test", "2026-01-02T03:04:05+00:00")


def _trajectory(statement: Statement) -> Trajectory:
    played = Round((1, 2), (3,), (-0.5,), 7, "stop", ("a", "b"), TRIVIAL, True, None, "no", None)
    return Trajectory(statement, 0, "rollout-1", (played, played))


def _statements(*statements: Statement) -> pa.Table:
    return rows_to_table(map(statement_row, statements), TABLES["statements"])


def _proofs(*proofs: ProofRecord) -> pa.Table:
    return rows_to_table(map(proof_row, proofs), TABLES["proofs"])


def _files(corpus: Corpus) -> set[str]:
    return set(corpus.storage.sizes("statements")) | set(corpus.storage.sizes("proofs"))


def test_one_commit_over_several_tables_comes_back_equal(where: str) -> None:
    corpus = open_corpus(where, create=True)
    statements = [_statement(1), _statement(2, "a/b c=d"), _statement(3)]
    proofs, played = [_proof(statements[0]), _proof(statements[1])], _trajectory(statements[2])
    commit = corpus.commit(
        {
            "statements": _statements(*statements),
            "proofs": iter(_proofs(*proofs).to_batches(max_chunksize=1)),
            "trajectories": rows_to_table([trajectory_row(played, "demo")], TABLES["trajectories"]),
            "quarantine": rows_to_table([], TABLES["quarantine"]),
        },
        {"command": "test"},
    )
    assert commit is not None and commit.note == {"command": "test"}
    assert {table: commit.rows(table) for table in TABLES if commit.rows(table)} == {"statements": 3, "proofs": 2, "trajectories": 1}
    again = open_corpus(where)
    assert again.commits() == [commit]
    assert sorted(again.statements(), key=lambda s: s.id) == statements
    assert sorted(again.proofs(), key=lambda p: p.statement.id) == proofs
    assert list(again.trajectories()) == [played]
    assert {part.source for part in commit.parts["statements"]} == {"mini", "a/b c=d"}
    rows = again.dataset("statements")  # noqa: F841 (DuckDB finds it by name)
    assert duckdb.sql("select source, count(*) from rows group by 1 order by 1").fetchall() == [("a/b c=d", 1), ("mini", 2)]
    assert again.dataset("quarantine").count_rows() == 0


def test_local_parts_are_read_by_others_with_the_source_as_it_is(tmp_path: Path) -> None:
    corpus = open_corpus(tmp_path, create=True)
    corpus.commit({"statements": _statements(_statement(1, "a/b c=d"), _statement(2))}, {})
    found = duckdb.sql(
        f"select source from read_parquet('{tmp_path}/statements/*/*.parquet', hive_partitioning=true) order by 1"
    ).fetchall()
    assert found == [("a/b c=d",), ("mini",)]
    assert len(duckdb.read_parquet(corpus.paths("statements")).fetchall()) == 2


def test_commits_come_in_order_and_a_snapshot_stays_what_it_was(where: str) -> None:
    corpus = open_corpus(where, create=True)
    for number in range(5):
        corpus.commit({"statements": _statements(_statement(number))}, {"number": number})
        if number == 2:
            snapshot = open_corpus(where).commits()
    assert [commit.note["number"] for commit in corpus.commits()] == list(range(5))
    assert [statement.name for statement in corpus.statements()] == [f"t{n}" for n in range(5)]
    assert [statement.name for statement in corpus.statements(snapshot)] == ["t0", "t1", "t2"]
    assert corpus.commit({"statements": _statements()}, {}) is None and len(corpus.commits()) == 5


def test_what_has_a_key_is_done_once(where: str) -> None:
    corpus = open_corpus(where, create=True)
    assert not corpus.has("source x")
    assert corpus.commit({"statements": _statements(_statement(1))}, {}, key="source x") is not None
    files = _files(corpus)
    assert corpus.has("source x") and open_corpus(where).has("source x") and not corpus.has("source y")
    assert corpus.commit({"statements": _statements(_statement(1))}, {}, key="source x") is None
    assert corpus.commit({}, {}, key="nothing new") is not None and corpus.has("nothing new")
    assert len(list(corpus.statements())) == 1 and _files(corpus) == files


def test_of_two_writers_under_one_key_the_first_counts(where: str) -> None:
    mine, theirs = open_corpus(where, create=True), open_corpus(where)

    def slow() -> Iterator[pa.RecordBatch]:
        yield from _statements(_statement(1)).to_batches()
        assert theirs.commit({"statements": _statements(_statement(2))}, {}, key="k") is not None

    assert mine.commit({"statements": slow()}, {}, key="k") is None
    assert [statement.name for statement in mine.statements()] == ["t2"] and len(_files(mine)) == 1


def test_a_writer_that_fails_adds_nothing_and_cleans_up(where: str) -> None:
    corpus = open_corpus(where, create=True)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from _proofs(_proof(_statement(1))).to_batches()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        corpus.commit({"statements": _statements(_statement(1)), "proofs": broken()}, {})
    assert corpus.commits() == [] and _files(corpus) == set() and list(corpus.statements()) == []


def test_parts_and_memory_are_bounded() -> None:
    given, taken = [0], [0]

    def stream() -> Iterator[pa.RecordBatch]:
        for start in range(0, 1200, 30):
            assert given[0] - taken[0] < 600  # what is held when more is asked for
            yield from _statements(*(_statement(n, f"source{n % 12}") for n in range(start, start + 30))).to_batches()
            given[0] += 30

    found = []
    for source, part in by_source(stream(), "statements", part_rows=100, held_bytes=40_000):
        assert set(part["source"].to_pylist()) == {source} and len(part) <= 130
        taken[0] += len(part)
        found += [int(identity, 16) for identity in part["id"].to_pylist()]
    assert sorted(found) == list(range(1200))


def test_missing_torn_and_foreign_parts_are_named(where: str) -> None:
    corpus = open_corpus(where, create=True)
    commit = corpus.commit({"statements": _statements(_statement(1)), "proofs": _proofs(_proof(_statement(1)))}, {})
    assert commit is not None
    path = commit.parts["proofs"][0].path
    fs, full = corpus.storage.fs, corpus.storage.path(path)
    whole = fs.cat_file(full)
    fs.pipe_file(full, whole[:-20])
    with pytest.raises(InputError, match="is torn") as torn:
        corpus.dataset("proofs")
    fs.rm_file(full)
    with pytest.raises(InputError, match="is missing") as missing:
        list(corpus.proofs())
    assert path in str(torn.value) and path in str(missing.value)
    fs.pipe_file(full, whole)
    assert len(list(corpus.proofs())) == 1


def test_other_versions_and_other_folders_are_refused(where: str) -> None:
    with pytest.raises(InputError, match="contains no corpus"):
        open_corpus(where)
    corpus = open_corpus(where, create=True)
    commit = corpus.commit({"statements": _statements(_statement(1))}, {})
    assert commit is not None and open_corpus(where, create=True).commits() == [commit]
    path = corpus.storage.path(f"commits/{commit.id}.json")
    text = corpus.storage.fs.cat_file(path)
    corpus.storage.fs.pipe_file(path, json.dumps(json.loads(text) | {"schema": 99}).encode())
    with pytest.raises(InputError, match=rf"{commit.id}.json has rows of version 99"):
        open_corpus(where).commits()
    corpus.storage.fs.pipe_file(path, text[:-10])
    with pytest.raises(InputError, match=rf"{commit.id}.json is not a valid commit"):
        open_corpus(where).commits()
    corpus.storage.fs.pipe_file(corpus.storage.path("corpus.json"), b'{"format": 99}')
    with pytest.raises(InputError, match="format 99"):
        open_corpus(where)
    corpus.storage.fs.rm_file(corpus.storage.path("corpus.json"))
    with pytest.raises(InputError, match="is not empty and contains no corpus"):
        open_corpus(where, create=True)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (_statements(_statement(1)).drop_columns(["licence"]), "lack licence"),
        (_statements(_statement(1)).append_column("extra", [["x"]]), "have extra, which the table lacks"),
        (_statements(_statement(1)).set_column(5, "difficulty", [["hard"]]), "column difficulty of rows for statements is not int32"),
        (
            _statements(_statement(1)).set_column(2, "formal", pa.array([None], pa.string())),
            "column formal of rows for statements has 1 nulls",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_column(tmp_path: Path, rows: pa.Table, said: str) -> None:
    corpus = open_corpus(tmp_path, create=True)
    with pytest.raises(InputError, match=said):
        corpus.commit({"proofs": _proofs(_proof(_statement(1))), "statements": rows}, {})
    assert corpus.commits() == [] and _files(corpus) == set()


def test_other_string_types_and_another_order_of_columns_fit(tmp_path: Path) -> None:
    corpus = open_corpus(tmp_path, create=True)
    rows = _statements(_statement(1))
    large = rows.cast(pa.schema([(f.name, pa.large_string() if f.type == pa.string() else f.type) for f in rows.schema]))
    corpus.commit({"statements": large.select(rows.column_names[::-1])}, {})
    assert list(corpus.statements()) == [_statement(1)]


def test_tidy_removes_old_orphans_only(where: str) -> None:
    corpus = open_corpus(where, create=True)
    corpus.commit({"statements": _statements(_statement(1))}, {})
    kept = _files(corpus)
    young = corpus.storage.path("statements/source=mini/part-99999999999999999999-x.parquet")
    old = corpus.storage.path("proofs/source=mini/part-00000000000000000001-x.parquet")
    for path in (young, old):
        corpus.storage.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        corpus.storage.fs.pipe_file(path, b"half a part")
    assert corpus.tidy(older=3600.0) == ["proofs/source=mini/part-00000000000000000001-x.parquet"]
    assert _files(corpus) == kept | {"statements/source=mini/part-99999999999999999999-x.parquet"}
    assert corpus.tidy(older=3600.0) == [] and list(corpus.statements()) == [_statement(1)]


def test_statements_that_two_writers_added_count_once(where: str) -> None:
    corpus = open_corpus(where, create=True)
    for _ in range(2):
        corpus.commit({"statements": _statements(_statement(1))}, {})
    corpus.commit({"proofs": _proofs(_proof(_statement(1)))}, {})
    assert list(corpus.statements()) == [_statement(1)] and list(corpus.proofs()) == [_proof(_statement(1))]


def test_near_duplicates_by_the_first_of_their_group(tmp_path: Path) -> None:
    corpus = open_corpus(tmp_path / "corpus", create=True)
    named = [_statement(number) for number in range(3)]
    rows = [statement_row(named[0]), statement_row(named[1], named[0].id), statement_row(named[2])]
    corpus.commit({"statements": rows_to_table(rows, TABLES["statements"])}, {})
    assert corpus.near() == {named[1].id: named[0].id} and corpus.near([]) == {}


def test_a_proof_without_its_statement_is_an_error_and_an_unchecked_one_is_not_among_the_proofs(where: str) -> None:
    corpus = open_corpus(where, create=True)
    unchecked = proof_row(_proof(_statement(1))) | {"checked": "unchecked"}
    corpus.commit({"statements": _statements(_statement(1)), "proofs": rows_to_table([unchecked], TABLES["proofs"])}, {})
    assert list(corpus.proofs()) == [] and corpus.dataset("proofs").count_rows() == 1
    corpus.commit({"proofs": _proofs(_proof(_statement(2)))}, {})
    with pytest.raises(InputError, match=_statement(2).id):
        list(corpus.proofs())


def test_proof_ids_and_kinds() -> None:
    same = {proof_id("s", "by\n  simp  -- done"), proof_id("s", "by simp"), proof_id("s", "by /- x -/ simp")}
    assert len(same) == 1 and proof_id("t", "by simp") not in same and proof_id("s", "by simp_all") not in same
    assert [proof_kind(p) for p in ("by simp", "by\n  simp", "| 0 => rfl", "fun x => x", "bye x", " ")] == [
        "tactic",
        "tactic",
        "match",
        "term",
        "term",
        "",
    ]
