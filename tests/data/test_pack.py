"""`oprover pack`: every document once and whole, the same bytes whoever packs them and however often he is killed."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tokenizers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packing_job import job, taboo, write_sources
from rich.console import Console

from oprover_jax.data.dataset import folders_of, open_rows
from oprover_jax.data.pack import pack_sources
from oprover_jax.data.pack_config import PackConfig
from oprover_jax.data.sources import Files, Left, Text, declaration
from oprover_jax.errors import InputError
from oprover_jax.progress import ProgressConsole

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
QUIET = ProgressConsole(Console(quiet=True))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def documents(data: Path) -> dict[str, list[str]]:
    return write_sources(data)


@pytest.fixture(scope="module")
def whole(data: Path, documents: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed packing."""
    out = tmp_path_factory.mktemp("packed") / "out"
    pack_sources(replace(job(data), decontaminate=taboo), out, QUIET)
    return out


def files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_every_document_is_packed_once_and_whole(whole: Path, data: Path, documents: dict[str, list[str]]) -> None:
    tokenizer = tokenizers.Tokenizer.from_file(str(data / "tokenizer.json"))
    end = tokenizer.token_to_id("<|end|>")
    assert folders_of(str(whole)) == {str(whole / "math"): 4.0, str(whole / "long"): 1.0, str(whole / "code"): 2.0}
    for name, texts in documents.items():
        expected: Counter[tuple[int, ...]] = Counter()
        for text in texts:
            ids = [*tokenizer.encode(text, add_special_tokens=False).ids, end]
            expected.update(tuple(ids[i : i + 129]) for i in range(0, len(ids) - 1, 128))
        found: Counter[tuple[int, ...]] = Counter()
        for row in open_rows(whole / name).all():
            assert (row["weights"] > 0).tolist() == (row["segment_ids"] > 0).tolist()
            for segment in range(1, row["segment_ids"].max() + 1):
                inside = row["segment_ids"] == segment
                found[(int(row["tokens"][inside][0]), *row["targets"][inside].tolist())] += 1
        assert found == expected


def test_what_was_left_out_is_counted(whole: Path, documents: dict[str, list[str]]) -> None:
    report = {name: json.loads((whole / name / "index.json").read_text())["report"] for name in documents}
    assert [report[name]["examples"] for name in ("math", "long", "code")] == [90, 6, 25]
    assert [(report[name]["removed"], report[name]["unusable"]) for name in ("math", "long", "code")] == [(2, 1), (0, 0), (0, 1)]
    assert report["long"]["continued"] == 6 and all(one["dropped"] == 0 for one in report.values())


def test_packing_again_changes_nothing_and_other_settings_are_refused(whole: Path, data: Path, tmp_path: Path) -> None:
    before, times = files(whole), {path: path.stat().st_mtime_ns for path in whole.glob("*/*")}
    again = replace(job(data), decontaminate=taboo, workers=1)
    pack_sources(again, whole, QUIET)
    assert files(whole) == before and {path: path.stat().st_mtime_ns for path in whole.glob("*/*")} == times
    with pytest.raises(InputError, match="was packed from other files or with other settings; remove it"):
        pack_sources(replace(again, seq_len=64), whole, QUIET)
    with pytest.raises(InputError, match="was packed from other files"):
        pack_sources(replace(again, decontaminate=None), whole, QUIET)
    other_weight = {name: replace(source, weight=7.0) for name, source in again.sources.items()}
    pack_sources(replace(again, sources=other_weight), whole, QUIET)
    assert set(folders_of(str(whole)).values()) == {7.0}
    pack_sources(again, whole, QUIET)
    assert files(whole) == before
    (tmp_path / "math").mkdir()
    (tmp_path / "math" / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="is not empty and was not packed by this program"):
        pack_sources(again, tmp_path, QUIET)


def packing(data: Path, out: Path, *changes: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "oprover_jax.cli", "pack", "--config", str(HERE / "packing_job.py"), "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{HERE}", "PACK_FOLDER": str(data)}
    options = [part for change in changes for part in ("--set", change)]
    return subprocess.Popen(command + options, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_while_packing_nothing_is_half_visible_and_the_rerun_ends_with_the_same_bytes(
    data: Path, documents: dict[str, list[str]], tmp_path: Path
) -> None:
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "out"
    small = replace(job(data), unit_bytes=3000)  # some forty shards
    pack_sources(small, undisturbed, QUIET)
    for how, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        there = len(list(out.glob("*/*.array_record")))
        process = packing(data, out, "unit_bytes=3000")
        while len(list(out.glob("*/*.array_record"))) < there + 3 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)  # ends when the workers, who hold the pipe too, are gone
        assert process.returncode == code, errors
        assert how == signal.SIGKILL or (errors.startswith("oprover: interrupted") and errors.count("\n") == 1)
        assert not (out / "mixture.json").exists()
        for name in documents:
            if not (out / name / "index.json").exists():
                with pytest.raises(InputError, match=r"is not a rows dataset, because it has no index\.json"):
                    open_rows(out / name)
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*/*.array_record.json")}
    shards = {path.with_suffix(""): path.with_suffix("").stat().st_mtime_ns for path in kept if path.with_suffix("").exists()}
    assert len(shards) > 3
    process = packing(data, out, "unit_bytes=3000")
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "shards are already packed" in said and "tokens/s" in said
    assert {path: path.stat().st_mtime_ns for path in shards} == shards  # not packed again
    assert files(out) == files(undisturbed)


def test_two_packings_do_not_meet_and_bad_input_is_one_sentence(data: Path, documents: dict[str, list[str]], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with open(tmp_path / "out" / ".lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another `oprover pack` is writing"):
            pack_sources(job(data), tmp_path / "out", QUIET)
    bad = replace(job(data), sources={"math": Text(str(data / "math.jsonl"), column="proof")})
    with pytest.raises(InputError, match=r"math\.jsonl at byte \d+ has no column 'proof'"):
        pack_sources(bad, tmp_path / "bad", QUIET)
    process = packing(data, tmp_path / "missing", "end=<|nobody|>")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2 and "has no token '<|nobody|>'" in errors and errors.count("\n") == 1
    with pytest.raises(InputError, match=r"contains no \.lean file"):
        pack_sources(replace(job(data), sources={"lean": Files(str(data), suffixes=(".lean",))}), tmp_path / "none", QUIET)
    with pytest.raises(InputError, match="put functions into a module"):
        pack_sources(replace(job(data), decontaminate=lambda text: ""), tmp_path / "none", QUIET)
    assert not (tmp_path / "none").exists() and not (tmp_path / "missing").exists()
    with pytest.raises(ValueError, match="'math' has weight 0"):
        PackConfig("x", {"math": Text("x", 0.0)})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=12), min_size=1, max_size=30), st.integers(1, 60), st.integers(1, 9))
def test_pieces_together_are_the_file_once(tmp_path: Path, texts: list[str], size: int, group: int) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(msgspec.json.encode({"text": text}) for text in texts))
    pq.write_table(pa.table({"text": texts}), tmp_path / "b.parquet", row_group_size=group)
    for name in ("a.jsonl", "b.parquet"):
        source = Text(str(tmp_path / name))
        pieces = source.plan(size)
        assert all(one.stop == two.start for one, two in pairwise(pieces)) and pieces[0].start == 0
        assert [found for piece in pieces for found in source.read(piece)] == [text or Left.UNUSABLE for text in texts]


def test_a_proof_stands_as_in_a_file() -> None:
    formal = "theorem t (n : Nat) : n = n := by sorry"
    assert declaration("", formal, "by rfl") == "theorem t (n : Nat) : n = n := by rfl\n"
    assert declaration("open Nat", formal, ":= rfl") == "open Nat\n\ntheorem t (n : Nat) : n = n := rfl\n"
    assert declaration("", "theorem t : ∀ n : Nat, n = n := sorry", "| _ => rfl") == "theorem t : ∀ n : Nat, n = n | _ => rfl\n"


def test_rows_are_full(whole: Path, documents: dict[str, list[str]]) -> None:
    for name in documents:
        rows = list(open_rows(whole / name).all())
        assert np.mean([(row["segment_ids"] > 0).mean() for row in rows]) > 0.97, name
