"""Induction on natural numbers: functions given by recursion equations, and predicates that pass from n to n + 1."""

import itertools
import random

from oprover_jax.synthetic.families.draft import Draft, declare, hypotheses, join
from oprover_jax.synthetic.families.rewriting import Term
from oprover_jax.synthetic.families.terms import show


def _induction(variable: str, zero: str, successor: list[str]) -> tuple[str, ...]:
    head = f"| succ {variable} ih =>"
    tail = [f"{head} {successor[0]}"] if len(successor) == 1 else [head, *(f"  {line}" for line in successor)]
    return (f"induction {variable} with", f"| zero => {zero}", *tail)


def nat_recursion(rng: random.Random, difficulty: int) -> Draft:
    """Two functions with the same recursion equations are equal; the step is built from `difficulty` operations."""
    n = rng.choice("nmk")
    base = rng.choice(("0", "1", "c"))
    operations = [
        rng.choice((("+", "", "1"), ("+", "", "c"), ("+", "c", ""), ("*", "c", ""), ("s", ""), ("*", "", n), ("+", "", n)))
        for _ in range(difficulty)
    ]

    def step(name: str) -> str:
        term: Term = f"{name} {n}"
        for operation in operations:
            term = tuple(term if part == "" else part for part in operation)
        return show(term)

    alias = difficulty > 1 and rng.random() < 0.5
    facts = [f"f 0 = {base}", "g 0 = f 0" if alias else f"g 0 = {base}", *(f"∀ {n}, {name} ({n} + 1) = {step(name)}" for name in "fg")]
    binders, (f0, g0, fs, gs) = hypotheses(facts, rng)
    zero = f"rw [{g0}]" if alias else f"rw [{f0}, {g0}]"
    symbols = {base, *(part for operation in operations for part in operation)}
    declared = join("(f g : Nat → Nat)", "(s : Nat → Nat)" if "s" in symbols else "", "(c : Nat)" if "c" in symbols else "")
    body = _induction(n, zero, [f"rw [{fs}, {gs}, ih]"])
    if rng.random() < 0.5:
        return Draft(join(declared, f"({n} : Nat)", binders), f"f {n} = g {n}", body)
    return Draft(join(declared, binders), f"∀ {n}, f {n} = g {n}", (f"intro {n}", *body))


def nat_closed_form(rng: random.Random, difficulty: int) -> Draft:
    """A recursion with a known solution: `f n = k * n + b` and the like."""
    n = rng.choice("nmk")
    step = rng.choice(("1", "2", "3", "c", "d"))
    if step == "1":
        goal, zero, items = f"f {n} = {n}", "exact {0}", []
    else:
        goal, zero, items = f"f {n} = {step} * {n}", "rw [{0}, Nat.mul_zero]", ["Nat.mul_succ"]
    start = "0"
    declared = {step} & set("cd")
    if difficulty >= 2:
        start = rng.choice("ab")
        declared.add(start)
        goal = goal.replace("= ", f"= {start} + ", 1)
        zero = "rw [{0}, Nat.add_zero]" if step == "1" else "rw [{0}, Nat.mul_zero, Nat.add_zero]"
        items = [*items, "Nat.add_assoc"]
    if difficulty >= 3 and step != "1":
        goal = goal.replace(f"{step} * {n}", f"{n} * {step}")
        zero = zero.replace("Nat.mul_zero", "Nat.zero_mul")
        items = ["Nat.succ_mul" if item == "Nat.mul_succ" else item for item in items]
    facts = [f"f 0 = {start}", f"∀ {n}, f ({n} + 1) = f {n} + {step}"]
    if difficulty >= 4:
        facts[1] = f"∀ {n}, f ({n} + 1) = {step} + f {n}"
    binders, (base, recursion) = hypotheses(facts, rng)
    items = [recursion, "ih", *([f"Nat.add_comm {step}"] if difficulty >= 4 else []), *items]
    head = join("(f : Nat → Nat)", declare(sorted({n, *declared}), "Nat"), binders)
    return Draft(head, goal, _induction(n, zero.format(base), [f"rw [{', '.join(items)}]"]))


def nat_predicate(rng: random.Random, difficulty: int) -> Draft:
    """Facts that hold at zero and pass on, along a chain of `difficulty` implications."""
    n = rng.choice("nmk")
    middle = [f"Q{i}" if difficulty > 2 else "Q" for i in range(1, difficulty)]
    chain = ["P", *middle]
    facts = [f"∀ {n}, {a} {n} → {b} {n}" for a, b in itertools.pairwise(chain)]
    facts.append(f"∀ {n}, {chain[-1]} {n} → P ({n} + 1)")
    binders, (*steps, base) = hypotheses([*facts, "P 0"], rng)
    term = "ih"
    for name in steps:
        term = f"{name} {n} {f'({term})' if ' ' in term else term}"
    declared = declare(["P", *middle], "Nat → Prop")
    body = _induction(n, f"exact {base}", [f"exact {term}"])
    if rng.random() < 0.5:
        return Draft(join(declared, f"({n} : Nat)", binders), f"P {n}", body)
    return Draft(join(declared, binders), f"∀ {n}, P {n}", (f"intro {n}", *body))


def nat_growth(rng: random.Random, difficulty: int) -> Draft:
    """Bounds by induction: a function that grows at least as fast as another."""
    n = rng.choice("nmk")
    gain = rng.choice(("+ 1", "+ c"))
    if difficulty <= 2:
        binders, (base, step) = hypotheses([f"{'a' if difficulty == 2 else '0'} ≤ f 0", f"∀ {n}, f {n} ≤ f ({n} + 1)"], rng)
        low = "a" if difficulty == 2 else "0"
        head = join("(f : Nat → Nat)", declare(sorted({n} | ({"a"} if low == "a" else set())), "Nat"), binders)
        return Draft(head, f"{low} ≤ f {n}", _induction(n, f"exact {base}", [f"exact Nat.le_trans ih ({step} {n})"]))
    facts = ["f 0 ≤ g 0", f"∀ {n}, f ({n} + 1) ≤ f {n} {gain}", f"∀ {n}, g {n} {gain} ≤ g ({n} + 1)"]
    if difficulty >= 4:
        facts[1] = f"∀ {n}, f ({n} + 1) = f {n} {gain}"
    if difficulty >= 5:
        facts[2] = f"∀ {n}, g ({n} + 1) = g {n} {gain}"
    binders, (base, lower, upper) = hypotheses(facts, rng)
    mono = "Nat.succ_le_succ ih" if gain == "+ 1" else "Nat.add_le_add_right ih c"
    if difficulty >= 5:
        lines = [f"rw [{lower}, {upper}]", f"exact {mono}"]
    elif difficulty == 4:
        lines = [f"rw [{lower}]", f"exact Nat.le_trans ({mono}) ({upper} {n})"]
    else:
        lines = [f"exact Nat.le_trans ({lower} {n}) (Nat.le_trans ({mono}) ({upper} {n}))"]
    head = join("(f g : Nat → Nat)", declare(sorted({n} | ({"c"} if gain == "+ c" else set())), "Nat"), binders)
    return Draft(head, f"f {n} ≤ g {n}", _induction(n, f"exact {base}", lines))
