"""Properties of an abstract relation: symmetry, transitivity and compatible functions given as hypotheses."""

import random

from oprover_jax.synthetic.families.draft import Draft, declare, hypotheses, join, parenthesise


def relation(rng: random.Random, difficulty: int) -> Draft:
    """Walk along a relation, sometimes backwards by symmetry, sometimes under a function that preserves it."""
    letters = list(rng.choice(("abcdeuvw", "xyzwuvst"))[: (difficulty + 3) // 2])
    rng.shuffle(letters)
    symmetric = difficulty > 1 and rng.random() < 0.6
    ways = [not symmetric or rng.random() < 0.5 for _ in letters[1:]]
    preserved = rng.random() < 0.4 or len(letters) == 1
    links = [f"R {a} {b}" if way else f"R {b} {a}" for a, b, way in zip(letters, letters[1:], ways)]
    laws = ["∀ x y z, R x y → R y z → R x z"] if len(letters) > 2 else []
    laws += ["∀ x y, R x y → R y x"] if symmetric or not preserved else []
    laws += ["∀ x y, R x y → R (f x) (f y)"] if preserved else []
    binders, names = hypotheses([*laws, *links], rng)
    table = dict(zip([*laws, *links], names))
    symmetry, transitivity = table.get("∀ x y, R x y → R y x", ""), table.get("∀ x y z, R x y → R y z → R x z", "")
    steps = [table[link] if way else f"{symmetry} _ _ {table[link]}" for link, way in zip(links, ways)]
    term = steps[-1]
    for step in reversed(steps[:-1]):
        term = f"{transitivity} _ _ _ {parenthesise(step)} {parenthesise(term)}"
    start, end = letters[0], letters[-1]
    if preserved:
        term = f"{table['∀ x y, R x y → R (f x) (f y)']} _ _ {parenthesise(term)}"
        start, end = f"(f {start})", f"(f {end})"
    elif not symmetric:
        start, end, term = end, start, f"{symmetry} _ _ {parenthesise(term)}"
    head = join("(α : Type)", declare(sorted(letters), "α"), "(f : α → α)" if preserved else "", "(R : α → α → Prop)", binders)
    return Draft(head, f"R {start} {end}", (f"exact {term}",))
