"""Disguises under which a statement must still be recognised: other name, layout, comments, spelling and variables, and other shapes."""

import random
import re
from dataclasses import dataclass
from itertools import pairwise

_BOUND = re.compile(r"[({](\w+(?: \w+)*) :|[∀∃] (\w+(?: \w+)*)[,:]")
_TOKENS = re.compile(r"[^\W\d][\w'.₁₂]*|\d+|\S")
_ASCII = {"→": "->", "∧": "/\\", "∨": "\\/", "↔": "<->", "≤": "<="}


def bound_names(formal: str) -> set[str]:
    """The names that the binders of a family's statement introduce."""
    return {name for found in _BOUND.finditer(formal) for name in (found[1] or found[2]).split()}


def disguise(formal: str, seed: int) -> str:
    """`formal` with every bound name replaced by a fresh one, another theorem name, comments and line breaks between tokens."""
    rng = random.Random(seed)
    table = {name: f"v{index}_{rng.randrange(100)}" for index, name in enumerate(sorted(bound_names(formal)))}
    words = _TOKENS.findall(formal)
    words[1] = f"other_{rng.randrange(1000)}"
    out = [words[0], " ", words[1]]
    for previous, word in pairwise(words[1:]):
        head, dot, rest = word.partition(".")
        word = f"{table.get(head, head)}{dot}{rest}"
        glued = previous + word in ("++", "::", ":=", "=>") or previous == "." or word == "."
        out += ["" if glued else rng.choice((" ", "\n  ", " /- a /- nested -/ remark -/ ", " -- aside := by sorry\n")), word]
    text = "".join(out)
    if rng.random() < 0.5:
        for symbol, spelling in _ASCII.items():
            text = text.replace(symbol, spelling)
    return text.removesuffix("sorry").rstrip().removesuffix("by") + "sorry" if rng.random() < 0.3 and text.endswith(" sorry") else text


@dataclass(frozen=True)
class Theorem:
    """A theorem by its parts, to be written down in many shapes. Hypotheses use the variables by name."""

    variables: tuple[tuple[str, str], ...]
    hypotheses: tuple[str, ...]
    goal: str

    def written(self) -> str:
        """The plain shape: all binders first."""
        binders = [f"({name} : {kind})" for name, kind in self.variables] + [f"(h{i} : {text})" for i, text in enumerate(self.hypotheses)]
        return f"theorem plain {' '.join(binders)} : {self.goal} := by sorry"


def random_theorem(seed: int) -> Theorem:
    """Some inequalities between sums of products that follow from others; long enough that no two are alike by chance."""
    rng = random.Random(seed)
    names = rng.sample("abcxyz", rng.randint(2, 4))

    def term() -> str:
        return " + ".join(f"{rng.randint(2, 999)} * {rng.choice(names)} ^ {rng.randint(2, 9)}" for _ in range(rng.randint(1, 3)))

    facts = [f"{term()} {rng.choice('<≤=≠')} {term()}" for _ in range(rng.randint(1, 4))]
    return Theorem(tuple((name, rng.choice(("ℕ", "ℝ"))) for name in names), tuple(facts), f"{term()} ≤ {term()}")


def reshape(theorem: Theorem, seed: int) -> str:
    """`theorem` with other names, hypotheses as binders, antecedents or a conjunction, in another order, `∀`, flipped, commented."""
    rng = random.Random(seed)
    table = {name: f"{rng.choice('uvw')}{index}" for index, (name, _) in enumerate(theorem.variables)}

    def said(text: str) -> str:
        text = re.sub(r"[a-z]", lambda found: table.get(found[0], found[0]), text)
        left, _, right = text.partition(" ≤ ")
        text = f"{right} ≥ {left}" if right and rng.random() < 0.5 else text
        return f"({text})" if rng.random() < 0.3 else text

    def typed(kind: str) -> str:
        return {"ℕ": "Nat", "ℝ": "Real"}[kind] if rng.random() < 0.5 else kind

    variables = [f"({table[name]} : {typed(kind)})" for name, kind in theorem.variables]
    hypotheses = [said(text) for text in theorem.hypotheses]
    rng.shuffle(variables)
    rng.shuffle(hypotheses)
    cut = rng.randint(0, len(hypotheses))
    before, after = hypotheses[:cut], hypotheses[cut:]
    if len(before) > 1 and rng.random() < 0.5:
        before = [" ∧ ".join(before)]
    outside = rng.randint(0, len(variables)) if not before else len(variables)
    goal = " → ".join([*(f"({text})" for text in after), said(theorem.goal)])
    goal = "".join(f"∀ {group}, " for group in variables[outside:]) + goal
    name = rng.choice(("theorem other", "lemma other'", "example"))
    binders = [*variables[:outside], *(f"(k{i} : {text})" for i, text in enumerate(before))]
    gap = rng.choice((" ", "\n    ", " /- here -/ ", " -- and\n  "))
    return gap.join([name, *binders, ":", goal, ":=", "by sorry"])
