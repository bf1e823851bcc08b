"""Disguises under which a statement must still be recognised: other name, layout, comments, spelling and variables."""

import random
import re
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
