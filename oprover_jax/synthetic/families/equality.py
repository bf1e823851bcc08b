"""Equality over an arbitrary type: chains, congruence, substitution into predicates, and rewriting by given laws."""

import random

from oprover_jax.synthetic.families.draft import Draft, declare, hypotheses, join
from oprover_jax.synthetic.families.rewriting import Rule, Term, random_equation
from oprover_jax.synthetic.families.terms import leaves, show

_LETTERS = ("abcdeuvw", "xyzwuvst")


def _links(rng: random.Random, chain: list[str]) -> tuple[list[str], list[bool]]:
    ways = [rng.random() < 0.55 for _ in chain[1:]]
    return [f"{a} = {b}" if way else f"{b} = {a}" for a, b, way in zip(chain, chain[1:], ways)], ways


def _items(names: list[str], ways: list[bool]) -> str:
    return ", ".join(name if way else f"← {name}" for name, way in zip(names, ways))


def _wrap(rng: random.Random, depth: int) -> list[str]:
    return [rng.choice("fg") for _ in range(depth)]


def _applied(functions: list[str], argument: str) -> str:
    term: Term = argument
    for function in reversed(functions):
        term = (function, term)
    return show(term)


def eq_chain(rng: random.Random, difficulty: int) -> Draft:
    """Follow a chain of equations given in either direction, sometimes under functions."""
    letters = list(rng.choice(_LETTERS)[: difficulty + 1])
    rng.shuffle(letters)
    facts, ways = _links(rng, letters)
    binders, names = hypotheses(facts, rng)
    functions = _wrap(rng, rng.choice((0, 0, 1, 2)))
    goal = f"{_applied(functions, letters[0])} = {_applied(functions, letters[-1])}"
    head = join("(α : Type)", declare(sorted(letters), "α"), declare(sorted(set(functions)), "α → α"), binders)
    return Draft(head, goal, (f"rw [{_items(names, ways)}]",))


def eq_predicate(rng: random.Random, difficulty: int) -> Draft:
    """Carry a fact over from equals to equals."""
    count = max(1, (difficulty + 1) // 2)
    letters = list(rng.choice(_LETTERS)[: count + 2])
    rng.shuffle(letters)
    binary, extra = rng.random() < 0.4, letters.pop()
    facts, ways = _links(rng, letters)
    functions = _wrap(rng, difficulty // 2)

    def fact(letter: str) -> str:
        inner = _applied(functions, letter)
        inner = f"({inner})" if " " in inner else inner
        return f"R {extra} {inner}" if binary else f"P {inner}"

    source, goal = fact(letters[0]), fact(letters[-1])
    binders, names = hypotheses([*facts, source], rng)
    head = join(
        "(α : Type)",
        declare(sorted([*letters, *([extra] if binary else [])]), "α"),
        declare(sorted(set(functions)), "α → α"),
        "(R : α → α → Prop)" if binary else "(P : α → Prop)",
        binders,
    )
    if binary or rng.random() < 0.5:
        back = ", ".join(f"← {name}" if way else name for name, way in reversed(list(zip(names[:-1], ways))))
        return Draft(head, goal, (f"rw [{back}]", f"exact {names[-1]}"))
    return Draft(head, goal, (f"rw [{_items(names[:-1], ways)}] at {names[-1]}", f"exact {names[-1]}"))


_LAWS: tuple[tuple[str, Term, Term], ...] = (
    ("∀ x, f (g x) = x", ("f", ("g", "?x")), "?x"),
    ("∀ x, f (f x) = f x", ("f", ("f", "?x")), ("f", "?x")),
    ("∀ x, f (g x) = g (f x)", ("f", ("g", "?x")), ("g", ("f", "?x"))),
    ("∀ x, g (g x) = x", ("g", ("g", "?x")), "?x"),
    ("∀ x, f (k x) = g x", ("f", ("k", "?x")), ("g", "?x")),
    ("∀ x, k (f x) = k x", ("k", ("f", "?x")), ("k", "?x")),
)


def eq_laws(rng: random.Random, difficulty: int) -> Draft:
    """Rewrite nested applications by universal equations that are given."""
    while True:
        chosen = rng.sample(_LAWS, 1 if difficulty == 1 else rng.randint(1, min(3, difficulty)))
        facts = [law[0] for law in chosen]
        binders, names = hypotheses(facts, rng)
        rules = [Rule(name, left, right) for name, (_, left, right) in zip(names, chosen)]
        functions = sorted({symbol for law in chosen for symbol in "fgk" if f"{symbol} " in law[0]})
        start: Term = rng.choice("abc")
        for _ in range(difficulty + rng.randint(1, 2)):
            start = (rng.choice(functions), start)
        made = random_equation(rng, start, rules, difficulty, show)
        if made is None:
            continue
        (left, right), items = made
        constants = sorted(set(leaves(left)))
        head = join("(α : Type)", declare(constants, "α"), declare(functions, "α → α"), binders)
        return Draft(head, f"{show(left)} = {show(right)}", (f"rw [{', '.join(items)}]",))
