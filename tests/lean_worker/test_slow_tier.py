"""The slow tier accepts proofs and nothing else, whatever the candidate's compiled file holds."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import lean_worker
from lean_worker.candidate import read_candidate
from lean_worker.embedded.build import OPENING, CoreLibrary, ensure_core
from lean_worker.embedded.olean import Olean, OleanError, Table
from lean_worker.embedded.slow_phases import OLEAN, Judgement, Setting, SlowLimits, compile_module, judge_files
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.protocol import NO_VERDICT, Check
from lean_worker.sandbox.sandbox import SandboxConfig
from lean_worker.session import Recheck
from lean_worker.source import declarations
from lean_worker.statement import split_statement

pytestmark = pytest.mark.lean

FALSE = "theorem tgt : 2 + 2 = 5 := by sorry"
TRUE = "theorem tgt (p : Prop) (h : p) : p := by sorry"
LEVELS = "theorem tgt.{u} (α : Type u) (a : α) : a = a := by sorry"
SKIPPED = "set_option debug.skipKernelTC true in\ntheorem tgt : 2 + 2 = 5 := by decide +kernel\n"
TEXTBOOK = Path(lean_worker.__file__).parents[1] / "oprover_jax" / "synthetic" / "textbook"

GOOD = [
    ("term", "theorem swap (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry", "⟨h.2, h.1⟩"),
    ("tactics", "theorem A.b (a b c : Nat) : a + (b + c) = c + b + a := by sorry", "by simp [Nat.add_comm, Nat.add_left_comm]"),
    ("alternatives", "theorem z : ∀ n : Nat, 0 + n = n := by sorry", "  | 0 => rfl\n  | n + 1 => congrArg Nat.succ (z n)"),
    (
        "match in the type",
        "theorem m (n : Nat) : (match n with | 0 => 0 | k + 1 => k) ≤ n := by sorry",
        "by\n  cases n with\n  | zero => exact Nat.le_refl 0\n  | succ n => exact Nat.le_succ n",
    ),
    ("axioms", "theorem em (p : Prop) : p ∨ ¬p := by sorry", "Classical.em p"),
    ("large number", "theorem n : 2 ^ 200 < 2 ^ 201 := by sorry", "by decide"),
    ("very large number", f"theorem n : {'9' * 6000} < 1{'0' * 6000} := by sorry", "by decide +kernel"),
    ("universes", "theorem u.{v} (α : Type v) (a : α) : a = a := by sorry", "rfl"),
    ("string", 'theorem s : "a∀b" = "a∀b" := by sorry', "rfl"),
]

WRONG_SOURCES = {
    "sorry": (FALSE, "theorem tgt : 2 + 2 = 5 := sorry", "axiom"),
    "sorry below a helper": (FALSE, "theorem help : 2 + 2 = 5 := sorry\ntheorem tgt : 2 + 2 = 5 := help", "axiom"),
    "axiom": (FALSE, "axiom c : False\ntheorem tgt : 2 + 2 = 5 := c.elim", "axiom"),
    "axiom in an instance": (
        FALSE,
        "axiom c : False\ninstance i : Inhabited (2 + 2 = 5) := ⟨c.elim⟩\ntheorem tgt : 2 + 2 = 5 := i.1",
        "axiom",
    ),
    "warning switched off": (FALSE, "set_option warn.sorry false in\ntheorem tgt : 2 + 2 = 5 := sorry", "axiom"),
    "kernel check off": (FALSE, SKIPPED, "kernel"),
    "kernel check off in a helper": (FALSE, SKIPPED.replace("tgt", "help") + "theorem tgt : 2 + 2 = 5 := help", "kernel"),
    "other statement": (FALSE, "theorem tgt : 2 + 2 = 4 := rfl", "mismatch"),
    "other name": (FALSE, "theorem tgt2 : 2 + 2 = 4 := rfl", "mismatch"),
    "namespace": (FALSE, "namespace Z theorem tgt : True := trivial end Z", "mismatch"),
    "weaker": (FALSE, "theorem tgt : 2 + 2 = 5 ∨ True := .inr trivial", "mismatch"),
    "another hypothesis": (FALSE, "theorem tgt (h : False) : 2 + 2 = 5 := h.elim", "mismatch"),
    "a variable": (FALSE, "variable (c : False)\ninclude c\ntheorem tgt : 2 + 2 = 5 := c.elim", "mismatch"),
    "a definition": (TRUE, "def tgt (p : Prop) (h : p) : p := h", "mismatch"),
    "an axiom": (TRUE, "axiom tgt (p : Prop) (h : p) : p", "mismatch"),
    "more universe levels": (LEVELS, "theorem tgt.{u, v} (α : Type u) (a : α) : a = a := (fun _ : PUnit.{v} => rfl) .unit", "mismatch"),
    "another universe level": (LEVELS, "theorem tgt.{u} (α : Type (u + 1)) (a : α) : a = a := rfl", "mismatch"),
    "another binder": (TRUE, "theorem tgt {p : Prop} (h : p) : p := h", "mismatch"),
    "private": (TRUE, "private theorem tgt (p : Prop) (h : p) : p := h", "mismatch"),
    "instance": (FALSE, "local instance (priority := high) : OfNat Nat 5 := ⟨4⟩\ntheorem tgt : 2 + 2 = 5 := rfl", "mismatch"),
    "numeral by macro": (FALSE, "macro_rules | `(2 + 2) => `(5)\ntheorem tgt : 2 + 2 = 5 := rfl", "mismatch"),
    "nothing": (FALSE, "#exit", "mismatch"),
    "does not compile": (FALSE, "theorem tgt : 2 + 2 = 5 := rfl", "error"),
}

HELPERS = """
inductive Tree where
  | leaf : Tree
  | node : Tree → Tree → Tree

def Tree.size : Tree → Nat
  | .leaf => 1
  | .node l r => l.size + r.size

mutual
inductive Even : Nat → Prop
  | zero : Even 0
  | next (n : Nat) : Odd n → Even (n + 1)
inductive Odd : Nat → Prop
  | next (n : Nat) : Even n → Odd (n + 1)
end

theorem two : Even 2 := .next 1 (.next 0 .zero)
def small (n : Nat) : Prop := Tree.size .leaf = n ∨ Even n

theorem tgt (p : Prop) (h : p) : p :=
  have := two
  have : small 2 := .inr two
  match this with
  | .inl _ => h
  | .inr _ => h
"""


@pytest.fixture(scope="module")
def core() -> CoreLibrary:
    return ensure_core()


@pytest.fixture
def setting(core: CoreLibrary, tmp_path: Path) -> Iterator[Setting]:
    yield Setting(core, tmp_path)


def compiled(setting: Setting, name: str, text: str) -> Path:
    folder = setting.folder / name
    assert compile_module(setting, folder, OPENING + text) == (None, "")
    return folder / OLEAN


def judged(setting: Setting, statement: str, candidate: str) -> Judgement:
    files = compiled(setting, "statement", statement), compiled(setting, "candidate", candidate)
    return judge_files(setting, *files, ("tgt",))


def slow(core: CoreLibrary, checks: list[Check]) -> dict[str, Recheck]:
    with SlowTier(core) as tier:
        return {check.id: again(tier, check) for check in checks}


def again(tier: SlowTier, check: Check) -> Recheck:
    return tier.recheck(check.header, split_statement(check.statement), read_candidate(check.proof, False))


def source_verdict(setting: Setting, statement: str, source: str) -> Judgement:
    """Of a whole source, which no proof filter has seen and which may hold any command, under the statement's own name: in a sandbox or not
    at all."""
    setting = replace(setting, sandbox=SandboxConfig(required=True))
    trusted = compiled(setting, "statement", statement.replace(":= by sorry", ":= sorry") + "\n")
    kind, reason = compile_module(setting, setting.folder / "candidate", OPENING + source + "\n")
    return Judgement(kind, reason) if kind else judge_files(setting, trusted, setting.folder / "candidate" / OLEAN, ("tgt",))


def test_good_proofs_are_accepted_and_checked_again(core: CoreLibrary) -> None:
    found = slow(core, [Check(*row) for row in GOOD])
    assert {name: (r.kind, r.reason) for name, r in found.items() if not r.accepted} == {}
    assert found["axioms"].axioms == ("Classical.choice", "Quot.sound", "propext") and found["term"].axioms == ()
    assert "m.match_1" in found["match in the type"].rechecked and found["tactics"].rechecked[-1] == "A.b"
    assert set(found["term"].seconds) == {"statement", "candidate", "judge"}


def test_the_textbook_is_accepted(core: CoreLibrary) -> None:
    checks = []
    for path in sorted(TEXTBOOK.glob("*.lean")):
        found = declarations(path.read_text(), path.name)
        checks += [Check(each.name, each.statement, each.proof) for each in (found[0], found[-1])]
    assert len(checks) > 10
    assert [(name, r.kind, r.reason) for name, r in slow(core, checks).items() if not r.accepted] == []


def test_wrong_proofs_are_refused(core: CoreLibrary) -> None:
    checks = [
        Check("error", FALSE, "by decide"),
        Check("no statement", "theorem t : nonsense := by sorry", "rfl"),
        Check("header", "theorem t : c := by sorry", "proof", "def c := 2 + 2 = 5\naxiom proof : c"),
        Check("definition with a hole", "theorem t : c = c := by sorry", "rfl", "noncomputable def c : Nat := sorry"),
    ]
    kinds = {name: (r.accepted, r.kind) for name, r in slow(core, checks).items()}
    wanted = ("error", "statement", "axiom", "axiom")
    assert kinds == {check.id: (False, kind) for check, kind in zip(checks, wanted, strict=True)}


@pytest.mark.parametrize("name", WRONG_SOURCES)
def test_a_source_that_does_not_prove_the_statement_is_refused(name: str, setting: Setting) -> None:
    statement, source, kind = WRONG_SOURCES[name]
    found = source_verdict(setting, statement, source)
    assert found.kind == kind, found.reason


def test_a_source_with_helpers_is_accepted(setting: Setting) -> None:
    found = source_verdict(setting, TRUE, HELPERS)
    assert found.kind == "accepted", found.reason
    assert {"Tree", "Tree.size", "Even", "Odd.next", "two", "tgt"} <= set(found.rechecked)


def test_the_judge_alone_refuses_what_the_kernel_never_saw(setting: Setting) -> None:
    """Past proof filter and sandbox: the forged file compiles, and Lean itself finds no axiom in it."""
    audited = SKIPPED + "#print axioms tgt\n"
    assert judged(setting, "theorem tgt : 2 + 2 = 5 := sorry\n", audited).kind == "kernel"


def test_a_definition_under_the_statement_must_be_the_same(setting: Setting) -> None:
    statement = "def year := 2025\ntheorem tgt : year = 15 := sorry\n"
    found = judged(setting, statement, "def year := 15\ntheorem tgt : year = 15 := rfl\n")
    assert (found.kind, found.reason) == ("mismatch", "year is defined differently from the statement")


def test_macros_of_a_candidate_do_not_reach_the_judge(setting: Setting) -> None:
    """A judge that parsed Lean after importing this would read another theorem."""
    macros = "macro_rules | `(2 + 2) => `(5)\nmacro_rules | `(tgt) => `((rfl : 2 + 2 = 5))\n"
    probe = "theorem fooled : 2 + 2 = 5 := tgt\n"
    found = judged(setting, "theorem tgt : 2 + 2 = 5 := sorry\n", "theorem tgt : 2 + 2 = 4 := rfl\n" + macros + probe)
    assert found.kind == "mismatch"


def test_damaged_files_are_refused_and_never_read_past_their_end(setting: Setting) -> None:
    data = compiled(setting, "candidate", SKIPPED).read_bytes()
    intact = Olean(data, Table())
    assert intact.constant(("tgt",)).kind == "theorem"
    generator, outcomes = random.Random(0), {"refused": 0, "read": 0}
    for _ in range(300):
        forged = bytearray(data)
        for _ in range(20):
            forged[generator.randrange(88, len(forged))] = generator.randrange(256)
        try:
            file = Olean(bytes(forged[: generator.choice((len(forged), len(forged) // 2))]), Table())
            for name in file.names:
                file.constant(name)
                file.used(name)
            outcomes["read"] += 1
        except OleanError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 100
    broken = setting.folder / "broken.olean"
    broken.write_bytes(data[: len(data) // 2])
    statement = compiled(setting, "statement", "theorem tgt : 2 + 2 = 5 := sorry\n")
    assert judge_files(setting, statement, broken, ("tgt",)).kind == "kernel"


def test_failed_infrastructure_is_no_verdict(core: CoreLibrary) -> None:
    hang = Check("hang", "theorem t : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by sorry", "by decide +kernel")
    crash = Check("crash", "theorem t : Nat.shiftLeft 1 (2 ^ 38) = 0 := by sorry", "by decide +kernel")
    with SlowTier(core, SlowLimits(seconds=6.0)) as tier:
        found = [again(tier, hang), again(tier, crash)]
    assert [(r.accepted, r.kind) for r in found] == [(None, "timeout"), (None, "crash")]


def test_a_candidate_that_leaves_early_is_no_verdict(setting: Setting) -> None:
    """Exit code 0 without a compiled file proves nothing."""
    source = """
@[extern "n"] opaque IO.Process.forceExit (code : Nat) (world : Unit) : Nat
def leaves : Nat := IO.Process.forceExit 0 ()
macro "boom" : term => do
  match leaves with
  | 0 => `(trivial)
  | _ => `(True.intro)
theorem tgt : 2 + 2 = 5 := boom
"""
    found = source_verdict(setting, FALSE, source)
    assert found.kind == "crash" and found.kind in NO_VERDICT, found.reason


def test_a_proof_can_be_judged_without_a_sandbox(core: CoreLibrary) -> None:
    with SlowTier(core, sandbox=SandboxConfig("none")) as tier:
        assert again(tier, Check("x", TRUE, "h")).accepted
