"""Lists: append, length, map and reverse by rewriting, and recursion equations by induction."""

import random
from collections.abc import Sequence

from oprover_jax.synthetic.families.draft import Draft, declare, hypotheses, join
from oprover_jax.synthetic.families.rewriting import Rule, Term, random_equation
from oprover_jax.synthetic.families.terms import leaves as leaves_of
from oprover_jax.synthetic.families.terms import show

APPEND = (
    Rule("List.append_assoc", ("++", ("++", "?a", "?b"), "?c"), ("++", "?a", ("++", "?b", "?c"))),
    Rule("List.append_assoc", ("++", ("++", "?a", "?b"), "?c"), ("++", "?a", ("++", "?b", "?c"))).reversed(),
    Rule("List.append_nil", ("++", "?a", "[]"), "?a"),
    Rule("List.nil_append", ("++", "[]", "?a"), "?a"),
)
LENGTH = (
    Rule("List.length_append", ("length", ("++", "?a", "?b")), ("+", ("length", "?a"), ("length", "?b"))),
    Rule("List.length_map", ("length", ("map", "?f", "?a")), ("length", "?a")),
    Rule("List.length_reverse", ("length", ("reverse", "?a")), ("length", "?a")),
    Rule("Nat.add_comm", ("+", "?a", "?b"), ("+", "?b", "?a")),
)
MAP = (
    Rule("List.map_append", ("map", "?f", ("++", "?a", "?b")), ("++", ("map", "?f", "?a"), ("map", "?f", "?b"))),
    Rule("List.map_reverse", ("map", "?f", ("reverse", "?a")), ("reverse", ("map", "?f", "?a"))),
)
REVERSE = (
    Rule("List.reverse_append", ("reverse", ("++", "?a", "?b")), ("++", ("reverse", "?b"), ("reverse", "?a"))),
    Rule("List.reverse_reverse", ("reverse", ("reverse", "?a")), "?a"),
)


def _list(rng: random.Random, leaves: Sequence[str], unary: Sequence[str], extra: int) -> Term:
    """A random list term: appends over the leaves, with `extra` unary operations put on nodes."""
    if len(leaves) == 1:
        term: Term = leaves[0]
    else:
        cut = rng.randrange(1, len(leaves))
        share = rng.randint(0, extra) if extra else 0
        term = ("++", _list(rng, leaves[:cut], unary, share // 2), _list(rng, leaves[cut:], unary, share - share // 2))
        extra -= share
    for _ in range(extra):
        operation = rng.choice(unary)
        term = ("map", "f", term) if operation == "map" else (operation, term)
    return term


def _rewritten(rng: random.Random, difficulty: int, rules: Sequence[Rule], unary: Sequence[str], length: bool, nil: bool) -> Draft:
    while True:
        count = rng.randint(1 if unary else 2, 2 if difficulty == 1 else 3 if unary or difficulty < 4 else 4)
        leaves = rng.sample(("xs", "ys", "zs", "ws"), count)
        if nil and rng.random() < 0.6:
            leaves.insert(rng.randrange(len(leaves) + 1), "[]")
        start = _list(rng, leaves, unary, (difficulty + 1) // 2 + 1 if unary else 0)
        made = random_equation(rng, ("length", start) if length else start, rules, difficulty, show, largest=18)
        if made is None:
            continue
        (left, right), items = made
        found = set(leaves_of(left, right))
        text = f"{show(left)} = {show(right)}"
        head = join("(α : Type)", "(f : α → α)" if ".map f" in text else "", declare(sorted(found - {"[]", "f"}), "List α"))
        return Draft(head, text, (f"rw [{', '.join(items)}]",))


def list_append(rng: random.Random, difficulty: int) -> Draft:
    """Regroup appends and drop empty lists."""
    return _rewritten(rng, difficulty, APPEND, (), length=False, nil=True)


def list_length(rng: random.Random, difficulty: int) -> Draft:
    """Lengths of appended, mapped and reversed lists."""
    return _rewritten(rng, difficulty, LENGTH, ("reverse", "map"), length=True, nil=False)


def list_map(rng: random.Random, difficulty: int) -> Draft:
    """Map, reverse and append change places."""
    return _rewritten(rng, difficulty, (*MAP, *MAP, *REVERSE, APPEND[0]), ("reverse", "map"), length=False, nil=False)


def _induction(cons: Sequence[str], nil: str) -> tuple[str, ...]:
    tail = [f"| cons x xs ih => {cons[0]}"] if len(cons) == 1 else ["| cons x xs ih =>", *(f"  {line}" for line in cons)]
    return ("induction xs with", f"| nil => {nil}", *tail)


def list_recursion(rng: random.Random, difficulty: int) -> Draft:
    """Functions on lists given by recursion equations, by induction on the list."""
    operation = rng.choice(("{f} xs + 1", "{f} xs + x", "x + {f} xs", "k x ({f} xs)", "s ({f} xs)", "c + {f} xs"))
    if difficulty >= 4 or (difficulty == 3 and rng.random() < 0.5):
        operation = rng.choice(("1 + {f} xs", "x + {f} xs", "c + {f} xs", "{f} xs + x"))
        binders, (nil, cons) = hypotheses(["f [] = 0", f"∀ x xs, f (x :: xs) = {operation.format(f='f')}"], rng)
        head = join("(f : List Nat → Nat)", "(c : Nat)" if "c +" in operation else "", "(xs ys : List Nat)", binders)
        swap = operation.endswith("+ x")
        goal = "f (xs ++ ys) = f xs + f ys" if difficulty < 5 else "f (xs ++ ys) = f ys + f xs"
        zero = f"rw [List.nil_append, {nil}, Nat.{'zero_add' if difficulty < 5 else 'add_zero'}]"
        items = ["List.cons_append", cons, cons, "ih"]
        if difficulty < 5:
            items.append("Nat.add_right_comm" if swap else "Nat.add_assoc")
        else:
            items.append("Nat.add_assoc" if swap else "Nat.add_left_comm")
        return Draft(head, goal, _induction([f"rw [{', '.join(items)}]"], zero))
    names = ("f", "g")
    facts = [f"{name} [] = {'0' if difficulty < 3 else 'c'}" for name in names]
    steps = [operation.format(f=name) for name in names]
    if difficulty >= 2:
        outer = rng.choice(("c * ({})", "({}) + c", "s ({})", "({}) + x"))
        steps = [outer.format(step) for step in steps]
    facts += [f"∀ x xs, {name} (x :: xs) = {step}" for name, step in zip(names, steps)]
    binders, (f0, g0, fs, gs) = hypotheses(facts, rng)
    text = " ".join(facts)
    head = join(
        "(f g : List Nat → Nat)",
        "(k : Nat → Nat → Nat)" if "k x" in text else "",
        "(s : Nat → Nat)" if "s (" in text else "",
        "(c : Nat)" if "c" in text else "",
        "(xs : List Nat)",
        binders,
    )
    return Draft(head, "f xs = g xs", _induction([f"rw [{fs}, {gs}, ih]"], f"rw [{f0}, {g0}]"))
