"""`oprover prove` on holes in all positions, with the real Lean and a policy that has its answers from the test."""

import io
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from scripted_agent import Policy, Scripted, scripted_agent

from lean_worker.errors import LeanWorkerError
from lean_worker.filling import fill, open_file
from lean_worker.pool import Pool
from oprover_jax.commands.hole_task import insertions, task_of
from oprover_jax.commands.prove import prove_file
from oprover_jax.errors import InputError
from oprover_jax.progress import ProgressConsole

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess]

TWELVE = Path(__file__).parent / "files" / "twelve_holes.lean"
GOALS = {
    "both (6:2)": "⊢ p ∧ q",
    "Farm.zero_last (10:54)": "⊢ n * 0 = 0",
    "Farm.bracketed (12:44)": "⊢ n + 0 = n",
    "Farm.exactly (14:51)": "⊢ p",
    "witness (19:6)": "⊢ 3 = 3",
    "by_way_of (22:16)": "⊢ q",
    "with_bullets (33:6)": "⊢ p",
    "swapped (38:17)": "⊢ q ∨ p",
    "by_cases_on (43:13)": "⊢ n + 1 = 0 ∨ 0 < n + 1",
    "in_steps (47:16)": "⊢ b = c",
    "by_helper (51:37)": "⊢ m ≤ m + 1",
    "nameless (55:2)": "⊢ ∃ n, q n",
}
TRIES = (
    "by\n  first\n    | omega\n    | simp_all\n    | exact Or.inr hp",
    "by constructor <;> assumption",
    "⟨w_1, h_1.2⟩",
)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1, trusted_headers=True) as running:
        yield running


def proved(pool: Pool, path: Path, policy: Policy, samples: int = 3) -> tuple[dict[str, str], str]:
    """Prove a file, and return the proofs and what was printed."""
    said = io.StringIO()
    console = ProgressConsole(Console(file=said, width=400))
    found = prove_file(path, scripted_agent(pool, Scripted(policy)), samples, path.with_suffix(".out"), 0, console)
    return found, said.getvalue()


def run(pool: Pool, folder: Path, text: str, *proofs: str) -> tuple[dict[str, str], str, str]:
    """Prove a text by the same proofs for every hole, and return the proofs, what was printed, and the text that was written."""
    path = folder / "mine.lean"
    path.write_text(text)
    found, said = proved(pool, path, lambda prompt: proofs)
    return found, said, path.with_suffix(".out").read_text()


def test_twelve_forms_of_holes_are_found_each_with_its_goal(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "twelve.lean"
    path.write_text(TWELVE.read_text())
    found, said = proved(pool, path, lambda prompt: ("by fail",))
    assert found == {} and "12 holes" in said and "0 of 12 proved" in said
    summary = re.findall(r"^open    (\S+ \(\d+:\d+\)): not proved in 3 attempts.*\n((?:    .*\n)+)", said, re.M)
    assert {where: goal.strip().split("\n")[-1].strip() for where, goal in summary} == GOALS
    assert path.with_suffix(".out").read_text() == TWELVE.read_text()


def test_twelve_forms_of_holes_are_filled_in_place(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "twelve.lean"
    path.write_text(TWELVE.read_text())
    found, said = proved(pool, path, lambda prompt: TRIES)
    assert set(found) == set(GOALS), said
    assert "12 of 12 proved" in said and said.count("\nproved  ") == 12
    written = path.with_suffix(".out").read_text()
    report = pool.read_file(written).result()
    assert report.kind == "accepted" and len(report.theorems) == 12 and not report.holes
    for kept in ("-- your turn\n  ", "-- up to here /- sorry", "  ⟨3, by ", "| n + 1 => by\n    first\n", "\n    · first\n        | omega"):
        assert kept in written
    assert "  rename_i w_1 h_1\n  exact ⟨w_1, h_1.2⟩\n" in written


def test_a_file_with_errors_elsewhere_is_proved_and_they_are_said(pool: Pool, tmp_path: Path) -> None:
    text = (
        "def bad : Nat := nowhere\n\n"
        "theorem wrong : 1 = 2 := by\n  decide\n\n"
        "theorem later : 2 = 1 := by\n  sorry\n\n"
        "theorem uses (n : Nat) : n = n := by\n  have h := wrong\n  sorry\n\n"
        "theorem open_one (n : Nat) : n + 0 = n := by sorry\n\n"
        "theorem half (n : Nat) : n = n := nowhere (by sorry)\n\n"
        "theorem 3 := = oh\n\n"
        "@[simp] theorem no_rule (n : Nat) : n = n := by sorry\n\n"
        "theorem unused : 1 = 1 := by first | rfl | sorry\n\n"
        "theorem last (p : Prop) (h : p) : p := by\n  sorry\n"
    )
    found, said, written = run(pool, tmp_path, text, "by first | assumption | rfl")
    assert set(found) == {"uses (11:2)", "open_one (13:45)", "last (24:2)"}, said
    assert "mine.lean:1:17: error: Unknown identifier `nowhere`" in said and "mine.lean has errors" in said
    assert re.search(r"half \(15:46\): found, but not tried: an error in the same declaration keeps Lean from it", said)
    assert "later (7:2): not proved" in said and "7 holes" in said
    assert "no_rule (19:48): found, but not tried: its declaration has an error: Invalid simp theorem" in said
    assert "unused (21:43): found, but not tried: Lean shows no goal there" in said
    tactic = "first | assumption | rfl"
    expected = text.replace("n + 0 = n := by sorry", f"n + 0 = n := by {tactic}").replace("wrong\n  sorry", f"wrong\n  {tactic}")
    assert written == expected.replace("(h : p) : p := by\n  sorry", f"(h : p) : p := by {tactic}")
    assert "uses (11:2): proved by 3 of 3 rollouts, first in round 1; its declaration is not complete yet" in said


def test_goals_that_cannot_be_stated_are_said_with_the_reason(pool: Pool, tmp_path: Path) -> None:
    text = (
        "theorem data : ∃ n : Nat, n > 3 := ⟨sorry, sorry⟩\n\n"
        "theorem unknown (p : Nat → Prop) (h : ∃ x, p x) : ∃ x, p x := by\n  constructor\n  sorry\n  exact 3\n"
    )
    found, said, written = run(pool, tmp_path, text, "by omega")
    assert found == {} and written == text and "3 holes" in said
    assert "data (1:36): found, but not tried: its goal is data, not a proposition" in said
    assert "data (1:43): found, but not tried: its goal depends on another `sorry`" in said
    assert "unknown (5:2): found, but not tried: its goal cannot be stated alone (don't know how to synthesize placeholder" in said
    assert "    ⊢ sorry > 3\n" in said and "0 of 3 proved" in said


def test_the_types_of_numerals_are_those_of_the_goal(pool: Pool, tmp_path: Path) -> None:
    text = "theorem below (a : Int) (h : 2 ≤ a) : (1 : Int) - 2 ≤ a := by\n  have : (1 : Int) - 2 = -1 := by\n    sorry\n  omega\n"
    found, _, written = run(pool, tmp_path, text, "by decide")
    assert list(found) == ["below (3:4)"] and written == text.replace("sorry", "decide")


def test_local_definitions_universes_and_instances_are_stated(pool: Pool, tmp_path: Path) -> None:
    text = (
        "theorem defined (m : Nat) : let k := m + 1; ∀ j, j = k → j = m + 1 := by\n  intro k j hj\n  sorry\n\n"
        "universe u\n\n"
        "theorem general {α : Type u} {β : Sort _} [Inhabited α] [Add α] (f : α → β) (x : α) : f (x + x) = f (x + x) := by\n"
        "  have := f x\n  sorry\n\n"
        "mutual\n"
        "theorem up : (n : Nat) → n ≤ n + 1\n  | 0 => by sorry\n  | n + 1 => Nat.succ_le_succ (down n)\n"
        "theorem down : (n : Nat) → n ≤ n + 1\n  | 0 => Nat.le.step .refl\n  | n + 1 => Nat.succ_le_succ (up n)\n"
        "end\n\n"
        "def small (n : Nat) (h : n < 3) : Fin 3 :=\n  ⟨n, sorry⟩\n\n"
        "example (p : Prop) (h : p) : p := by\n  exact (sorry)\n"
    )
    found, said, written = run(pool, tmp_path, text, "by intro k j hj; exact hj", "by assumption", "by simp")
    places = ["defined (3:2)", "general (9:2)", "up (13:12)", "small (21:6)", "example (24:9)"]
    assert list(found) == places, said
    assert "  revert k j hj\n  simp\n" in written and pool.read_file(written).result().kind == "accepted"


@pytest.mark.parametrize("scope", ["", "open Nat\n\n"])
def test_a_proof_with_helpers_brings_them_before_the_command(pool: Pool, scope: str) -> None:
    text = "namespace Farm\n\nopen Nat in\n/-- Mine. -/\ntheorem twice (n : Nat) : n + n = 2 * n := by\n  sorry\n\nend Farm\n"
    helpers = f"{scope}theorem helper (n : Nat) : n + n = 2 * n := by omega"
    file = open_file(pool, text)
    task = task_of(file, 0).stated(pool)
    assert task.formal == "open Nat in\ntheorem twice (n : Nat) : n + n = 2 * n := by sorry"
    answer = f"{helpers}\n\ntheorem twice (n : Nat) : n + n = 2 * n := by\n  exact helper n"
    filled, reason = fill(pool, file, task.hole, insertions(task, answer))
    assert filled is not None and filled.report.kind == "accepted", reason
    opening, closing = ("section\n\n", "\n\nend") if scope else ("", "")
    assert f"namespace Farm\n\n{opening}{helpers}\n\nopen Nat in\n/-- Mine. -/\ntheorem twice" in filled.text
    assert filled.text.endswith(f":= by\n  exact helper n{closing}\n\nend Farm\n")


def test_a_proof_that_fails_in_its_place_does_not_count(pool: Pool, tmp_path: Path) -> None:
    text = "theorem outer (n : Nat) : n + 0 = n := by\n  have h : n + 0 = n := by sorry\n  exact h\n"
    found, said, written = run(pool, tmp_path, text, "by\n  have : outer_at_2_27 = outer_at_2_27 := rfl\n  rfl")
    assert found == {} and written == text
    assert "0 of 1 proved" in said and "open    outer (2:27)" in said


@pytest.mark.parametrize("opening", ["-- a licence\nimport Init\n\n", "/- a licence -/\nmodule\n\npublic import Init\n\n", "prelude\n"])
def test_what_stands_above_the_first_command_stays(pool: Pool, tmp_path: Path, opening: str) -> None:
    text = f"{opening}theorem a (n : Nat) : n = n := by sorry\n\ntheorem b (p q : Prop) (h : p) : p ∨ q := Or.inl sorry\n"
    found, said, written = run(pool, tmp_path, text, "rfl", "h")
    assert len(found) == 2, said
    assert written == text.replace(":= by sorry", ":= rfl").replace("Or.inl sorry", "Or.inl (h)")


def test_ctrl_c_lists_what_was_proved_and_what_was_not_tried(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "mine.lean"
    path.write_text("theorem a : 1 = 1 := sorry\ntheorem b : 2 = 2 := by\n  skip\n  sorry\ntheorem c : 3 = 3 := sorry\n")

    def policy(prompt: str) -> tuple[str, ...]:
        if "2 = 2" in prompt.partition("Reference")[0].rpartition("theorem")[2]:
            signal.raise_signal(signal.SIGINT)
        return ("rfl",)

    said = io.StringIO()
    console = ProgressConsole(Console(file=said, width=400))
    with pytest.raises(SystemExit) as stopped:
        prove_file(path, scripted_agent(pool, Scripted(policy)), 1, path.with_suffix(".out"), 0, console)
    assert stopped.value.code == 130
    assert "interrupted\nproved  a (1:21)\nopen    b (4:2): not tried\n    ⊢ 2 = 2\nopen    c (5:21): not tried\n" in said.getvalue()
    assert path.with_suffix(".out").read_text() == path.read_text().replace("1 = 1 := sorry", "1 = 1 := rfl")


def test_line_ends_and_byte_order_mark_stay(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "windows.lean"
    path.write_bytes("\ufeff-- from Windows\r\ntheorem easy (n : Nat) : n = n := by\r\n  sorry\r\n".encode())
    found, _ = proved(pool, path, lambda prompt: ("rfl",))
    assert set(found) == {"easy (3:2)"}
    assert path.with_suffix(".out").read_bytes() == "\ufeff-- from Windows\r\ntheorem easy (n : Nat) : n = n := rfl\r\n".encode()


def test_files_that_cannot_be_read_are_one_sentence(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "mine.lean"
    path.write_bytes("-- na\xefve\ntheorem a : True := by sorry\n".encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8"):
        proved(pool, path, lambda prompt: ("trivial",))
    path.write_text("-- licence\nimport Nowhere\ntheorem a : True := by sorry\n")
    with pytest.raises(LeanWorkerError, match=r"mine\.lean:2: module Nowhere is not available here"):
        proved(pool, path, lambda prompt: ("trivial",))
    path.write_text("-- nothing is left as `sorry`\ntheorem a : True := trivial\n")
    found, said = proved(pool, path, lambda prompt: ("trivial",))
    assert found == {} and "no `sorry` to prove" in said and not path.with_suffix(".out").exists()
