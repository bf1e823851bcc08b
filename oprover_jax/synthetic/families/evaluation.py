"""Closed facts that Lean can compute: comparisons and equations between numerals, true or refuted."""

import random

from oprover_jax.synthetic.families.draft import Draft


def evaluation(rng: random.Random, difficulty: int) -> Draft:
    """Numeric facts by `decide`; harder ones are conjunctions, negations and witnesses."""
    top = 3 + 3 * difficulty

    def fact(truth: bool) -> str:
        a, b = rng.randint(1, top), rng.randint(1, top)
        sign = rng.choice("+*")
        value = a + b if sign == "+" else a * b
        kind = rng.choice(("=", "<", "≤"))
        shift = rng.randint(1, 4)
        if kind == "=":
            other = value if truth else value + shift
        elif truth:
            other = value + shift - (kind == "≤")
        else:
            other = max(0, value - shift + (kind == "<"))
        return f"{a} {sign} {b} {kind} {other}"

    if difficulty == 1:
        return Draft("", fact(True), ("decide",))
    way = rng.choice(("not", "and", "or", "exists"))
    if way == "not":
        return Draft("", f"¬({fact(False)})", ("decide",))
    if way == "and":
        return Draft("", " ∧ ".join(fact(True) for _ in range(difficulty)), ("decide",))
    if way == "or":
        sides = [fact(False) for _ in range(difficulty - 1)]
        sides.insert(rng.randrange(difficulty), fact(True))
        return Draft("", " ∨ ".join(sides), ("decide",))
    a, n = rng.randint(1, top), rng.randint(2, top)
    goal, proof = rng.choice(
        (
            (f"∃ n, n + {a} = {n + a}", f"exact ⟨{n}, rfl⟩"),
            (f"∃ n, {a} * n = {a * n}", f"exact ⟨{n}, rfl⟩"),
            (f"∃ n, {a + n} = {a} + n", f"exact ⟨{n}, rfl⟩"),
        )
    )
    return Draft("", goal, (proof,))
