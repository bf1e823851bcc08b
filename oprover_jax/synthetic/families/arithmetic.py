"""Natural number algebra: sums and products by rewriting with the laws of a commutative semiring."""

import random
from collections.abc import Sequence

from oprover_jax.synthetic.families.draft import Draft, declare, hypotheses, join
from oprover_jax.synthetic.families.rewriting import Rule, Term, random_equation, replace
from oprover_jax.synthetic.families.terms import leaves as leaves_of
from oprover_jax.synthetic.families.terms import show

_LETTERS = ("abcdefgh", "mnkijluv", "xyzwuvts")

ADD = (
    Rule("Nat.add_comm", ("+", "?a", "?b"), ("+", "?b", "?a"), ("?a", "?b")),
    Rule("Nat.add_assoc", ("+", ("+", "?a", "?b"), "?c"), ("+", "?a", ("+", "?b", "?c"))),
    Rule("Nat.add_assoc", ("+", ("+", "?a", "?b"), "?c"), ("+", "?a", ("+", "?b", "?c"))).reversed(),
)
SWAP = (
    Rule("Nat.add_left_comm", ("+", "?a", ("+", "?b", "?c")), ("+", "?b", ("+", "?a", "?c"))),
    Rule("Nat.add_right_comm", ("+", ("+", "?a", "?b"), "?c"), ("+", ("+", "?a", "?c"), "?b")),
)
MULTIPLY = (
    Rule("Nat.mul_comm", ("*", "?a", "?b"), ("*", "?b", "?a"), ("?a", "?b")),
    Rule("Nat.mul_assoc", ("*", ("*", "?a", "?b"), "?c"), ("*", "?a", ("*", "?b", "?c"))),
    Rule("Nat.mul_assoc", ("*", ("*", "?a", "?b"), "?c"), ("*", "?a", ("*", "?b", "?c"))).reversed(),
)
DISTRIBUTE = (
    Rule("Nat.mul_add", ("*", "?a", ("+", "?b", "?c")), ("+", ("*", "?a", "?b"), ("*", "?a", "?c"))),
    Rule("Nat.add_mul", ("*", ("+", "?a", "?b"), "?c"), ("+", ("*", "?a", "?c"), ("*", "?b", "?c"))),
)
NEUTRAL = (
    Rule("Nat.add_zero", ("+", "?a", "0"), "?a"),
    Rule("Nat.zero_add", ("+", "0", "?a"), "?a"),
    Rule("Nat.mul_one", ("*", "?a", "1"), "?a"),
    Rule("Nat.one_mul", ("*", "1", "?a"), "?a"),
    Rule("Nat.mul_zero", ("*", "?a", "0"), "0"),
    Rule("Nat.zero_mul", ("*", "0", "?a"), "0"),
)


def random_tree(rng: random.Random, leaves: Sequence[str], operators: str) -> Term:
    """A binary term with the given leaves in order."""
    if len(leaves) == 1:
        return leaves[0]
    cut = rng.randrange(1, len(leaves))
    return (rng.choice(operators), random_tree(rng, leaves[:cut], operators), random_tree(rng, leaves[cut:], operators))


def _variables(*terms: Term) -> list[str]:
    return sorted({leaf for leaf in leaves_of(*terms) if leaf.isalpha()})


def _rewritten(rng: random.Random, difficulty: int, operators: str, rules: Sequence[Rule], extra: Sequence[str] = ()) -> Draft:
    while True:
        letters = rng.choice(_LETTERS)
        count = rng.randint(2, 3) if difficulty <= 2 else rng.randint(3, 4)
        leaves = [*rng.sample(letters[: count + 1], count), *rng.sample(list(extra), min(len(extra), 1))]
        rng.shuffle(leaves)
        made = random_equation(rng, random_tree(rng, leaves, operators), rules, difficulty, show)
        if made is None:
            continue
        (left, right), items = made
        goal = f"{show(left)} = {show(right)}"
        return Draft(declare(_variables(left, right), "Nat"), goal, (f"rw [{', '.join(items)}]",))


def nat_sum(rng: random.Random, difficulty: int) -> Draft:
    """Reorder and regroup a sum."""
    return _rewritten(rng, difficulty, "+", ADD if rng.random() < 0.6 else (*ADD, *SWAP))


def nat_product(rng: random.Random, difficulty: int) -> Draft:
    """Reorder and regroup a product."""
    return _rewritten(rng, difficulty, "*", MULTIPLY)


def nat_ring(rng: random.Random, difficulty: int) -> Draft:
    """Multiply out, with reordering."""
    return _rewritten(rng, difficulty, "+*", (*DISTRIBUTE, *DISTRIBUTE, ADD[0], MULTIPLY[0], ADD[1]))


def nat_neutral(rng: random.Random, difficulty: int) -> Draft:
    """Zeros and ones that disappear, with reordering."""
    return _rewritten(rng, difficulty, "+*", (*NEUTRAL, *NEUTRAL, ADD[0], MULTIPLY[0]), extra=("0", "1"))


def nat_given(rng: random.Random, difficulty: int) -> Draft:
    """Use given equations between numbers inside sums."""
    while True:
        letters = rng.choice(_LETTERS)
        count = 1 + difficulty // 4
        names = rng.sample(letters, 2 * count + 2)
        facts = {name: random_tree(rng, names[count + i : count + i + 2], "+") for i, name in enumerate(names[:count])}
        leaves = [*names[:count], *rng.sample(names[2 * count :], 1)]
        rng.shuffle(leaves)
        start = random_tree(rng, leaves, "+")
        middle = start
        for name, value in facts.items():
            middle = replace(middle, name, value)
        rest = difficulty - count
        made = random_equation(rng, middle, ADD, rest, show) if rest else ((middle, middle), [])
        if made is None or any(name in _variables(made[0][1]) for name in facts):
            continue
        end, items = made[0][1], made[1]
        binders, given = hypotheses([f"{name} = {show(value)}" for name, value in facts.items()], rng)
        declared = declare(_variables(start, end, *facts.values()), "Nat")
        return Draft(join(declared, binders), f"{show(start)} = {show(end)}", (f"rw [{', '.join([*given, *items])}]",))
