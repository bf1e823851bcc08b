"""The command and the reader of users' files, on real files and the real Lean."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lean_worker.backends import misjudgement
from lean_worker.document import Answer
from lean_worker.embedded.build import CoreLibrary, ensure_core
from lean_worker.jobs import Question
from lean_worker.pool import Pool
from lean_worker.proof_filter import COMMANDS
from lean_worker.sandbox.sandbox import SandboxConfig
from lean_worker.session import Finding
from lean_worker.source import declarations
from lean_worker.tools.attacks import attacks

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

FILE = """prelude
/-- a definition -/
def twice (n : Nat) : Nat := n + n

/-- documented -/
@[simp] theorem twice_zero : twice 0 = 0 := rfl

theorem first (p q : Prop)
    (h : p ∧ q) : q := by
  sorry

-- `sorry` in a comment
example : twice 1 = 2 := by rfl
theorem second : ∀ n : Nat, 0 + n = n
  | 0 => rfl
  | n + 1 => congrArg Nat.succ (second n)
theorem third (f : (x : Nat) → Nat := fun x => x) : 1 = 1 := sorry
"""


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lean_worker.cli", *arguments], input=text, capture_output=True, text=True, timeout=120)


def test_a_file_is_taken_apart() -> None:
    found = declarations(FILE)
    assert [d.name for d in found] == ["twice_zero", "first", "example_3", "second", "third"]
    assert [d.name for d in found if d.is_open] == ["first", "third"]
    first = found[1]
    assert first.statement == "theorem first (p q : Prop)\n    (h : p ∧ q) : q := by sorry"
    assert FILE[first.start : first.end] == ":= by\n  sorry"
    assert first.line == 8
    assert "documented" not in found[0].header and "def twice" in found[0].header


def test_check_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.lean"
    path.write_text("theorem a (p : Prop) (h : p) : p := h\n\ntheorem b : 1 = 2 := by\n  decide\n")
    done = run("check", str(path))
    assert done.returncode == 1
    assert f"{path}:1:0: a: accepted" in done.stdout and f"{path}:3:0: b: rejected (error)" in done.stdout
    assert "4:2: error" in done.stdout


def test_check_lines() -> None:
    lines = [
        {"id": "right", "statement": "theorem t : 1 = 1 := by sorry", "proof": "rfl"},
        {"id": "wrong", "statement": "theorem t : 1 = 2 := by sorry", "proof": "rfl"},
        {"id": "header", "statement": "theorem t : x = 1 := by sorry", "proof": "rfl", "header": "def x : Nat := 1"},
    ]
    done = run("check", "--jsonl", "-", text="\n".join(map(json.dumps, lines)))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted((a["id"], a["verdict"], a["kind"]) for a in answers) == [
        ("header", "accepted", "accepted"),
        ("right", "accepted", "accepted"),
        ("wrong", "rejected", "error"),
    ]
    assert done.returncode == 1
    assert {"messages", "axioms", "seconds", "backend", "lean"} <= set(answers[0])


def test_doctor_and_build() -> None:
    done = run("doctor")
    assert done.returncode == 0
    assert "embedded-fork: Lean 4.35.0, works" in done.stdout and "embedded-server: Lean 4.35.0, works" in done.stdout
    assert run("build").returncode == 0


def test_doctor_says_when_a_backend_misjudges() -> None:
    """A REPL that accepts everything: the doctor must notice."""

    @dataclass(frozen=True)
    class Gullible:
        core: CoreLibrary
        name = lean = library = "gullible"
        prelude, imports, allowed, commands, isolates = "", (), frozenset[str](), COMMANDS, True
        inside, pid, usable = SandboxConfig(), 0, True

        def start(self, opening: str, limits: object) -> "Gullible":
            return self

        def run(self, question: Question) -> Finding:
            return Finding(Answer(axioms=()))

        def kill(self) -> None: ...

    with Pool(1, backend=Gullible(ensure_core())) as pool:
        said = misjudgement(pool)
    assert said is not None and "false: accepted" in said


def test_attack_bench_and_soak() -> None:
    done = run("attack", "--backend", "embedded-server", "--timeout", "5", "--tiers", "fast")
    assert done.returncode == 0 and "0 attacks succeeded; the pool is healthy" in done.stdout
    assert all(any(attack.category in line.split() for line in done.stdout.replace("│", " ").splitlines()) for attack in attacks())
    figures = json.loads(run("bench", "--count", "20").stdout)
    assert (figures["accepted"], figures["rejected"], figures["no_verdict"]) == (16, 4, 0)
    done = run("soak", "--count", "300", "--timeout", "1", "--kill-every", "1")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["mistakes"] == [] and report["workers_killed"] > 0
    assert sum(report["verdicts"].values()) == 300
    assert report["verdicts"]["accepted"] > 200 and report["verdicts"]["error"] > 40


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("check", "no_such_file.lean"), ""),
        (("check",), ""),
        (("check", "--jsonl", "no_such_file.jsonl"), ""),
        (("check", "--jsonl", "-"), "{not json"),
        (("check", "--jsonl", "-"), '{"id": "a", "statement": 3, "proof": "rfl"}'),
        (("no_such_verb",), ""),
        (("check", "x.lean", "--backend", "repl"), ""),
        (("check", "x.lean", "--imports", "Mathlib"), ""),
        (("attack", "--tiers"), ""),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: tuple[str, ...], text: str) -> None:
    done = run(*arguments, text=text)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout
