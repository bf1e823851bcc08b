"""Predicate logic over an arbitrary type: universal facts, witnesses, and laws that move quantifiers."""

import random

from oprover_jax.synthetic.families import formula as fm
from oprover_jax.synthetic.families.deduction import Deduction, as_term, finish
from oprover_jax.synthetic.families.draft import Draft, parenthesise

LETTERS = "PQRSTUVWABCDEFGH"
_KIND = "α → Prop"
_STEPS = {"apply": 4.0, "apply2": 1.0, "project": 1.0, "iff": 0.7}
_SHAPES = {"atom": 5.0, "and": 1.0}


def universal(rng: random.Random, difficulty: int) -> Draft:
    """Instances of universal facts, and universal facts from universal facts."""
    generic = rng.random() < 0.6
    proof = Deduction(rng, _STEPS, _SHAPES, individual="x" if generic else "a")
    proof.generic = generic
    if not generic:
        goal = proof.fresh()
        return finish(proof, goal, proof.prove(goal, difficulty), declared=("(α : Type)", "(a : α)"), letters=LETTERS, kind=_KIND)
    body = proof.fresh()
    if rng.random() < 0.6:
        body = fm.implies(body, proof.fresh())
    lines = proof.prove(body, difficulty + (body[0] == "imp" and difficulty > 1))
    first = lines[0].removeprefix("intro ") if lines[0].startswith("intro ") else None
    lines = [f"intro x {first}", *lines[1:]] if first else ["intro x", *lines]
    return finish(proof, fm.forall("x", body), lines, declared=("(α : Type)",), letters=LETTERS, kind=_KIND)


def existential(rng: random.Random, difficulty: int) -> Draft:
    """Witnesses, given or obtained, and the refutation of existence."""
    way = rng.choice(("witness", "transport", "transport", "refute"))
    proof = Deduction(rng, _STEPS, _SHAPES, individual="a" if way == "witness" else "x")
    body = proof.fresh()
    if rng.random() < 0.3 and way != "refute":
        body = fm.conj(body, proof.fresh())
    goal = fm.exists("x", fm.substitute(body, "a", "x"))
    if way == "witness":
        lines = proof.prove(body, difficulty - 1)
        term = as_term(lines)
        lines = [f"exact ⟨a, {term}⟩"] if term else ["exists a", *lines]
        return finish(proof, goal, lines, declared=("(α : Type)", "(a : α)"), letters=LETTERS, kind=_KIND)
    proof.generic = True
    source, here = proof.mark(), proof.mark()
    if way == "refute":
        given = body if difficulty == 1 else proof.fresh()
        denied = proof.plant(fm.negate(body))
        (line,) = proof.prove(body, difficulty - 2, [(here, given)])
        lines = [f"intro {source}", f"obtain ⟨x, {here}⟩ := {source}", f"exact {denied} {parenthesise(line.removeprefix('exact '))}"]
        return finish(proof, fm.negate(fm.exists("x", given)), lines, declared=("(α : Type)",), letters=LETTERS, kind=_KIND)
    given = body if difficulty == 1 and body[0] == "and" else proof.fresh()
    proof.planted[int(source[1:-1])] = fm.exists("x", given)
    lines = proof.prove(body, difficulty - 1, [(here, given)])
    term = as_term(lines)
    tail = [f"exact ⟨x, {term}⟩"] if term else ["exists x", *lines]
    return finish(proof, goal, [f"obtain ⟨x, {here}⟩ := {source}", *tail], declared=("(α : Type)",), letters=LETTERS, kind=_KIND)
