"""Random natural deduction: build a provable statement together with its proof, from the goal upwards.

A proof of the goal is grown by random steps; where it needs a fact that nobody has, the fact is *planted* as a hypothesis of the
theorem. So every statement is provable by construction and the number of steps is its difficulty. Atoms of planted facts are fresh,
so that no hypothesis proves the goal by accident.
"""

import random
import re
from collections.abc import Mapping, Sequence

from oprover_jax.synthetic.families import formula as fm
from oprover_jax.synthetic.families.draft import Draft, declare, join, parenthesise
from oprover_jax.synthetic.families.formula import Formula

Local = tuple[str, Formula]
_MARK = re.compile(r"⟦(\d+)⟧")
_TERM_STEPS = ("apply", "apply2", "project", "iff")


def as_term(lines: Sequence[str]) -> str | None:
    """The proof term where the script is one `exact`, else None."""
    return lines[0].removeprefix("exact ") if len(lines) == 1 and lines[0].startswith("exact ") else None


class Deduction:
    """One growing proof. `steps` weighs the elimination steps, `shapes` the shapes of fresh formulas.

    With an `individual`, atoms are predicates of it; where it is `generic` (introduced, not given), facts are planted for all.
    """

    def __init__(self, rng: random.Random, steps: Mapping[str, float], shapes: Mapping[str, float], individual: str = ""):
        self.rng = rng
        self.steps = steps
        self.shapes = shapes
        self.individual = individual
        self.generic = False
        self.planted: dict[int, Formula] = {}
        self._marks = 0
        self._atoms = 0

    def mark(self) -> str:
        """A placeholder for a hypothesis name; real names are given in `finish`."""
        self._marks += 1
        return f"⟦{self._marks}⟧"

    def fresh(self) -> Formula:
        """A new proposition, or a new predicate of the individual."""
        self._atoms += 1
        name = f"#{self._atoms}"
        return fm.predicate(name, self.individual) if self.individual else fm.atom(name)

    def shape(self) -> Formula:
        """A fresh formula: mostly an atom."""
        kind = self._draw(self.shapes)
        if kind == "atom":
            return self.fresh()
        if kind == "not":
            return fm.negate(self.fresh())
        return (kind, self.fresh(), self.fresh())

    def plant(self, formula: Formula) -> str:
        """Assume `formula`, for all individuals where it speaks of the current one; the term that proves it here."""
        name = self.mark()
        general = self.individual and fm.mentions(formula, self.individual) and (self.generic or formula[0] == "imp")
        self.planted[int(name[1:-1])] = fm.forall("x", fm.substitute(formula, self.individual, "x")) if general else formula
        return f"{name} {self.individual}" if general else name

    def prove(self, goal: Formula, budget: int, local: Sequence[Local] = ()) -> list[str]:
        """A script for `goal`, by introduction where it is compound."""
        kind = goal[0]
        if kind == "and":
            left, right = self._split(budget - 1)
            return self._pair(self.prove(goal[1], left, local), self.prove(goal[2], right, local))
        if kind == "or":
            if budget > 1 and self.rng.random() < 0.6 and "cases" in self.steps:
                return self._cases(goal, budget - 1, local)
            side = self.rng.randrange(2)
            return self._inject(side, self.prove(goal[1 + side], budget - 1, local))
        if kind == "imp":
            name = self.mark()
            return [f"intro {name}", *self.prove(goal[2], budget - 1, [*local, (name, goal[1])])]
        if kind == "not":
            name = self.mark()
            return [f"intro {name}", *self._refute(budget - 1, [*local, (name, goal[1])])]
        return self._atomic(goal, budget, local)

    def _atomic(self, goal: Formula, budget: int, local: Sequence[Local], terms_only: bool = False) -> list[str]:
        if budget <= 0:
            return [f"exact {self._leaf(goal, local)}"]
        allowed = {step: weight for step, weight in self.steps.items() if not terms_only or step in _TERM_STEPS} or {"apply": 1.0}
        step = self._draw(allowed)
        if step == "cases":
            return self._cases(goal, budget - 1, local)
        if step == "project":
            side, other = self.rng.randrange(2), self.fresh()
            pair = fm.conj(goal, other) if side == 0 else fm.conj(other, goal)
            (line,) = self._atomic(pair, budget - 1, local, terms_only=True)
            return [f"exact {parenthesise(line.removeprefix('exact '))}.{side + 1}"]
        if step == "absurd":
            target = self.fresh()
            name = self.plant(fm.negate(target))
            (line,) = self._atomic(target, budget - 1, local, terms_only=True)
            return [f"exact absurd {parenthesise(line.removeprefix('exact '))} {parenthesise(name)}"]
        if step == "iff":
            other, direction = self.fresh(), self.rng.choice(("mp", "mpr"))
            name = self.plant(fm.equivalent(other, goal) if direction == "mp" else fm.equivalent(goal, other))
            return self._use(f"{parenthesise(name)}.{direction}", [self._argument(other, budget - 1, local, terms_only)])
        if step == "apply2" and budget > 1:
            first, second = self.fresh(), self.fresh()
            name = self.plant(fm.implies(first, fm.implies(second, goal)))
            budgets = self._split(budget - 1)
            arguments = [self._argument(part, share, local, terms_only) for part, share in zip((first, second), budgets)]
            return self._use(name, arguments)
        premise = self.fresh() if terms_only else self.shape()
        name = self.plant(fm.implies(premise, goal))
        return self._use(name, [self._argument(premise, budget - 1, local, terms_only)])

    def _argument(self, goal: Formula, budget: int, local: Sequence[Local], terms_only: bool) -> list[str]:
        return self._atomic(goal, budget, local, terms_only) if terms_only else self.prove(goal, budget, local)

    def _leaf(self, goal: Formula, local: Sequence[Local]) -> str:
        for name, known in local:
            if known == goal:
                return name
            if known[0] == "and" and goal in known[1:]:
                return f"{name}.{known.index(goal)}"
        if local:
            name, known = local[-1]
            return f"{self.plant(fm.implies(known, goal))} {name}"
        return self.plant(goal)

    def _refute(self, budget: int, local: Sequence[Local]) -> list[str]:
        target = self.fresh()
        name = self.plant(fm.negate(target))
        return self._use(name, [self._atomic(target, budget - 1, local)])

    def _cases(self, goal: Formula, budget: int, local: Sequence[Local]) -> list[str]:
        sides = [self.fresh(), self.fresh()]
        if goal[0] == "or":
            goals = [goal[1], goal[2]] if self.rng.random() < 0.5 else [goal[2], goal[1]]
            if self.rng.random() < 0.6:
                keep = self.rng.randrange(2)
                sides[keep] = goals[keep]
        else:
            goals = [goal, goal]
            if self.rng.random() < 0.6:
                sides[self.rng.randrange(2)] = goal
        name = self.plant(fm.disj(*sides))
        lines = [f"cases {name} with"]
        for constructor, side, target, share in zip(("inl", "inr"), sides, goals, self._split(budget)):
            here = self.mark()
            branch = [f"exact {here}"] if side == target else self._atomic(target, share, [(here, side)])
            if goal[0] == "or":
                branch = self._inject(0 if target == goal[1] else 1, branch)
            lines += _branch(f"| {constructor} {here} =>", branch)
        return lines

    def _pair(self, first: list[str], second: list[str]) -> list[str]:
        left, right = as_term(first), as_term(second)
        if left is not None and right is not None:
            return [f"exact ⟨{left}, {right}⟩"]
        return ["constructor", *_bullet(first), *_bullet(second)]

    def _inject(self, side: int, lines: list[str]) -> list[str]:
        term = as_term(lines)
        if term is None:
            return ["left" if side == 0 else "right", *lines]
        return [f"exact Or.in{'lr'[side]} {parenthesise(term)}"]

    def _use(self, function: str, arguments: list[list[str]]) -> list[str]:
        terms = [as_term(argument) for argument in arguments]
        if all(term is not None for term in terms):
            return [f"exact {' '.join([function, *(parenthesise(term or '') for term in terms)])}"]
        if len(arguments) == 1:
            return [f"apply {function}", *arguments[0]]
        return [f"apply {function}", *(line for argument in arguments for line in _bullet(argument))]

    def _split(self, budget: int) -> tuple[int, int]:
        left = self.rng.randint(0, max(budget, 0))
        return left, max(budget, 0) - left

    def _draw(self, weights: Mapping[str, float]) -> str:
        return self.rng.choices(list(weights), list(weights.values()))[0]


def finish(
    proof: Deduction, goal: Formula, lines: Sequence[str], *, declared: Sequence[str] = (), letters: str, kind: str, curried: float = 0.3
) -> Draft:
    """The draft: planted facts become named hypotheses in random order, some of them (with chance `curried`) premises of the goal.

    `letters` name the propositions or predicates of type `kind`; `declared` are binder groups that stand before them.
    """
    rng = proof.rng
    order = list(proof.planted)
    rng.shuffle(order)
    moved = rng.randint(1, len(order)) if order and rng.random() < curried else 0
    bound, premises = order[: len(order) - moved], order[len(order) - moved :]
    statement = goal
    for mark in reversed(premises):
        statement = fm.implies(proof.planted[mark], statement)
    used = sorted(set().union(fm.names(statement), *(fm.names(proof.planted[mark]) for mark in bound)))
    shuffled = list(letters[: len(used)])
    rng.shuffle(shuffled)
    table = dict(zip(used, shuffled))
    script = list(lines)
    if premises:
        script.insert(0, "intro " + " ".join(f"⟦{mark}⟧" for mark in premises))
        if len(script) > 1 and script[1].startswith("intro "):
            script[0:2] = [f"{script[0]} {script[1].removeprefix('intro ')}"]
    text = "\n".join(script)
    numbered = list(dict.fromkeys([*bound, *premises, *(int(mark) for mark in _MARK.findall(text))]))
    names = {mark: f"h{position}" for position, mark in enumerate(numbered, start=1)}
    hypotheses = " ".join(f"({names[mark]} : {fm.source(fm.rename(proof.planted[mark], table))})" for mark in bound)
    text = _MARK.sub(lambda found: names[int(found[1])], text)
    binders = join(*declared, declare(sorted(shuffled), kind), hypotheses)
    return Draft(binders, fm.source(fm.rename(statement, table)), tuple(text.split("\n")))


def _bullet(lines: Sequence[str]) -> list[str]:
    return [f"· {lines[0]}", *(f"  {line}" for line in lines[1:])]


def _branch(head: str, lines: Sequence[str]) -> list[str]:
    return [f"{head} {lines[0]}"] if len(lines) == 1 else [head, *(f"  {line}" for line in lines)]
