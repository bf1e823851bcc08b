"""Equations by rewriting: terms, rules, and a faithful model of what Lean's `rw` does to an equation.

A term is a variable (str) or a tuple (operator, *arguments). `rw` looks for the first instance of the rule's left side (the node before
its arguments, left before right, the left side of the goal before the right) and replaces every copy of that instance in the whole goal.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Term = Any
Equation = tuple[Term, Term]


@dataclass(frozen=True)
class Rule:
    """`name : left = right`. Variables of the patterns begin with `?`; `arguments` lists those that the proof writes out."""

    name: str
    left: Term
    right: Term
    arguments: tuple[str, ...] = ()

    def reversed(self) -> "Rule":
        return Rule(f"← {self.name}", self.right, self.left, self.arguments)


def match(pattern: Term, term: Term, bound: dict[str, Term]) -> bool:
    """Extend `bound` so that `pattern` becomes `term`; False where that cannot be."""
    if isinstance(pattern, str):
        if not pattern.startswith("?"):
            return pattern == term
        if pattern in bound:
            return bound[pattern] == term
        bound[pattern] = term
        return True
    if isinstance(term, str) or len(term) != len(pattern) or term[0] != pattern[0]:
        return False
    return all(match(left, right, bound) for left, right in zip(pattern[1:], term[1:]))


def instantiate(pattern: Term, bound: dict[str, Term]) -> Term:
    if isinstance(pattern, str):
        return bound.get(pattern, pattern)
    return (pattern[0], *(instantiate(part, bound) for part in pattern[1:]))


def replace(term: Term, old: Term, new: Term) -> Term:
    """Every copy of `old` in `term`, outermost first, becomes `new`."""
    if term == old:
        return new
    if isinstance(term, str):
        return term
    return (term[0], *(replace(part, old, new) for part in term[1:]))


def subterms(term: Term) -> Iterator[Term]:
    """Every subterm, a node before its arguments."""
    yield term
    if not isinstance(term, str):
        for part in term[1:]:
            yield from subterms(part)


def size(term: Term) -> int:
    return sum(1 for _ in subterms(term))


def rewrite(equation: Equation, rule: Rule, fixed: dict[str, Term]) -> Equation | None:
    """What `rw [rule]` with the arguments `fixed` makes of the equation; None where there is nothing to rewrite."""
    for node in (*subterms(equation[0]), *subterms(equation[1])):
        bound = dict(fixed)
        if match(rule.left, node, bound):
            old, new = instantiate(rule.left, bound), instantiate(rule.right, bound)
            return replace(equation[0], old, new), replace(equation[1], old, new)
    return None


def random_equation(
    rng: random.Random, start: Term, rules: Sequence[Rule], steps: int, show: Callable[[Term, int], str], largest: int = 15
) -> tuple[Equation, list[str]] | None:
    """Rewrite `start` by `steps` random rules; the equation of start and end, and the `rw` items that prove it.

    None where the walk got stuck, where rewriting both sides at once does not close the goal, or where fewer items would.
    """
    end, path, visited = start, [], [start]
    for _ in range(steps):
        moves = []
        for rule in rules:
            for node in subterms(end):
                bound: dict[str, Term] = {}
                if match(rule.left, node, bound):
                    fixed = {name: bound[name] for name in rule.arguments}
                    moved = rewrite((end, end), rule, fixed)
                    if moved and moved[0] not in visited and size(moved[0]) <= largest:
                        moves.append((moved[0], rule, fixed))
        if not moves:
            return None
        end, rule, fixed = rng.choice(moves)
        visited.append(end)
        path.append((rule, fixed))
    equation: Equation = (start, end)
    shorter = (path[:cut] + path[cut + gap :] for gap in (1, 2) for cut in range(steps + 1 - gap))
    if not _closes(equation, path) or any(_closes(equation, some) for some in shorter):
        return None
    return equation, [" ".join([rule.name, *(show(fixed[name], 100) for name in rule.arguments)]) for rule, fixed in path]


def _closes(equation: Equation, path: Sequence[tuple[Rule, dict[str, Term]]]) -> bool:
    """Whether rewriting along `path` makes both sides the same."""
    current: Equation | None = equation
    for rule, fixed in path:
        current = rewrite(current, rule, fixed) if current else None
    return current is not None and current[0] == current[1]
