"""An export: loaded by `datasets`, read back row for row, whole or not there, nothing in it that may not be passed on."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from shared_corpus import small_corpus, statement

from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.corpus.export import PERMITTED, ExportConfig, export_corpus
from oprover_jax.corpus.import_export import take_export
from oprover_jax.corpus.manifest import LeftOut, Manifest, read_manifest
from oprover_jax.corpus.tables import TABLES, rows_to_table, statement_row
from oprover_jax.corpus.tagging import tag_corpus, tags_by_rules
from oprover_jax.errors import InputError
from oprover_jax.progress import ProgressConsole

pytestmark = pytest.mark.multiprocess

ROOT = Path(__file__).parents[2]
ALL = ExportConfig((*PERMITTED, "unknown"))


def quiet() -> ProgressConsole:
    return ProgressConsole(Console(file=io.StringIO()))


def tagged_corpus(where: str | Path, statements: int = 30) -> Corpus:
    corpus = small_corpus(where, statements)
    tag_corpus(corpus, tags_by_rules, "", 10_000, None, quiet())
    return corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return tagged_corpus(tmp_path / "corpus")


def rows(corpus: Corpus, table: str) -> list[str]:
    """All rows of a table, in an order of their own."""
    return sorted(json.dumps(row) for row in corpus.dataset(table).to_table().to_pylist())


def test_exported_and_imported_all_tables_are_equal(corpus: Corpus, tmp_path: Path) -> None:
    manifest = export_corpus(corpus, tmp_path / "out", ALL, False, quiet())
    assert manifest == read_manifest(tmp_path / "out") and manifest.left_out == []
    commit = take_export(tmp_path / "out", tmp_path / "back", quiet())
    assert commit is not None and commit.note["command"] == "import"
    back = open_corpus(tmp_path / "back")
    for table in TABLES:
        assert rows(back, table) == (rows(corpus, table) if table != "quarantine" else [])
        assert len(rows(back, table)) == manifest.rows(table)
    for name in ("proofs", "statements", "tags", "trajectories"):
        assert manifest.rows(name) > 3
    assert sorted(p.proof for p in back.proofs()) == sorted(p.proof for p in corpus.proofs())
    again = export_corpus(back, tmp_path / "again", ALL, False, quiet())
    assert {t: again.rows(t) for t in TABLES} == {t: manifest.rows(t) for t in TABLES}


def test_importing_twice_or_into_the_corpus_itself_adds_nothing(corpus: Corpus, tmp_path: Path) -> None:
    export_corpus(corpus, tmp_path / "out", ALL, False, quiet())
    assert take_export(tmp_path / "out", tmp_path / "back", quiet()) is not None
    before = open_corpus(tmp_path / "back").commits()
    assert take_export(tmp_path / "out", tmp_path / "back", quiet()) is None
    assert open_corpus(tmp_path / "back").commits() == before
    commit = take_export(tmp_path / "out", tmp_path / "corpus", quiet())
    assert commit is not None and commit.parts == {}
    partly = small_corpus(tmp_path / "partly", statements=7)
    take_export(tmp_path / "out", tmp_path / "partly", quiet())
    assert all(rows(partly, table) == rows(corpus, table) for table in TABLES if table != "quarantine")


def test_only_what_may_be_passed_on_is_exported_and_the_rest_is_counted(corpus: Corpus, tmp_path: Path) -> None:
    foreign = corpus.dataset("proofs").to_table().slice(0, 1).to_pylist()[0]
    assert foreign["licence"] == "Apache-2.0"  # of a statement that may be passed on
    odd = [{**foreign, "id": "f" * 16, "licence": "CC-BY-NC-4.0"}, {**foreign, "id": "e" * 16, "licence": "mit"}]
    corpus.commit({"proofs": rows_to_table(odd, TABLES["proofs"])}, {})
    manifest = export_corpus(corpus, tmp_path / "out", ExportConfig(), False, quiet())
    take_export(tmp_path / "out", tmp_path / "back", quiet())
    back = open_corpus(tmp_path / "back")
    kept = {f"{n:016x}" for n in range(30) if n % 3 != 2}
    for table in ("statements", "proofs", "trajectories", "tags"):
        key = "id" if table == "statements" else "statement_id"
        wanted = [row for row in corpus.dataset(table).to_table().to_pylist() if row[key] in kept and row.get("licence") != "CC-BY-NC-4.0"]
        assert rows(back, table) == sorted(map(json.dumps, wanted)) and len(wanted) > 2
        left = {one.licence: one.rows for one in manifest.left_out if one.table == table}
        assert sum(left.values()) == corpus.dataset(table).count_rows() - len(wanted)
        assert set(left) == ({"unknown", "CC-BY-NC-4.0"} if table == "proofs" else {"unknown"})
    assert LeftOut("proofs", "CC-BY-NC-4.0", 1) in manifest.left_out
    text = "".join(path.read_text() for path in (tmp_path / "out").glob("*.*"))
    assert "secret" not in text and "| unknown | statements | 10 |" in text
    only = export_corpus(corpus, tmp_path / "mit", ExportConfig(("MIT",)), False, quiet())
    assert only.rows("statements") == 10


def test_rows_that_two_writers_added_are_exported_once(corpus: Corpus, tmp_path: Path) -> None:
    doubled = corpus.dataset("statements").to_table().to_pylist()[3:6]
    corpus.commit({"statements": rows_to_table([{**row, "name": "second"} for row in doubled], TABLES["statements"])}, {})
    assert export_corpus(corpus, tmp_path / "out", ALL, False, quiet()).rows("statements") == 30
    take_export(tmp_path / "out", tmp_path / "back", quiet())
    assert {s.name for s in open_corpus(tmp_path / "back").statements()} == {f"t{n}" for n in range(30)}


def test_datasets_loads_it(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what another library warns of is not ours
        import datasets

        export_corpus(corpus, tmp_path / "out", ALL, False, quiet())
        assert set(datasets.get_dataset_config_names(str(tmp_path / "out"))) == {"statements", "proofs", "trajectories", "tags"}
        for table in ("statements", "proofs", "trajectories", "tags", None):
            loaded: Any = datasets.load_dataset(str(tmp_path / "out"), table, split="train", cache_dir=str(tmp_path / "cache"))
            table = table or "proofs"
            assert loaded.column_names == TABLES[table].names
            assert sorted(json.dumps(row) for row in loaded.to_list()) == rows(corpus, table)


def test_the_card_says_what_is_in_it(corpus: Corpus, tmp_path: Path) -> None:
    import yaml

    export_corpus(corpus, tmp_path / "my export", ExportConfig(), False, quiet())
    text = (tmp_path / "my export" / "README.md").read_text()
    _, header, body = text.split("---\n", 2)
    said = yaml.safe_load(header)
    assert said["license"] == ["apache-2.0", "mit"] and said["pretty_name"] == "my export" and said["size_categories"] == ["n<1K"]
    assert [one["config_name"] for one in said["configs"] if one.get("default")] == ["proofs"]
    for words in ("| statements | 20 |", "| a/b c=d | MIT | 10 |", "| 4.35.0 | core | accepted |", "| build | 2 |", "trajectories"):
        assert words in body
    for table in ("statements", "proofs", "trajectories", "tags"):
        for column in TABLES[table].names:
            [line] = [line for line in body.split(f"**{table}**")[1].split("\n\n**")[0].splitlines() if line.startswith(f"| `{column}` |")]
            assert len(line.split(" | ")[2]) > 4, f"{table}.{column} is not described"


def test_shards_are_bounded_and_in_order(tmp_path: Path) -> None:
    corpus = open_corpus(tmp_path / "corpus", create=True)
    corpus.commit({"statements": rows_to_table((statement_row(statement(n)) for n in range(40_000)), TABLES["statements"])}, {})
    manifest = export_corpus(corpus, tmp_path / "out", ExportConfig(ALL.licences, shard_bytes=100_000), False, quiet())
    shards = manifest.tables["statements"]
    assert len(shards) > 2 and all(shard.bytes < 200_000 for shard in shards) and sum(shard.rows for shard in shards) == 40_000
    assert [s.path for s in shards] == [f"statements/train-{i:05d}-of-{len(shards):05d}.parquet" for i in range(len(shards))]
    files = [pa.parquet.read_table(tmp_path / "out" / shard.path) for shard in shards]
    ids = pa.concat_tables(files)["id"].to_pylist()
    assert ids == corpus.dataset("statements").to_table()["id"].to_pylist()
    twice = export_corpus(corpus, tmp_path / "twice", ExportConfig(ALL.licences, shard_bytes=100_000), False, quiet())
    assert twice.tables == manifest.tables and twice.content == manifest.content


def test_what_is_there_is_left_alone(corpus: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        export_corpus(corpus, tmp_path / "file", ALL, True, quiet())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        export_corpus(corpus, tmp_path / "mine", ALL, True, quiet())
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    first = export_corpus(corpus, out, ALL, False, quiet())
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert export_corpus(corpus, out, ALL, False, quiet()) == first
    with pytest.raises(InputError, match="--overwrite"):
        export_corpus(corpus, out, ExportConfig(("MIT",)), False, quiet())
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == stamps
    assert export_corpus(corpus, out, ExportConfig(("MIT",)), True, quiet()).rows("statements") == 10
    assert read_manifest(out).rows("statements") == 10
    with pytest.raises(InputError, match="licences is empty"):
        ExportConfig(())


def test_an_export_that_is_damaged_is_not_imported(corpus: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="is not an export"):
        take_export(tmp_path / "nothing", tmp_path / "back", quiet())
    manifest = export_corpus(corpus, out, ALL, False, quiet())
    path = out / manifest.tables["proofs"][0].path
    whole = path.read_bytes()
    for damaged, what in ((whole[:-9], "is torn"), (whole[:200] + b"\0\0\0" + whole[203:], "SHA-256"), (None, "is missing")):
        path.write_bytes(damaged) if damaged is not None else path.unlink()
        with pytest.raises(InputError, match=what) as found:
            take_export(out, tmp_path / "back", quiet())
        assert "proofs/train-00000-of-00001.parquet" in str(found.value) and not (tmp_path / "back").exists()
    path.write_bytes(whole)
    text = (out / "manifest.json").read_text()
    for change, what in (('"schema": 3', "read it with the release"), ('"statements": [', "unknown tables")):
        (out / "manifest.json").write_text(text.replace(change, change.replace("3", "1").replace("statements", "poems")))
        with pytest.raises(InputError, match=what):
            take_export(out, tmp_path / "back", quiet())
    (out / "manifest.json").write_text(text)
    assert take_export(out, tmp_path / "back", quiet()) is not None


def test_an_export_of_version_2_is_imported_with_the_columns_it_lacks(corpus: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = export_corpus(corpus, out, ALL, False, quiet())
    [shard] = manifest.tables["trajectories"]
    rows = pq.read_table(out / shard.path)
    pq.write_table(
        rows.drop_columns(["tokenizer", "temperature", "top_p", "max_new_tokens", "kinds", "well_formed", "proof_keys"]), out / shard.path
    )
    data = (out / shard.path).read_bytes()
    text = (out / "manifest.json").read_text().replace('"schema": 3', '"schema": 2')
    text = text.replace(shard.sha256, hashlib.sha256(data).hexdigest()).replace(f'"bytes": {shard.bytes}', f'"bytes": {len(data)}')
    (out / "manifest.json").write_text(text)
    assert take_export(out, tmp_path / "back", quiet()) is not None
    again = open_corpus(tmp_path / "back").dataset("trajectories").to_table().sort_by("sample")
    assert again["kinds"].to_pylist() == rows.sort_by("sample")["kinds"].to_pylist() and set(again["tokenizer"].to_pylist()) == {""}


def test_a_corpus_without_rows_is_exported_and_read_back(tmp_path: Path) -> None:
    manifest = export_corpus(open_corpus(tmp_path / "corpus", create=True), tmp_path / "out", ALL, False, quiet())
    assert manifest.tables == {} and take_export(tmp_path / "out", tmp_path / "back", quiet()) is not None
    assert open_corpus(tmp_path / "back").dataset("statements").count_rows() == 0


def _exporting(corpus: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "oprover_jax.cli", "corpus", "export", str(corpus), "--out", str(out)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _stops(process: subprocess.Popen[str], writing: Path) -> Iterator[None]:
    """Stops the process again and again from the moment that it begins to write, and lets it go on for some milliseconds."""
    while not writing.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.001)
    while True:
        os.kill(process.pid, signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        yield
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.01)


def test_killed_while_writing_nothing_looks_finished_and_the_rerun_completes(tmp_path: Path) -> None:
    corpus, out = tagged_corpus(tmp_path / "corpus", statements=1000), tmp_path / "out"
    process, writing, begun = _exporting(tmp_path / "corpus", out), tmp_path / ".out.new.tmp", 0
    for _ in _stops(process, writing):  # looked at: as if it had been killed here
        assert not out.exists()
        begun += any(writing.rglob("*.parquet"))
        if begun == 2:
            process.kill()
            break
    process.communicate()
    assert writing.exists() and not out.exists()
    rerun = _exporting(tmp_path / "corpus", out)
    output, _ = rerun.communicate(timeout=300)
    assert rerun.returncode == 0 and "excluded: 333 statements under the licence 'unknown'" in output, output
    manifest: Manifest = read_manifest(out)
    assert manifest == export_corpus(corpus, out, ExportConfig(), False, quiet()) and manifest.rows("statements") == 667
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "out"]
