"""Statement and candidate are compared up to the names of auxiliary constants: no right proof is a mismatch, every wrong one is."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lean_worker.candidate import read_candidate
from lean_worker.embedded.build import OPENING, CoreLibrary, ensure_core
from lean_worker.embedded.slow_phases import OLEAN, Judgement, Setting, compile_module, judge_files
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.statement import split_statement

pytestmark = pytest.mark.lean

BINDERS = [
    "",
    "(α : Type _) (a : α) ",
    "(f : α → β) (x : α) ",
    "{γ : Sort _} (c : γ) ",
    "(f : Nat → α) (m : Nat) (h : m = 0) ",
]


def number(generator: random.Random, depth: int) -> str:
    """An expression of natural numbers over `n`, of the forms for which Lean makes auxiliary constants."""

    def below() -> str:
        return number(generator, depth - 1)

    forms = [
        lambda: f"(match n with | 0 => {below()} | k + 1 => k + {below()})",
        lambda: f"(match n, {below()} with | 0, _ => {below()} | k + 1, j => k + j)",
        lambda: f"(if n = 0 then {below()} else {below()})",
        lambda: f"(if h : n = 0 then {below()} else {below()})",
        lambda: f"(let y := {below()}; y + {below()})",
        lambda: "(⟨1, by decide⟩ : Fin 3).val",
        lambda: f"(match ({below()}, {below()}) with | (a, b) => a + b)",
        lambda: f"((fun | 0 => {below()} | k + 1 => k : Nat → Nat) {below()})",
        lambda: f"({below()} + f₀ n)",
    ]
    return generator.choice(forms)() if depth else generator.choice(["n", "2", "0"])


HEADER = "def f₀ (n : Nat) : Nat := match n with | 0 => 1 | k + 1 => k\n"


def generated(seed: int) -> Check:
    """A true statement with a proof whose helper restates it, or uses the same forms in another order, or there is no helper."""
    generator = random.Random(seed)
    left, binders = number(generator, 2), generator.choice(BINDERS)
    statement = f"theorem t {binders}(n : Nat) : {left} = {left}"
    other = f"def w (n : Nat) : Nat := {number(generator, 2)}\n"
    names = binders.replace("{γ : Sort _} (c : γ) ", "").replace("(", " ").replace(")", " ")
    given = " ".join(word.split(":")[0].strip() for word in names.split("  ") if ":" in word)
    helper = f"theorem help {binders}(n : Nat) : {left} = {left} := rfl\n"
    whole = {
        "restated": f"{helper}{statement} := {'rfl' if 'γ' in binders else f'help {given} n'}",
        "restated later": f"{other}{helper}{statement} := by\n  exact rfl",
        "others first": f"{other}{statement} := rfl",
        "none": "rfl",
    }
    return Check(f"{seed}", f"{statement} := by sorry", generator.choice(list(whole.values())), HEADER, helpers=True)


def test_fast_and_slow_agree_on_generated_statements(pool: Pool) -> None:
    checks = [generated(seed) for seed in range(24)]
    fast = pool.check_many(checks)

    def again(check: Check) -> tuple[str, str]:
        found = tier.recheck(check.header, split_statement(check.statement), read_candidate(check.proof, True))
        return found.kind, found.reason

    with SlowTier(ensure_core()) as tier, ThreadPoolExecutor(2) as threads:
        slow = list(threads.map(again, checks))
    different = [(check, verdict.kind, found) for check, verdict, found in zip(checks, fast, slow, strict=True) if verdict.kind != found[0]]
    assert different == []
    assert sum(verdict.accepted is True for verdict in fast) > 20


MATCH = "(match n with | 0 => 1 | k + 1 => k)"
SAME_VALUES = "opaque a : Nat := 5\nopaque b : Nat := 5\ndef c : Nat := 5\ndef d : Nat := 5\naxiom p : Nat\naxiom q : Nat\n"
TWINS = "inductive U where\n  | u : U\ninductive V where\n  | u : V\n"
AUXILIARY = "opaque t._aux_1 : Nat := 5\nopaque t._aux_2 : Nat := 5\n"

WRONG = {
    "another match": (
        f"theorem tgt (n : Nat) : {MATCH} = {MATCH}",
        f"theorem tgt (n : Nat) : {MATCH.replace('=> 1', '=> 0')} = {MATCH} :=",
        "",
    ),
    "alternatives swapped": (
        "theorem tgt (n : Nat) : (match n with | 0 => 1 | k + 1 => k) = 1",
        "theorem tgt (n : Nat) : (match n with | k + 1 => k | 0 => 1) = 2 :=",
        "",
    ),
    "a definition of equal value": ("theorem tgt : c = 5", "theorem tgt : d = 5 :=", SAME_VALUES),
    "an opaque constant of equal value": ("theorem tgt : a = b", "theorem tgt : a = a :=", SAME_VALUES),
    "an opaque constant with an auxiliary name": ("theorem tgt : t._aux_1 = t._aux_2", "theorem tgt : t._aux_1 = t._aux_1 :=", AUXILIARY),
    "another axiom": ("theorem tgt : p = q", "theorem tgt : p = p :=", SAME_VALUES),
    "another inductive type": ("theorem tgt (x y : U) : x = x", "theorem tgt (x y : V) : x = x :=", TWINS),
    "other levels": ("theorem tgt.{u, v} (x : PProd.{u, v} α β) : x = x", "theorem tgt.{u, v} (x : PProd.{v, u} α β) : x = x :=", ""),
    "other levels in a match": (
        "theorem tgt.{u, v} (α : Type u) (β : Type v) (x : α × β) : (match x with | (a, _) => a) = (match x with | (a, _) => a)",
        "theorem tgt.{u, v} (α : Type v) (β : Type u) (x : α × β) : (match x with | (a, _) => a) = (match x with | (a, _) => a) :=",
        "",
    ),
}


@pytest.fixture(scope="module")
def core() -> CoreLibrary:
    return ensure_core()


@pytest.fixture
def setting(core: CoreLibrary, tmp_path: Path) -> Iterator[Setting]:
    yield Setting(core, tmp_path)


def judged(setting: Setting, header: str, statement: str, candidate: str) -> Judgement:
    for name, text in (("statement", f"{header}{statement} := sorry\n"), ("candidate", f"{header}{candidate}\n")):
        assert compile_module(setting, setting.folder / name, OPENING + text) == (None, "")
    return judge_files(setting, setting.folder / "statement" / OLEAN, setting.folder / "candidate" / OLEAN, ("tgt",))


@pytest.mark.parametrize("name", WRONG)
def test_another_statement_is_a_mismatch(name: str, setting: Setting) -> None:
    statement, candidate, header = WRONG[name]
    found = judged(setting, header, statement, f"{candidate} sorry")
    assert found.kind == "mismatch", found.reason


@pytest.mark.parametrize("name", WRONG)
def test_a_helper_that_restates_another_statement_does_not_help(name: str, setting: Setting) -> None:
    statement, candidate, header = WRONG[name]
    helper = statement.replace("theorem tgt", "theorem help", 1)
    found = judged(setting, header, statement, f"{helper} := sorry\n{candidate} sorry")
    assert found.kind == "mismatch", found.reason


@pytest.mark.parametrize(("year", "kind"), [("2025", "accepted"), ("15", "mismatch")])
def test_a_header_constant_may_not_change_below_an_auxiliary_one(year: str, kind: str, setting: Setting) -> None:
    match = "(match n with | 0 => year | k + 1 => k)"
    statement = f"theorem tgt (n : Nat) : {match} = {match}"
    files = []
    for name, text in (
        ("statement", f"def year := 2025\n{statement} := sorry\n"),
        ("candidate", f"def year := {year}\n{statement} := rfl\n"),
    ):
        assert compile_module(setting, setting.folder / name, OPENING + text) == (None, "")
        files.append(setting.folder / name / OLEAN)
    assert judge_files(setting, files[0], files[1], ("tgt",)).kind == kind


def test_the_shared_constants_may_have_other_numbers(setting: Setting) -> None:
    """The helpers need two matches before the statement's own, and one of them is the statement's."""
    statement = f"theorem tgt (n : Nat) : {MATCH} = {MATCH}"
    helpers = "def w (n : Nat) : Nat := match n with | 0 => 7 | 1 => 8 | k + 2 => k\n" + statement.replace("tgt", "help") + " := rfl\n"
    found = judged(setting, "", statement, f"{helpers}{statement} := help n")
    assert found.kind == "accepted", found.reason
    assert "help.match_1" in found.rechecked
