"""The vacuity checks, by real Lean: what says nothing is found, and what says something passes."""

import asyncio
import dataclasses
from concurrent.futures import Future

import pytest

from lean_worker.errors import LeanWorkerError
from lean_worker.jobs import QueueFull
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict
from oprover_jax.autoformalize.config import VacuityConfig
from oprover_jax.autoformalize.lineage import Formalization
from oprover_jax.autoformalize.stages import NO_VERDICT, check_rows
from oprover_jax.autoformalize.vacuity import Vacuity, check_vacuity, concludes_contradiction, known_tactics
from oprover_jax.records import Statement
from oprover_jax.verify.verifier import Verifier

pytestmark = pytest.mark.lean

CORE = VacuityConfig(contradiction=("contradiction", "omega", "simp_all", "simp at *"), trivial=("trivial", "rfl", "decide", "simp"))


def checked(lean: Pool, *signatures: str, config: VacuityConfig = CORE, header: str = "") -> list[Vacuity]:
    async def all_of_them() -> list[Vacuity]:
        verifier = Verifier(lean)
        statements = [Statement(s, "t", f"theorem t {s} := by sorry", header) for s in signatures]
        return list(await asyncio.gather(*(check_vacuity(verifier, statement, config) for statement in statements)))

    return asyncio.run(all_of_them())


def test_contradictory_hypotheses_are_vacuous(lean: Pool) -> None:
    found = checked(
        lean,
        "(x : Nat) (h : x < x) : x = 3",
        "(n : Nat) (h₀ : n = 1) (h₁ : n = 2) : n = 7",
        ": ∀ n : Nat, n < n → n = 3",
        "(n : Nat) (h : n ≠ n) : ¬ n = 5",
        "(p : Nat → Prop) (h : ∀ n, ¬ p n) (h' : ∃ n, p n) : 1 = 2",
        "(f : Nat → Nat) (h : ∀ x, f x = x + 1) (h' : f 1 = 3) : f 2 = 9",
        "(h : x < x) : True",
        header="variable (x : Nat)",
    )
    assert all(one.vacuous for one in found)
    assert all(not one.trivial and {tried.check for tried in one.tried} == {"vacuous"} for one in found)


def test_goals_that_hold_by_themselves_are_trivial(lean: Pool) -> None:
    found = checked(lean, ": True", ": 0 = 0", ": ∀ n : Nat, n = n", "(n : Nat) (h : n < 5) : n < 5", ": 2 + 2 = 4", "(n : Nat) : ¬ n < n")
    assert [one.vacuous for one in found] == [""] * 6 and all(one.trivial for one in found)


def test_sound_statements_pass(lean: Pool) -> None:
    found = checked(
        lean,
        "(a b : Nat) (h : a ≤ b) : a * a ≤ b * b",
        "(a b : Nat) : a + b = b + a",
        "(a b : Nat) (h : a < b) : ¬ b < a",
        "(a b : Nat) (h : a < b) : a ≠ b",
        "(f : Nat → Nat) (h : ∀ x, f x = x + 1) : f (f 2) = 4",
        "(p q : Prop) : p ∧ q → q ∧ p",
        "(n : Nat) (h : n * n = 2) : False",
        ": ∃ n : Nat, n * n = 49",
    )
    assert [(one.vacuous, one.trivial) for one in found] == [("", "")] * len(found)


def test_a_theorem_about_a_contradiction_is_not_vacuous(lean: Pool) -> None:
    """Their hypotheses are contradictory: that they are is what they say."""
    found = checked(
        lean,
        "(n : Nat) (h : n < n) : False",
        "(n : Nat) : n < n → False",
        "(p q : Prop) (hp : p) (hn : ¬p) : q",
        ": ∀ p q : Prop, p -> ¬p -> q",
    )
    assert [one.vacuous for one in found] == [""] * 4


def test_variables_of_the_header_count_and_its_definitions_do_not(lean: Pool) -> None:
    signatures = ("(hp : p) (hn : ¬p) : q", "(h : 0 = 1) : Riemann")
    header = "def Riemann : Prop := ∀ n : Nat, n = n\nvariable (p : Prop)\n  (q r : Prop)\n"
    assert [bool(one.vacuous) for one in checked(lean, *signatures, header=header)] == [False, True]


def test_conclusions_are_read_past_brackets_and_binders() -> None:
    contradictions = [": False", "(h : 1 = 2) : False", ": ∀ n : Nat, n < n → False", "{q : Prop} (h : 0 = 1) : q", ": (1 = 2) -> False"]
    others = [
        ": 1 = 2 ∧ (1 = 2 → False)",
        "(n : Nat) (h : n < n) : n = 1",
        "(q : Nat → Prop) (h : 0 = 1) : q 1",
        ": ¬ False",
        "(b : Bool) : b",
    ]
    assert all(concludes_contradiction(f"theorem t {s} := by sorry") for s in contradictions)
    assert not any(concludes_contradiction(f"theorem t {s} := by sorry") for s in others)


@pytest.mark.parametrize("tactic", ["sleep 100000", "exact?", "linarith"])
def test_a_tactic_that_cannot_be_tried_condemns_nothing(lean: Pool, tactic: str) -> None:
    config = dataclasses.replace(CORE, contradiction=(tactic,), trivial=(tactic,))
    [found] = checked(lean, "(x : Nat) (h : x < x) : x = 3", config=config)
    assert (found.vacuous, found.trivial) == ("", "") and {tried.verdict for tried in found.tried} <= {"error", "forbidden"}


class Failing:
    """A Lean that is not there for the checks with `word` in their proof."""

    def __init__(self, lean: Pool, word: str) -> None:
        self._lean, self._word = lean, word

    def submit(self, check: Check, *, retry: bool = True) -> Future[Verdict]:
        if self._word in check.proof:
            raise QueueFull(1, 1)
        return self._lean.submit(check)


@pytest.mark.parametrize(
    ("word", "signature", "lost"),
    [
        ("omega", "(a b : Nat) (h : a ≤ b) : a * a ≤ b * b", NO_VERDICT),
        ("simp_all", "(x : Nat) (h : x < x) : x = 3", "vacuous: contradictory hypotheses"),  # omega shows it
        ("decide", "(a b : Nat) (h : a ≤ b) : a * a ≤ b * b", NO_VERDICT),
        ("linarith", "(a b : Nat) (h : a ≤ b) : a * a ≤ b * b", ""),
    ],
)
def test_what_lean_was_not_there_to_check_does_not_pass(lean: Pool, word: str, signature: str, lost: str) -> None:
    row = Formalization("t", "", "theorem", "", "", 0, "", 1.0, 0, name="t", formal=f"theorem t {signature} := by sorry")
    verifier = Verifier(Failing(lean, word), patience=0.0)
    [found] = asyncio.run(check_rows([row], verifier, CORE))
    assert found.lost == lost


def test_a_tactic_without_a_verdict_is_not_taken_for_an_unknown_one(lean: Pool) -> None:
    with pytest.raises(LeanWorkerError, match=r"whether Lean knows the tactic 'omega' \(unavailable\)"):
        asyncio.run(known_tactics(Verifier(Failing(lean, "omega"), patience=0.0), ("rfl", "omega"), ""))


def test_unknown_tactics_are_told_from_those_that_fail(lean: Pool) -> None:
    wanted = ("omega", "linarith", "rfl", "simp at *", "no_such_tactic")
    assert asyncio.run(known_tactics(Verifier(lean), wanted, "")) == ["omega", "rfl", "simp at *"]
