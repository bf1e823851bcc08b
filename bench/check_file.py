"""Time of `lean-worker check FILE` over that of plain Lean on the same file, process against process."""

import subprocess
import sys
import tempfile
from pathlib import Path

import tyro
from common import race, report

from lean_worker.tools.plain_lean import run_plain


def sample(theorems: int = 82, lines: int = 1_100) -> str:
    """Return a file with this many theorems and at least this many lines, of kinds that occur in textbooks and exercises."""
    kinds = (_induction, _cases, _calculation, _arithmetic, _simplification, _recursion)
    parts = ["def double : Nat → Nat\n  | 0 => 0\n  | n + 1 => double n + 2\n"]
    parts += [kinds[number % len(kinds)](number) for number in range(theorems)]
    missing = lines - sum(part.count("\n") + 1 for part in parts)
    remark = "-- a line of words about what comes next, as people write them between two exercises\n"
    each = max(0, -(-missing // theorems))
    return "\n".join([parts[0], *(remark * each + part for part in parts[1:])])


def _induction(number: int) -> str:
    return f"""theorem induction_{number} (n m k : Nat) : n + m + (k + {number}) = k + {number} + (m + n) := by
  induction n with
  | zero =>
    rw [Nat.zero_add]
    show m + (k + {number}) = k + {number} + m
    rw [Nat.add_comm]
  | succ n hypothesis =>
    rw [Nat.succ_add n m]
    rw [Nat.succ_add (n + m)]
    rw [hypothesis]
    rfl
"""


def _cases(number: int) -> str:
    return f"""theorem cases_{number} (p q r : Prop) (first : p ∨ q) (second : ¬ p ∨ r) (n : Nat) (h : n = {number}) :
    (q ∨ r) ∧ n < {number + 1} := by
  constructor
  · rcases first with hp | hq
    · rcases second with hnp | hr
      · exact absurd hp hnp
      · right
        exact hr
    · left
      exact hq
  · subst h
    exact Nat.lt_succ_self _
"""


def _calculation(number: int) -> str:
    return f"""theorem calculation_{number} (a b c d : Nat) (hab : a = b + {number}) (hcb : b = c) (hd : d = c + {number}) : a = d := by
  have step : b + {number} = c + {number} := by
    rw [hcb]
  calc
    a = b + {number} := hab
    _ = c + {number} := step
    _ = d := hd.symm
"""


def _arithmetic(number: int) -> str:
    return f"""theorem arithmetic_{number} (a b c : Nat) (h : a < b) (h' : b + {number} ≤ c) : a + {number} < c ∧ 2 * a + 1 < 2 * c := by
  have first : a + {number} < b + {number} := by
    omega
  refine ⟨?_, ?_⟩
  · exact Nat.lt_of_lt_of_le first h'
  · have : a < c := by omega
    omega
"""


def _simplification(number: int) -> str:
    return f"""theorem simplification_{number} (xs ys : List Nat) (n : Nat) (h : n = {number}) :
    (xs ++ (n :: ys)).length = xs.length + 1 + ys.length := by
  rw [List.length_append]
  simp only [List.length_cons]
  omega
"""


def _recursion(number: int) -> str:
    return f"""theorem recursion_{number} : ∀ n : Nat, double n + {number} = 2 * n + {number}
  | 0 => rfl
  | n + 1 => by
    have earlier := recursion_{number} n
    show double n + 2 + {number} = 2 * (n + 1) + {number}
    omega
"""


def main(file: Path | None = None, /, *, repeats: int = 3) -> None:
    """Print `ratio_check_vs_lean`: seconds of `lean-worker check` over those of plain Lean, the shortest of several runs each.

    Args:
      file: A .lean file that needs only core Lean; by default one with 82 theorems and 1,100 lines is made.
      repeats: Number of runs of each.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = file or Path(folder) / "sample.lean"
        if file is None:
            path.write_text(sample())
        command = [sys.executable, "-m", "lean_worker.cli", "check", str(path)]
        shown = subprocess.run(command, capture_output=True, text=True)
        summary = shown.stdout.strip().split("\n")[-1].removeprefix(f"{path}: ")
        check, lean = race(lambda: subprocess.run(command, capture_output=True), lambda: run_plain(path.read_text()), repeats)
    report("check_file", summary=summary, check_seconds=check, lean_seconds=lean, ratio_check_vs_lean=check / lean)


if __name__ == "__main__":
    tyro.cli(main)
