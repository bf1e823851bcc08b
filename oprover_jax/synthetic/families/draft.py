"""What a theorem family returns, and the one way in which statements and proofs are laid out."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Draft:
    """A nameless theorem with a proof by construction: `binders` and `goal` as Lean source, `tactics` one line each, unindented."""

    binders: str
    goal: str
    tactics: tuple[str, ...]

    @property
    def proof(self) -> str:
        """The proof as Lean source: `by`, then one tactic a line, indented by two spaces."""
        return "\n".join(["by", *(f"  {line}" for line in self.tactics)])

    def statement(self, name: str) -> str:
        """The whole declaration, ending in `:= by sorry`."""
        return f"theorem {name} {self.binders} : {self.goal} := by sorry" if self.binders else f"theorem {name} : {self.goal} := by sorry"


Family = Callable[[random.Random, int], Draft]


def declare(names: Sequence[str], kind: str) -> str:
    """`(p q : Prop)`, or nothing where there is no name."""
    return f"({' '.join(names)} : {kind})" if names else ""


def hypotheses(statements: Sequence[str], rng: random.Random) -> tuple[str, list[str]]:
    """Binders `(h1 : ..) (h2 : ..)` in random order, and the name that each statement got (`h` where there is only one)."""
    order = list(range(len(statements)))
    rng.shuffle(order)
    names = [""] * len(statements)
    for position, index in enumerate(order, start=1):
        names[index] = f"h{position}"
    return " ".join(f"({names[index]} : {statements[index]})" for index in order), names


def join(*parts: str) -> str:
    """Binder groups separated by one space, empty ones left out."""
    return " ".join(part for part in parts if part)


def parenthesise(text: str) -> str:
    """`text` as an argument: in parentheses where it has a space outside all brackets."""
    depth = 0
    for character in text:
        depth += (character in "(⟨[") - (character in ")⟩]")
        if character == " " and depth == 0:
            return f"({text})"
    return text
