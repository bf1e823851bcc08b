"""Equivalences: laws of the connectives proved in both directions, and rewriting by given equivalences."""

import random

from oprover_jax.synthetic.families.draft import Draft, declare, hypotheses, join
from oprover_jax.synthetic.families.propositional import LETTERS


def iff_chain(rng: random.Random, difficulty: int) -> Draft:
    """Walk along a chain of equivalences, each given in either direction."""
    letters = list(LETTERS[: difficulty + 1])
    rng.shuffle(letters)
    forward = [rng.random() < 0.5 for _ in range(difficulty)]
    links = [(left, right) if way else (right, left) for left, right, way in zip(letters, letters[1:], forward)]
    facts = [f"{left} ↔ {right}" for left, right in links]
    whole = rng.random() < 0.4
    start, end = letters[0], letters[-1]
    binders, names = hypotheses(facts if whole else [*facts, start], rng)
    head = join(declare(sorted(letters), "Prop"), binders)
    if whole:
        return Draft(head, f"{start} ↔ {end}", (f"rw [{', '.join(n if way else f'← {n}' for n, way in zip(names, forward))}]",))
    term = names[-1]
    for name, way in zip(names, forward):
        term = f"{name}.{'mp' if way else 'mpr'} {f'({term})' if ' ' in term else term}"
    return Draft(head, end, (f"exact {term}",))


def connective_law(rng: random.Random, difficulty: int) -> Draft:
    """`A ∧ B ↔ B ∧ A` and its relatives, with formulas of growing size for the letters."""
    letters = list(LETTERS[:4])
    rng.shuffle(letters)
    spare = iter(letters)
    size = max(0, difficulty - 3)

    a, b = next(spare), next(spare)
    if size and rng.random() < 0.7:
        a = f"({a} {rng.choice('∧∨→')} {next(spare)})"
    c = next(spare)
    laws = [
        (1, f"{a} ∧ {b} ↔ {b} ∧ {a}", "⟨h.2, h.1⟩", "⟨h.2, h.1⟩"),
        (2, f"({a} ∧ {b}) ∧ {c} ↔ {a} ∧ {b} ∧ {c}", "⟨h.1.1, h.1.2, h.2⟩", "⟨⟨h.1, h.2.1⟩, h.2.2⟩"),
        (2, f"({a} ∧ {b} → {c}) ↔ ({a} → {b} → {c})", "fun h1 h2 => h ⟨h1, h2⟩", "fun h1 => h h1.1 h1.2"),
        (
            2,
            f"({a} ∨ {b} → {c}) ↔ ({a} → {c}) ∧ ({b} → {c})",
            "⟨fun h1 => h (Or.inl h1), fun h1 => h (Or.inr h1)⟩",
            "fun h1 => h1.elim h.1 h.2",
        ),
        (1, f"{a} ∨ {b} ↔ {b} ∨ {a}", "h.symm", "h.symm"),
        (2, f"({a} → {b} ∧ {c}) ↔ ({a} → {b}) ∧ ({a} → {c})", "⟨fun h1 => (h h1).1, fun h1 => (h h1).2⟩", "fun h1 => ⟨h.1 h1, h.2 h1⟩"),
        (2, f"¬({a} ∨ {b}) ↔ ¬{a} ∧ ¬{b}", "⟨fun h1 => h (Or.inl h1), fun h1 => h (Or.inr h1)⟩", "fun h1 => h1.elim h.1 h.2"),
        (2, f"({a} → ¬{b}) ↔ ({b} → ¬{a})", "fun h1 h2 => h h2 h1", "fun h1 h2 => h h2 h1"),
        (2, f"({a} → {b} → {c}) ↔ ({b} → {a} → {c})", "fun h1 h2 => h h2 h1", "fun h1 h2 => h h2 h1"),
    ]
    _, goal, forward, backward = rng.choice([law for law in laws if law[0] <= difficulty])
    used = sorted(set(goal) & set(LETTERS))
    if difficulty <= 2 and rng.random() < 0.5:
        left, right = goal.split(" ↔ ")
        if rng.random() < 0.5:
            left, right, forward = right, left, backward
        return Draft(join(declare(used, "Prop"), f"(h : {_bare(left)})"), _bare(right), (f"exact {forward}",))
    return Draft(declare(used, "Prop"), goal, ("constructor", "· intro h", f"  exact {forward}", "· intro h", f"  exact {backward}"))


def _bare(text: str) -> str:
    """`text` without parentheses around the whole."""
    if not text.startswith("("):
        return text
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:-1] if index == len(text) - 1 else text
    return text
