"""The commands of the toolbelt on real files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

FILE = """import Init
namespace A
theorem good (p q : Prop) (h : p ∧ q) : q := by
  cases h
  assumption

  @[simp] theorem wrong (a b : Nat) (h : a < b) : a + 2 < b := by
    have k : a + 1 ≤ b := sorry
    sorry
end A
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lean_worker.cli", *arguments], capture_output=True, text=True, timeout=120)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "a.lean"
    path.write_text(FILE, encoding="utf-8")
    return str(path)


def test_goals(file: str) -> None:
    done = run("goals", file, "4:2", "9:4", "1:0")
    assert done.returncode == 0 and done.stdout.split("\n")[0] == f"{file}:4:2:"
    assert (
        "  h : p ∧ q\n  ⊢ q\n" in done.stdout
        and "  k : a + 1 ≤ b\n  ⊢ a + 2 < b\n" in done.stdout
        and "no tactic stands here" in done.stdout
    )
    refused = run("goals", file, "99:0")
    assert refused.returncode == 2 and "lines 1 to" in refused.stderr and len(refused.stderr.splitlines()) == 1


def test_holes(file: str) -> None:
    done = run("holes", file)
    assert done.returncode == 1 and f"{file}:8:26: A.wrong (term)\n" in done.stdout and f"{file}:9:4: A.wrong (tactic)\n" in done.stdout
    report = json.loads(run("holes", file, "--json").stdout)
    assert [hole["goal"].split("⊢ ")[1] for hole in report["holes"]] == ["a + 1 ≤ b", "a + 2 < b"]


def test_extract(file: str, tmp_path: Path) -> None:
    done = run("extract", file)
    assert done.returncode == 0 and "theorem A.wrong_at_8_26 " not in done.stdout and done.stdout.count(":= by sorry") == 2
    path = tmp_path / "c.lean"
    path.write_text("theorem t (n : Nat) : n + 0 = n := by\n  have h : 0 + n = n := by simp\n  simp\n", encoding="utf-8")
    assert "(n : Nat) : 0 + n = n := by simp" in run("extract", str(path), "--have").stdout


def test_lint(file: str, tmp_path: Path) -> None:
    assert run("lint", file).returncode == 0
    path = tmp_path / "b.lean"
    path.write_text("theorem t (n k : Nat) (h : n - 1 = 5 / 2) : n = 3 := by omega\n", encoding="utf-8")
    done = run("lint", str(path))
    assert (
        done.returncode == 1
        and f"{path}:1:13: t: unused-variable: " in done.stdout
        and f"{path}:1:37: t: literal-division: " in done.stdout
    )
    path.write_text("import Nowhere\ntheorem t : 1 = 1 := rfl\n", encoding="utf-8")
    failed = run("lint", str(path))
    assert failed.returncode == 2 and "module Nowhere is not available" in failed.stdout


def test_disprove(file: str, tmp_path: Path) -> None:
    done = run("disprove", file)
    assert done.returncode == 1 and f"{file}:7:10: A.wrong: disproved (counterexample: a := 0, b := 1)" in done.stdout
    assert "good" not in done.stdout
    assert run("disprove", file, "--theorem", "good").returncode == 0
    proof = tmp_path / "proof.lean"
    proof.write_text("fun h => absurd (h 0 1 (by decide)) (by decide)", encoding="utf-8")
    given = json.loads(run("disprove", file, "--theorem", "A.wrong", "--proof", str(proof), "--json").stdout)
    assert given["outcome"] == "disproved" and given["tactic"] == "the given proof" and given["axioms"] == []
    unknown = run("disprove", file, "--theorem", "nowhere")
    assert unknown.returncode == 2 and "0 theorems of the name 'nowhere'" in unknown.stderr
