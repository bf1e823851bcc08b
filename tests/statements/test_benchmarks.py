"""The registry of benchmarks: a file that is missing, changed or cut is named before anything is built."""

import hashlib
import json
from pathlib import Path

import pytest

from oprover_jax.errors import InputError
from oprover_jax.statements.benchmarks import REGISTRY, Benchmark, load_benchmarks


def registered(folder: Path, rows: list[dict[str, str]]) -> Benchmark:
    text = "".join(json.dumps(one) + "\n" for one in rows).encode()
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "b.jsonl").write_bytes(text)
    return Benchmark("b", "b.jsonl", len(rows), hashlib.sha256(text).hexdigest(), "MIT", "someone/something@1")


def test_statements_know_their_benchmark(tmp_path: Path) -> None:
    benchmark = registered(
        tmp_path, [{"name": "one", "formal_statement": "theorem one : 1 = 1 := by sorry", "informal_statement": "One is one."}]
    )
    (statement,) = load_benchmarks(tmp_path, (benchmark,))
    assert (statement.family, statement.name, statement.informal, statement.licence) == ("b", "one", "One is one.", "MIT")


def test_a_missing_changed_or_wrong_file_is_named(tmp_path: Path) -> None:
    benchmark = registered(tmp_path, [{"name": "one", "formal_statement": "x"}, {"name": "two"}])
    path = tmp_path / "benchmarks" / "b.jsonl"
    with pytest.raises(InputError, match=r"b\.jsonl, line 2: .*formal_statement"):
        load_benchmarks(tmp_path, (benchmark,))
    path.write_bytes(path.read_bytes().replace(b"two", b"too"))
    with pytest.raises(InputError, match=r"b\.jsonl has changed"):
        load_benchmarks(tmp_path, (benchmark,))
    path.unlink()
    with pytest.raises(InputError, match=r"b\.jsonl is missing"):
        load_benchmarks(tmp_path, (benchmark,))


def test_a_users_own_file_is_read_where_it_is_and_whole(tmp_path: Path) -> None:
    registered(tmp_path, [{"name": "one", "formal_statement": "x"}])
    own = Benchmark("own", "own.jsonl", 2, "", "", "")
    assert load_benchmarks(tmp_path, (own,)) == []
    (tmp_path / "benchmarks" / "own.jsonl").write_text('{"name": "one", "formal_statement": "x"}\n')
    with pytest.raises(InputError, match="has 1 rows and own 2"):
        load_benchmarks(tmp_path, (own,))


def test_the_registry_names_each_once() -> None:
    assert len({one.name for one in REGISTRY}) == len({one.file for one in REGISTRY}) == len(REGISTRY) == 10
    assert all(len(one.sha256) == 64 for one in REGISTRY if one.name != "proverbench")
