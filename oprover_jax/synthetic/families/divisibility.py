"""Divisibility of natural numbers: chains, sums and multiples."""

import random
from collections.abc import Callable

from oprover_jax.synthetic.families.draft import Draft, declare, hypotheses, join, parenthesise


def divisibility(rng: random.Random, difficulty: int) -> Draft:
    """`a ∣ e` for a growing expression e, from chains of given divisors."""
    letters = list(rng.choice(("abcdefgi", "mnkijluv")))
    rng.shuffle(letters)
    spare = iter(letters)
    divisor = next(spare)
    facts: list[str] = []

    def chain(length: int) -> tuple[str, str]:
        term, here = "", divisor
        steps = []
        for _ in range(length):
            there = next(spare)
            facts.append(f"{here} ∣ {there}")
            steps.append(f"⟦{len(facts) - 1}⟧")
            here = there
        term = steps[-1]
        for step in reversed(steps[:-1]):
            term = f"Nat.dvd_trans {step} {parenthesise(term)}"
        return here, term

    def right(target: str, term: str) -> tuple[str, str]:
        other = next(spare)
        return f"{target} * {other}", f"Nat.dvd_trans {parenthesise(term)} (Nat.dvd_mul_right {target} {other})"

    def left(target: str, term: str) -> tuple[str, str]:
        other = next(spare)
        return f"{other} * {target}", f"Nat.dvd_trans {parenthesise(term)} (Nat.dvd_mul_left {target} {other})"

    def add(target: str, term: str) -> tuple[str, str]:
        more, second = chain(1)
        return f"{target} + {more}", f"Nat.dvd_add {parenthesise(term)} {parenthesise(second)}"

    moves: list[Callable[[str, str], tuple[str, str]]] = [right, left, add]
    target, term = chain(min(1 + difficulty // 2, 3))
    if difficulty > 1 or rng.random() < 0.7:
        target, term = rng.choice(moves)(target, term)
    if difficulty >= 4:
        target, term = add(target, term)
    binders, names = hypotheses(facts, rng)
    for index, name in enumerate(names):
        term = term.replace(f"⟦{index}⟧", name)
    used = sorted({letter for letter in letters if any(letter in fact for fact in [*facts, target])})
    return Draft(join(declare(used, "Nat"), binders), f"{divisor} ∣ {target}", (f"exact {term}",))
