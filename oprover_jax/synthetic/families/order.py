"""The order of the natural numbers: chains, monotonicity of sums and products, and impossible orders."""

import itertools
import random
from collections.abc import Sequence

from oprover_jax.synthetic.families.draft import Draft, declare, hypotheses, join, parenthesise

_LETTERS = ("abcdefgi", "mnkijluv", "xyzwuvst")
_TRANS = {("≤", "≤"): "Nat.le_trans", ("<", "<"): "Nat.lt_trans", ("<", "≤"): "Nat.lt_of_lt_of_le", ("≤", "<"): "Nat.lt_of_le_of_lt"}


def _compose(signs: Sequence[str], names: Sequence[str]) -> tuple[str, str]:
    """Sign and proof term of a chain, grouped to the right."""
    sign, term = signs[-1], names[-1]
    for left, name in zip(reversed(signs[:-1]), reversed(names[:-1])):
        term = f"{_TRANS[left, sign]} {name} {parenthesise(term)}"
        sign = "<" if "<" in (left, sign) else "≤"
    return sign, term


def order_chain(rng: random.Random, difficulty: int) -> Draft:
    """Transitivity along a chain of `≤` and `<`."""
    letters = list(rng.choice(_LETTERS)[: difficulty + 1])
    rng.shuffle(letters)
    signs = [rng.choice("≤≤<") for _ in range(difficulty)]
    binders, names = hypotheses([f"{a} {s} {b}" for a, s, b in zip(letters, signs, letters[1:])], rng)
    sign, term = _compose(signs, names)
    if sign == "<" and (rng.random() < 0.3 or difficulty == 1):
        sign, term = "≤", f"Nat.le_of_lt {parenthesise(term)}"
    elif difficulty == 1:
        sign, term = rng.choice((("≤", f"Nat.le_trans {term} (Nat.le_succ {letters[1]})"), ("<", f"Nat.succ_le_succ {term}")))
        return Draft(join(declare(sorted(letters), "Nat"), binders), f"{letters[0]} {sign} {letters[1]} + 1", (f"exact {term}",))
    return Draft(join(declare(sorted(letters), "Nat"), binders), f"{letters[0]} {sign} {letters[-1]}", (f"exact {term}",))


def order_weaken(rng: random.Random, difficulty: int) -> Draft:
    """Bounds that stay true when something is added on the right."""
    letters = list(rng.choice(_LETTERS)[: difficulty + 2])
    rng.shuffle(letters)
    links = difficulty
    chain, added = letters[: links + 1], letters[links + 1]
    signs = [rng.choice("≤≤<") for _ in range(links)]
    binders, names = hypotheses([f"{a} {s} {b}" for a, s, b in zip(chain, signs, chain[1:])], rng)
    end = chain[-1]
    right = (f"{end} + {added}", f"(Nat.le_add_right {end} {added})")
    left = (f"{added} + {end}", f"(Nat.le_add_left {end} {added})")
    total, bound = rng.choice((right, left))
    sign, term = _compose([*signs, "≤"], [*names, bound])
    return Draft(join(declare(sorted([*chain, added]), "Nat"), binders), f"{chain[0]} {sign} {total}", (f"exact {term}",))


def order_monotone(rng: random.Random, difficulty: int) -> Draft:
    """Sums and products of bounded numbers are bounded."""
    letters = list(rng.choice(_LETTERS))
    rng.shuffle(letters)
    spare = iter(letters)
    facts: list[str] = []

    def leaf() -> tuple[str, str, str]:
        low, high = next(spare), next(spare)
        facts.append(f"{low} ≤ {high}")
        return low, high, f"⟦{len(facts) - 1}⟧"

    def grow(steps: int) -> tuple[str, str, str]:
        if steps <= 0:
            return leaf()
        way = rng.choice(("right", "left", "times", "successor", *(("both",) if steps > 1 and len(facts) < 2 else ())))
        if way == "both":
            low, high, term = grow(steps - 2)
            low2, high2, term2 = leaf()
            return f"({low} + {low2})", f"({high} + {high2})", f"(Nat.add_le_add {term} {term2})"
        low, high, term = grow(steps - 1)
        if way == "successor":
            return f"({low} + 1)", f"({high} + 1)", f"(Nat.succ_le_succ {term})"
        other = next(spare)
        if way == "right":
            return f"({low} + {other})", f"({high} + {other})", f"(Nat.add_le_add_right {term} {other})"
        if way == "left":
            return f"({other} + {low})", f"({other} + {high})", f"(Nat.add_le_add_left {term} {other})"
        return f"({other} * {low})", f"({other} * {high})", f"(Nat.mul_le_mul_left {other} {term})"

    low, high, term = grow(min(difficulty, 4))
    binders, names = hypotheses(facts, rng)
    for index, name in enumerate(names):
        term = term.replace(f"⟦{index}⟧", name)
    used = sorted({letter for letter in letters if letter in low + high})
    goal = f"{_strip(low)} ≤ {_strip(high)}"
    head = join(declare(used, "Nat"), binders)
    if difficulty >= 5:
        top = next(letter for letter in letters if letter not in used)
        head = join(declare(sorted([*used, top]), "Nat"), binders, f"(h : {_strip(high)} ≤ {top})")
        goal, term = f"{_strip(low)} ≤ {top}", f"(Nat.le_trans {term} h)"
    return Draft(head, goal, (f"exact {_strip(term)}",))


def _strip(text: str) -> str:
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text


def order_absurd(rng: random.Random, difficulty: int) -> Draft:
    """A cycle with a strict step is impossible; two opposite bounds are an equation."""
    letters = list(rng.choice(_LETTERS)[: difficulty + 1])
    rng.shuffle(letters)
    cycle = [*letters, letters[0]]
    declared = declare(sorted(letters), "Nat")
    if rng.random() < 0.4:
        cut = rng.randrange(1, len(letters))
        binders, names = hypotheses([f"{a} ≤ {b}" for a, b in itertools.pairwise(cycle)], rng)
        there, back = _compose(["≤"] * cut, names[:cut])[1], _compose(["≤"] * (len(names) - cut), names[cut:])[1]
        goal = f"{letters[0]} = {letters[cut]}"
        return Draft(join(declared, binders), goal, (f"exact Nat.le_antisymm {parenthesise(there)} {parenthesise(back)}",))
    strict = rng.randrange(len(letters))
    signs = ["<" if index == strict or rng.random() < 0.2 else "≤" for index in range(len(letters))]
    facts = [f"{a} {s} {b}" for a, s, b in zip(cycle, signs, cycle[1:])]

    def build(names: list[str]) -> str:
        return f"exact Nat.lt_irrefl {letters[0]} {parenthesise(_compose(signs, names)[1])}"

    if rng.random() < 0.5:
        binders, names = hypotheses(facts, rng)
        return Draft(join(declared, binders), "False", (build(names),))
    binders, names = hypotheses(facts[:-1], rng)
    return Draft(join(declared, binders), f"¬({facts[-1]})", ("intro h", build([*names, "h"])))
