"""Propositional logic: one family for each connective, and one for all of them together."""

import random
from collections.abc import Mapping

from oprover_jax.synthetic.families import formula as fm
from oprover_jax.synthetic.families.deduction import Deduction, finish
from oprover_jax.synthetic.families.draft import Draft

LETTERS = "pqrstuvwxyzabcde"
_ATOM = {"atom": 1.0}


def _draft(rng: random.Random, steps: Mapping[str, float], shapes: Mapping[str, float], goal: str, budget: int) -> Draft:
    proof = Deduction(rng, steps, shapes)
    first = proof.fresh()
    formula = {
        "atom": lambda: first,
        "and": lambda: fm.conj(first, proof.fresh()),
        "or": lambda: fm.disj(first, proof.fresh()),
        "imp": lambda: fm.implies(first, proof.fresh()),
        "not": lambda: fm.negate(first),
    }[goal]()
    return finish(proof, formula, proof.prove(formula, budget), letters=LETTERS, kind="Prop")


def implication(rng: random.Random, difficulty: int) -> Draft:
    """Chains of implications, premises in any order, some with two premises."""
    goal = rng.choice(("atom", "imp")) if difficulty > 1 else "atom"
    return _draft(rng, {"apply": 4.0, "apply2": 1.0}, _ATOM, goal, difficulty)


def conjunction(rng: random.Random, difficulty: int) -> Draft:
    """Taking conjunctions apart and putting them together."""
    goal = rng.choice(("atom", "and", "and")) if difficulty > 1 else rng.choice(("atom", "and"))
    return _draft(rng, {"project": 3.0, "apply": 1.0}, {"atom": 1.0, "and": 2.0}, goal, difficulty + (goal == "and"))


def disjunction(rng: random.Random, difficulty: int) -> Draft:
    """Injections and case distinctions."""
    goal = rng.choice(("or", "or", "atom"))
    return _draft(rng, {"cases": 3.0, "apply": 2.0}, {"atom": 3.0, "or": 1.0}, goal, difficulty + (goal == "or" and difficulty > 1))


def negation(rng: random.Random, difficulty: int) -> Draft:
    """Refutations, and anything from a contradiction."""
    goal = rng.choice(("not", "not", "atom"))
    steps = {"absurd": 2.0, "apply": 2.0} if goal == "atom" else {"apply": 3.0, "project": 1.0}
    return _draft(rng, steps, {"atom": 3.0, "not": 1.0}, goal, difficulty + (goal == "not"))


def deduction(rng: random.Random, difficulty: int) -> Draft:
    """All connectives together."""
    steps = {"apply": 3.0, "apply2": 1.0, "project": 2.0, "cases": 1.5, "iff": 1.5, "absurd": 0.7}
    goal = rng.choice(("atom", "and", "or", "imp", "not"))
    return _draft(rng, steps, {"atom": 4.0, "and": 1.0, "or": 1.0, "imp": 1.0}, goal, difficulty + 1)
