"""The benchmarks at tiny sizes: each ends with one line of JSON that names its figures and its ratios. No figure is judged here."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from surface_forms import cases

from oprover_jax.models.hf.export import export_hf
from oprover_jax.models.qwen3 import Qwen3Config, init_params
from oprover_jax.sharding import MeshConfig, make_mesh

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
BENCHMARKS = sorted(path.stem for path in (ROOT / "bench").glob("*.py") if path.stem != "common")


def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "bench" / f"{name}.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"JAX_PLATFORMS": "cpu"})


def figures(name: str, *options: str) -> dict[str, Any]:
    done = run(name, *options)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    ratios = [value for key, value in found.items() if key.startswith("ratio_")]
    assert found["benchmark"] == name and ratios and all(math.isfinite(value) and value > 0 for value in ratios)
    return found


def test_retrieval() -> None:
    found = figures("retrieval", "--entries", "300", "--queries", "8", "--dims", "32", "--upserts", "20", "--repeats", "1")
    assert found["recall_at_8"] == 1.0 and "ratio_index_vs_brute_force" in found


def test_memory_filters_are_measured_on_given_pairs(tmp_path: Path) -> None:
    rows = [
        {"name": f"t{n}", "header": "", "formal_statement": f"theorem t{n} (a : Nat) : a + {n} = {n} + a := by sorry"} for n in range(120)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row | {"proof": ":= by omega"}) + "\n" for row in rows), encoding="utf-8")
    found = figures("memory_filters", str(tmp_path), "--group", "40", "--batch", "8", "--k", "3", "--repeats", "1")
    assert found["proofs"] == 120 and "ratio_with_vs_without" in found


def test_lean_worker_gives_the_same_verdicts_either_way() -> None:
    found = figures("lean_worker", "--count", "8", "--processes", "4", "--workers", "1")
    assert found["same_verdicts"] and found["fork_accepted"] == found["server_accepted"] == 7 and found["fork_no_verdict"] == 0
    assert {"ratio_server_vs_process", "ratio_fork_vs_process"} <= found.keys()


def test_heartbeats_separate_hard_proofs_from_runaways() -> None:
    limits = figures("heartbeats", "--limits", "500", "2000")["limits"]
    assert limits["500"]["hard_accepted"] < limits["2000"]["hard_accepted"]
    assert limits["500"]["runaways"]["apply"][0] < 60


def test_lint_rate_counts_statements_with_smells(tmp_path: Path) -> None:
    claims = ["(n : Nat) : n + 1 = n", "(n k : Nat) : n + 2 = 2 + n"]
    rows = [{"name": claim, "header": "", "formal_statement": f"theorem t {claim} := by sorry"} for claim in claims]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = run("lint_rate", "--file", str(tmp_path / "rows.jsonl"), "--refute")
    found = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1 and found["outcomes"] == {"disproved": 1, "not disproved": 1}, done.stderr
    assert (found["statements"], found["examined"], found["ratio_flagged"]) == (2, 2, 0.5)


def test_http_fuzz_finds_nothing_and_measures_what_a_good_client_notices() -> None:
    found = figures("http_fuzz", "--requests", "40", "--idle", "20")
    assert found["wrong_answers"] == found["must_not_be"] == 0 and sum(found["statuses"].values()) >= 40
    assert "ratio_p99_fuzz_vs_idle" in found and found["mib_most"] > 0


def test_attention_is_checked_and_measured_where_only_the_reference_runs() -> None:
    checked = run("attention", "--check", "--length", "128", "--heads", "2", "--kv-heads", "1", "--head-dim", "16")
    assert checked.returncode == 0 and checked.stdout.count("reference, ") == 4 and "WRONG" not in checked.stdout, checked.stderr
    measured = json.loads(run("attention", "--length", "128", "--repeats", "1").stdout)
    assert measured["benchmark"] == "attention" and measured["ms_reference"] > 0 and measured["device"] == "cpu"
    refused = run("attention", "--implementations", "splash")
    assert refused.returncode == 1 and refused.stderr.startswith("attention 'splash' runs on tpu") and refused.stderr.count("\n") == 1


def test_vocab_head_is_the_same_in_chunks() -> None:
    found = figures("vocab_head", "--tokens", "64", "--vocab", "512", "--embed", "8", "--chunk", "64", "--repeats", "1")
    assert found["largest_relative_difference"] < 1e-5 and "ratio_memory_full_vs_chunked" in found


def test_data_loader_reads_the_same_documents_as_its_peers() -> None:
    found = figures("data_loader", "--tokens", "60000", "--length", "256", "--rows", "4", "--window", "50", "--repeats", "1")
    assert found["fill"] > 0.97 and {"ratio_vs_datasets", "ratio_vs_datasets_arrow", "seconds_to_resume"} <= found.keys()


def test_our_side_of_train_step_reports_what_the_peers_report() -> None:
    sizes = {
        "vocab": 64,
        "layers": 1,
        "embed": 16,
        "q_heads": 2,
        "kv_heads": 1,
        "head_dim": 8,
        "mlp": 32,
        "rows": 2,
        "length": 8,
        "steps": 1,
    }
    script = ROOT / "bench" / "peers" / "own_step.py"
    command = [sys.executable, str(script), *(f"--{name}={value}" for name, value in sizes.items())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": str(ROOT)})
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() == {"version", "parameters", "seconds", "mib", "loss"} and 0 < found["loss"] < 6


def test_our_side_of_engine_answers_all_requests_and_reports_what_the_peers_report(tmp_path: Path) -> None:
    config = Qwen3Config(vocab_size=32, num_layers=1, hidden_size=16, num_heads=2, num_kv_heads=1, head_dim=8, intermediate_size=32)
    export_hf(config, init_params(config, 0, make_mesh(MeshConfig())), tmp_path / "model", dtype="float32")
    options = {"model": tmp_path / "model", "requests": 3, "prompt": 4, "new_tokens": 2, "vocab": 32, "repeats": 1}
    command = [sys.executable, str(ROOT / "bench" / "peers" / "own_generate.py"), *(f"--{name}={value}" for name, value in options.items())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": str(ROOT)})
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() == {"version", "seconds", "tokens"} and found["seconds"] > 0
    assert [len(ids) for ids in found["tokens"]] == [2, 2, 2]


def test_corpus_finds_what_was_planted_and_says_how_it_grows(tmp_path: Path) -> None:
    found = figures("corpus", "--sizes", "600", "1200", "--workers", "1", "--folder", str(tmp_path))
    large = found["runs"][-1]
    assert found["all_planted_found"] and large["planted"] > 0 and large["near_marked"] > 0 and large["copies_removed"] > 0
    assert large["proofs_kept"] + large["copies_removed"] + large["planted_removed"] == 1200 and found["ratio_rows"] == 2
    assert {"ratio_memory", "ratio_speed"} <= found.keys() and not list(tmp_path.iterdir())


def test_statements_in_any_form_are_shown_whole_and_their_names_come_back(tmp_path: Path) -> None:
    named = [case.checks()[0].statement for case in cases(Random(0), 500) if case.keyword != "example"]
    (tmp_path / "benchmarks").mkdir()
    rows = "".join(json.dumps({"formal_statement": formal}) + "\n" for formal in named)
    (tmp_path / "benchmarks" / "forms.jsonl").write_text(rows, encoding="utf-8")
    done = run("shown_names", str(tmp_path))
    assert done.returncode == 0 and not done.stderr, done.stderr
    found = json.loads(done.stdout)
    assert found["altered"] == 0 and found["statements"] == len(named) > 300


def test_false_refusals_are_listed_and_counted(tmp_path: Path) -> None:
    rows = [("a", "theorem a : 1 = 1 := by sorry", ":= by\n  rfl"), ("b", "theorem b : 1 = 1 := by sorry", ":= by\n  exact?")]
    for folder in ("benchmarks", "proofs"):
        (tmp_path / folder).mkdir()
        lines = [json.dumps({"name": name, "formal_statement": statement, "proof": proof}) for name, statement, proof in rows]
        (tmp_path / folder / "rows.jsonl").write_text("\n".join(lines if folder == "proofs" else lines[:1]) + "\n")
    done = run("false_refusals", str(tmp_path))
    found = json.loads(done.stdout.splitlines()[-1])
    assert [found[key] for key in ("statements", "statements_refused", "proofs", "proofs_refused")] == [3, 0, 3, 1], done.stderr
    assert "rows, b: proof refused: line 2, column 2: `exact?` searches" in done.stderr
    (tmp_path / "lean").mkdir()
    (tmp_path / "lean" / "x.lean").write_text("@[simp] theorem a : 1 = 1 := by\n  rfl\n\ntheorem b : 1 = 1 := by\n  native_decide\n")
    done = run("false_refusals", str(tmp_path / "lean"))
    assert [json.loads(done.stdout)[key] for key in ("statements", "proofs", "proofs_refused")] == [2, 2, 1]
    assert "x.lean, b: proof refused: line 2, column 2: `native_decide`" in done.stderr


HELP = """
import runpy, sys
for path in sys.argv[1:]:
    sys.argv = [path, "--help"]
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as ended:
        print("END", path, ended.code or 0)
"""


def test_help_tells_the_options() -> None:
    """All in one process, so that JAX is imported once."""
    scripts = [str(ROOT / "bench" / f"{name}.py") for name in BENCHMARKS]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT / "bench")}
    done = subprocess.run([sys.executable, "-c", HELP, *scripts], capture_output=True, text=True, timeout=300, env=environment)
    pages = re.split(r"^END (\S+) 0$", done.stdout, flags=re.MULTILINE)
    assert pages[1::2] == scripts, done.stderr
    assert all("usage:" in page and "(default:" in page for page in pages[:-1:2])


def test_check_file_is_measured_against_plain_lean(tmp_path: Path) -> None:
    file = tmp_path / "small.lean"
    file.write_text("theorem a (p : Prop) (h : p) : p := h\n")
    found = figures("check_file", str(file), "--repeats", "1")
    assert found["summary"] == "1 theorem: 1 accepted" and "ratio_check_vs_lean" in found


def test_differential_finds_no_disagreement_and_counts(tmp_path: Path) -> None:
    rows = [
        {"name": "right", "formal_statement": "theorem right : 1 = 1 := by sorry", "proof": ":= rfl"},
        {"name": "example", "formal_statement": "example : q := by sorry", "proof": "h", "header": "variable (q : Prop) (h : q)"},
    ]
    (tmp_path / "core_own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "own.lean").write_text("namespace A\n  theorem a : 1 = 2 := by decide\nend A\ntheorem b : 1 = 1 := rfl\n")
    done = run("differential", str(tmp_path), "--lean", str(tmp_path), "--swapped", "1", "--workers", "1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["files"], found["pairs"], found["disagreements"]) == (1, 3, 0), done.stderr


def test_rollouts_are_collected_scored_and_selected_from() -> None:
    found = figures("rollouts", "--rounds", "60", "--num-samples", "8", "--in-flight", "16")
    assert found["rounds"] >= 40 and found["chosen"] > 0 and 500 < found["prompt_tokens"] < 1500
    assert found["rounds_per_second"] > 0 and 0 < found["rss_gib_collect"] <= found["rss_gib"]
