"""An installed Lean with a library whose surface is Mathlib's: its notations are read and judged as Lean reads them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_toolchain import compile_library

from lean_worker.language_server.backend import installed_server
from lean_worker.language_server.installed import installed_lean, library_hash
from lean_worker.lean_options import known_options
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.session import BackendUnavailable

SOURCES = Path(__file__).parent / "mini_mathlib"
HEADER = "import MiniMathlib\n\nopen BigOperators Real Nat Topology Set Finset Polynomial Matrix\n"

# statement, right proof, wrong proof
SURFACE = {
    "preimage of image": ("theorem t (f : ℕ → ℕ) (s : Set ℕ) : s ⊆ f ⁻¹' (f '' s) := by sorry", "Set.subset_preimage_image f s", "id"),
    "image": ("theorem t {α β : Type*} (f : α → β) (s : Set α) (x : α) (h : x ∈ s) : f x ∈ f '' s := by sorry", "⟨x, h, rfl⟩", "h"),
    "complement": ("theorem t (s : Set ℕ) : ∀ x ∈ s, x ∉ sᶜ := by sorry", "fun _ h k => k h", "fun _ h => h"),
    "cardinality": ("theorem t : #(range 4) = 4 := by sorry", "by decide", "by simp"),
    "sum": ("theorem t (f : ℕ → ℕ) : ∑ x ∈ range 2, f x = f 0 + (f 1 + 0) := by sorry", "rfl", "by omega"),
    "old sum": ("theorem t : ∑ k in range 5, k = 10 := by sorry", "by decide", "∑ k in range 5, k"),
    "product": ("theorem t : ∏ k ∈ range 3, (k + 1) = 3! := by\n  sorry", "by decide", "by exact 3!"),
    "factorial": ("theorem t (n : ℕ) : (n + 1)! = (n + 1) * n ! := by sorry", "factorial_succ n", "by decide"),
    "wrong factorial": ("theorem t : 5! = 121 := by sorry", None, "by decide"),
    "neighbourhood": ("theorem t {x : ℝ} : Filter.Tendsto id (𝓝 x) (𝓝 x) := by sorry", "Filter.tendsto_id", "𝓝 x"),
    "floor": ("theorem t : ⌊(5 : ℝ)⌋ = 5 ∧ ⌈(5 : ℝ)⌉ = 5 := by sorry", "⟨rfl, rfl⟩", "⌊(5 : ℝ)⌋"),
    "absolute value": ("theorem t (x : ℤ) (h : |x| = 3) : |x| + |(-1 : ℤ)| = 4 := by sorry", "by rw [h]; rfl", "by simp [|x|]"),
    "norm": ("theorem t : ‖(3 : ℝ)‖ = 3 := by sorry", "rfl", "‖(3 : ℝ)‖"),
    "square root": ("theorem t (x : ℝ) : √x = √(√x) := by sorry", "rfl", "√x"),
    "evaluation": ("theorem t (p : ℝ[X]) (h : p.eval 1 = 0) : eval 1 p = 0 := by sorry", "h", "p.eval 1"),
    "trace": (
        "theorem t (A : Matrix (Fin 2) (Fin 2) ℕ) (h : A = fun _ _ => 1) : A.trace = 2 := by sorry",
        "by subst h; rfl",
        "Matrix.trace",
    ),
    "transpose": ("theorem t (A : Matrix (Fin 2) (Fin 3) ℚ) : Aᵀᵀ = A := by sorry", "transpose_transpose A", "Aᵀ"),
    "inverse": ("theorem t : (1 : ℝ)⁻¹ = 1 := by sorry", "rfl", "(1 : ℝ)⁻¹"),
    "set builder": ("theorem t : 3 ∈ {x : ℕ | ∃ y ∈ ({1, 2} : Set ℕ), x = y + 1} := by sorry", "⟨2, Or.inr rfl, rfl⟩", "⟨1, Or.inl rfl⟩"),
    "congruence": ("theorem t : 17 ≡ 2 [MOD 5] := by sorry", "rfl", "17 ≡ 2 [MOD 5]"),
    "unique": ("theorem t : ∃! n, n + 1 = 3 := by sorry", "⟨2, rfl, fun _ h => Nat.succ.inj h⟩", "⟨2, rfl⟩"),
    "pair": ("theorem t (z : ℂ) (h : z = 3) : z.re = 3 ∧ z.im = 0 := by sorry", "⟨congrArg Complex.re h, congrArg Complex.im h⟩", "⟨h, h⟩"),
    "deep namespace": ("theorem Polynomial.Monic.Deep.Down.t : eval 3 (⟨[]⟩ : ℕ[X]) = 0 := by sorry", "eval_zero 3", "eval_one 3"),
    "definition before": (
        "abbrev solution : Set ℝ := {x | x = 2}\n\ntheorem t (x : ℝ) : x ∈ solution ↔ x = 2 := by sorry",
        "Iff.rfl",
        "fun h => h",
    ),
    "own notation": ('local notation "∣" x "∣\'" => |x|\ntheorem t (x : ℤ) : ∣x∣\' = |x| := by sorry', "rfl", "|x|"),
    "hypotheses named as commands": ("theorem t (hint init : ℕ) (h : hint = init) : init = hint := by sorry", "h.symm", "h"),
}


@pytest.fixture(scope="session")
def installed(toolchain: Path) -> Path:
    """A folder with a toolchain and the compiled library."""
    compile_library(toolchain / "bin", SOURCES, toolchain.parent / "library")
    return toolchain.parent


@pytest.fixture(scope="module")
def mathlib(installed: Path) -> Iterator[Pool]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{installed}/toolchain/bin:{os.environ['PATH']}")
        backend = installed_server(installed / "library", imports=("MiniMathlib",))
    with Pool(1, timeout=60.0, backend=backend, trusted_headers=True) as running:
        yield running


@pytest.mark.lean
def test_every_notation_is_judged_right(mathlib: Pool) -> None:
    checks = []
    for name, (statement, right, wrong) in SURFACE.items():
        checks += [Check(f"{name}, right", statement, right, HEADER)] if right is not None else []
        checks.append(Check(f"{name}, wrong", statement, wrong, HEADER))
    expected = {check.id: check.id.rpartition(" ")[2] for check in checks}
    words = {"accepted": "right", "error": "wrong"}
    verdicts = mathlib.check_many(checks)
    found = {each.id: words.get(each.kind, f"{each.kind}: {each.messages}") for each in verdicts}
    assert {name: (kind, [v.messages for v in verdicts if v.id == name]) for name, kind in found.items() if kind != expected[name]} == {}


@pytest.mark.lean
def test_whole_answers_with_imports_and_helpers(mathlib: Pool) -> None:
    statement = "theorem t (f : ℕ → ℕ) (s : Set ℕ) : s ⊆ f ⁻¹' (f '' s) := by sorry"
    helper = "theorem helper (f : ℕ → ℕ) (s : Set ℕ) (x : ℕ) (h : x ∈ s) : f x ∈ f '' s := ⟨x, h, rfl⟩\n\n"
    answer = HEADER + "\n" + helper + statement.replace(":= by sorry", ":= fun x h => helper f s x h")
    wrong = answer.replace("⟨x, h, rfl⟩", "⟨x, h, h⟩")
    verdicts = mathlib.check_many([Check("right", statement, answer, HEADER), Check("wrong", statement, wrong, HEADER)])
    assert [each.kind for each in verdicts] == ["accepted", "error"]


@pytest.mark.lean
def test_a_file_of_the_project_is_read(mathlib: Pool) -> None:
    text = (
        HEADER
        + """
namespace Own
variable {α β : Type*} (f : α → β)

/-- doc -/
theorem sub (s : Set α) : s ⊆ f ⁻¹' (f '' s) := by
  intro x h
  exact ⟨x, h, rfl⟩

theorem open_one (s t : Set α) (h : s ⊆ t) : f '' s ⊆ f '' t := by
  intro y hy
  sorry

example : ∑ k ∈ range 4, k = 3! := by decide
example : |(-3 : ℤ)| = 4 := by decide
end Own
"""
    )
    found = mathlib.read_file(text).result()
    assert [(each.name, each.kind) for each in found.theorems] == [
        ("Own.sub", "accepted"),
        ("Own.open_one", "hole"),
        ("", "accepted"),
        ("", "error"),
    ]
    [hole] = found.holes
    assert hole.span.line == 15 and hole.goal.endswith("⊢ y ∈ f '' t") and "hy : y ∈ f '' s" in hole.goal
    assert [message.line for message in found.messages if message.severity == "error"] == [18]


@pytest.mark.lean
@pytest.mark.multiprocess
def test_the_command_line_with_a_project_without_lake(installed: Path, tmp_path: Path) -> None:
    file = tmp_path / "Own.lean"
    file.write_text(f"{HEADER}\ntheorem t : 5! = 120 := rfl\n")
    words = ["check", str(file), "--backend", "language-server", "--project", str(installed / "library")]
    words += ["--imports", "MiniMathlib", "--workers", "1"]
    environment = {**os.environ, "PATH": f"{installed}/toolchain/bin:{os.environ['PATH']}"}
    command = [sys.executable, "-c", "from lean_worker.cli import main; main()", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "accepted" in done.stdout, done.stdout + done.stderr
    file.write_text(f"{HEADER}\ntheorem t : 5! = 121 := rfl\n")
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=False).returncode == 1


@pytest.mark.lean
def test_a_folder_without_modules_is_no_project(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{installed}/toolchain/bin:{os.environ['PATH']}")
    with pytest.raises(BackendUnavailable, match="neither a lakefile nor compiled modules"):
        installed_lean(tmp_path)
    (tmp_path / "A.olean").write_bytes(b"")
    assert installed_lean(tmp_path)[0]["LEAN_PATH"].split(os.pathsep)[0] == str(tmp_path.resolve())
    one = library_hash(tmp_path)
    (tmp_path / "A.olean").write_bytes(b"changed")
    assert library_hash(tmp_path) != one


def test_options_that_a_version_does_not_know_are_left_out() -> None:
    options = {"maxHeartbeats": "200000", "Elab.async": "false"}
    assert known_options(options, "4.9.0") == {"maxHeartbeats": "200000"}
    assert known_options(options, "4.35.0-rc1") == {"maxHeartbeats": "200000", "weak.Elab.async": "false"}
    assert known_options(options, "nightly") == {"maxHeartbeats": "200000", "weak.Elab.async": "false"}
