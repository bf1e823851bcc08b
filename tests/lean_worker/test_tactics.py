"""What the core library lets tactics prove: every feature with true theorems that check and false ones that do not."""

import re
import subprocess
from pathlib import Path

import pytest

from lean_worker.embedded import build
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict

pytestmark = pytest.mark.lean

GCD = """def g (a b : Nat) : Nat := if h : a = 0 then b else g (b % a) a
termination_by a
decreasing_by exact Nat.mod_lt _ (Nat.pos_of_ne_zero h)
"""
ACKERMANN = """def ack : Nat → Nat → Nat
  | 0, n => n + 1
  | m + 1, 0 => ack m 1
  | m + 1, n + 1 => ack m (ack (m + 1) n)
termination_by m n => (m, n)
"""
COUNT = "def count (n : Nat) : Nat := if h : n = 0 then 0 else 1 + count (n - 1)\n"
COUNT_PROOF = """by
  induction n using count.induct with
  | case1 => simp [count]
  | case2 n h ih => rw [count]; simp [h, ih]; omega"""
INTERLEAVE = """def interleave : List Nat → List Nat → List Nat
  | [], m => m
  | a :: l, m => a :: interleave m l
termination_by l m => l.length + m.length
"""

OMEGA_TRUE = [
    "(a b c : Nat) (h : a < b) (g : b < c) : a + 1 < c",
    "(a : Nat) (h : a % 2 = 1) : a = 2 * (a / 2) + 1",
    "(a b : Int) (h : 3 * a + 5 * b = 1) (h0 : 0 ≤ a) (h1 : a ≤ 1) : False",
    "(a b : Int) (h : 2 * a = 2 * b + 1) : False",
    "(a b : Nat) : a - b + b = max a b",
    "(a b : Nat) : min a b ≤ a ∧ min a b ≤ b",
    "(a : Int) (h : a < 0) : a.natAbs = -a ∧ a.toNat = 0",
    "(a : Nat) (h : 3 ∣ a) (g : a < 5) (p : 0 < a) : a = 3",
    "(a : Int) (h : ¬2 ∣ a) : a % 2 = 1",
    "(a b : Nat) (h : a < b ∧ (b < 3 ∨ b = 5)) : a < 5",
    "(a b : Nat) (h : a < b ↔ b < 3) (g : b = 2) : a < 2",
    "(a b : Nat) (h : a < b → b < 3) (g : b = 3) : a ≥ 3",
    "(i j : Fin 5) (h : i < j) : i.val + 1 < 6",
    "(n : Nat) : 2 ^ (n + 1) = 2 * 2 ^ n",
    "(x y : Int) : (if x < y then x else y) ≤ x",
    "(x : Int) : x / (-2) = -(x / 2) ∧ x / 0 = 0",
    "(a b c d e f g h i j k l : Int) (p : a<b ∧ b<c ∧ c<d ∧ d<e ∧ e<f ∧ f<g ∧ g<h ∧ h<i ∧ i<j ∧ j<k ∧ k<l) : a + 11 ≤ l",
    "(h : ∃ x : Nat, x < 0) : False",
    "(x y z : Int) (h : 12 * x + 5 * y + 7 * z = 1) (g : 3 * x - y = 4 * z) (k : x = 2) : False",
]
OMEGA_FALSE = [
    "(a b : Nat) (h : a < b) : a + 1 < b",
    "(a b : Nat) : a - b + b = a",
    "(a : Int) (h : 2 * a = 4) : a = 3",
    "(a : Int) : a < a.natAbs",
    "(a b : Int) : a / b * b = a",
    "(a : Nat) (h : 3 ∣ a) : a = 3",
    "(a b : Nat) : min a b < a",
    "(a b : Nat) (h : a < b ∨ b < 3) : a < 5",
    "(i : Fin 5) : i.val < 4",
    "(a : Int) : a % 7 < 6",
]
TRUE = [
    ("(p : Prop) (h : p) : p ∧ 2 < 3", "by simp (config := {decide := true}) [h]", ""),
    ("(p q : Prop) : p → q → p ∧ q", "by simp (config := {contextual := true})", ""),
    ("(a b : Nat) (h : a = b) : a = b", "by simp (maxSteps := 1000) [h]", ""),
    ("(a b c : Nat) (h : a = b) : a + c = b + c", "by erw [h]", ""),
    ("(a b : Nat) (h : a = b) : a = b", "by rw (config := {occs := .pos [1]}) [h]", ""),
    ("(a b c : Nat) : a + b + c = c + b + a", "by ac_rfl", ""),
    ("(a b c d : Nat) : (a + 0 + b) * c * d = d * (b + a) * c", "by ac_rfl", ""),
    ("(p q r : Prop) : (p ∧ q ∧ r ∧ p) = ((r ∧ q) ∧ p)", "by ac_rfl", ""),
    ("(l m n : List Nat) : (l ++ m) ++ n = l ++ [] ++ (m ++ n)", "by ac_rfl", ""),
    ("(a b c : Int) : a * b + c = c + b * a", "by ac_rfl", ""),
    ("(b : Nat) : g 0 b = b", "by rw [g]; simp", GCD),
    (": g 12 18 = 6", "by simp [g]", GCD),
    (": ack 1 2 = 4", "by simp [ack]", ACKERMANN),
    ("(n : Nat) : count n = n", COUNT_PROOF, COUNT),
    ("(l : List Nat) : interleave [] l = l", "by simp [interleave]", INTERLEAVE),
    ("(a b : Int) : (a - b) * (a + b) = a * a - b * b", "by rw [Int.sub_mul]; simp only [Int.mul_add, Int.mul_comm b a]; omega", ""),
    (": (-7 : Int) / 2 = -4 ∧ (-7 : Int) % 2 = 1 ∧ (7 : Int) / -2 = -3", "by decide", ""),
    (": (3 : Int) - 5 < 0 ∧ ¬(2 : Int) ∣ 7", "by decide", ""),
    ("{α : Type} [s : Setoid α] (a b : α) (h : a ≈ b) : Quotient.mk s a = Quotient.mk s b", "Quotient.sound h", ""),
]
FALSE = [
    ("(a b c : Nat) : a + b + c = c + b + b", "by ac_rfl", ""),
    ("(a b : Nat) : a - b = b - a", "by ac_rfl", ""),
    ("(p q r : Prop) : (p ∧ q) = (p ∧ r)", "by ac_rfl", ""),
    ("(p q : Prop) : p → p ∧ q", "by simp (config := {contextual := true})", ""),
    ("(a b c : Nat) (h : a = b) : a + c = b", "by erw [h]", ""),
    (": g 12 18 = 5", "by simp [g]", GCD),
    (": ack 1 2 = 5", "by simp [ack]", ACKERMANN),
    (": (-7 : Int) / 2 = -3", "by decide", ""),
    (": (-7 : Int) % 2 = -1", "by decide +kernel", ""),
    (": (2 : Int) - 3 = 0", "by rfl", ""),
]


def _check(pool: Pool, theorems: list[tuple[str, str, str]]) -> list[Verdict]:
    checks = [Check(f"{statement} {proof}", f"theorem t {statement} := by sorry", proof, header) for statement, proof, header in theorems]
    return pool.check_many(checks)


def test_true_theorems_check(pool: Pool) -> None:
    wrong = [(v.id, v.messages) for v in _check(pool, TRUE + [(s, "by omega", "") for s in OMEGA_TRUE]) if v.kind != "accepted"]
    assert wrong == []


def test_false_theorems_do_not(pool: Pool) -> None:
    verdicts = _check(pool, FALSE + [(s, "by omega", "") for s in OMEGA_FALSE])
    assert [(v.id, v.kind) for v in verdicts if v.kind != "error"] == []


def test_a_recursion_that_does_not_end_is_no_definition(pool: Pool) -> None:
    report = pool.check_statement("theorem t : True := by sorry", "def f (n : Nat) : Nat := f (n + 1) + 1\ntermination_by n")
    assert report.elaborates is False


@pytest.mark.parametrize("path", sorted(build._SOURCES.glob("*.lean")), ids=lambda path: path.stem)
def test_the_library_proves_what_it_says(path: Path) -> None:
    """Axioms beyond the three that are allowed, and proofs left open, can stand nowhere in the sources."""
    words = path.read_text().split()
    assert not {"sorry", "admit", "native_decide", "debug.skipKernelTC"} & set(words)
    axioms = {words[i + 1] for i, word in enumerate(words) if word == "axiom" and words[i - 1] != "unsafe"}
    assert axioms <= {"sorryAx", "propext", "Classical.choice", "Quot.sound"}


def _theorems() -> list[str]:
    """Full names of the library's theorems, read off its sources."""
    names = []
    for path in build._SOURCES.glob("*.lean"):
        spaces: list[str] = []
        for line in path.read_text().splitlines():
            match line.split():
                case ["namespace", space]:
                    spaces.append(space)
                case ["end", space] if spaces and spaces[-1] == space:
                    spaces.pop()
            found = re.match(r"(?:@\[[^\]]*\] )?(?:protected )?theorem ([^\s:({\[]+)", line)
            if found:
                names.append(".".join([*spaces, found[1]]))
    return names


def test_every_theorem_of_the_library_rests_on_the_three_axioms(tmp_path: Path) -> None:
    core, names = build.ensure_core(), _theorems()
    file = tmp_path / "audit.lean"
    file.write_text(build.OPENING + "".join(f"#print axioms {name}\n" for name in names))
    command = build.lean_command(core.library, file)
    output = subprocess.run(command, env=build.lean_environment(core.path), capture_output=True, text=True, check=False).stdout
    assert output.count("does not depend on any axioms") + output.count("depends on axioms: [") == len(names) > 900
    used = {name.strip() for axioms in re.findall(r"depends on axioms: \[([^\]]*)\]", output) for name in axioms.split(",")}
    assert used == {"propext", "Classical.choice", "Quot.sound"}
