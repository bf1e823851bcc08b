"""First-order formulas as tuples, and their Lean source with as few parentheses as Lean needs.

("atom", name) | ("pred", name, term) | ("and" | "or" | "imp" | "iff", A, B) | ("not", A) | ("all" | "ex", variable, A) | ("false",)
"""

from typing import Any

Formula = tuple[Any, ...]

FALSE: Formula = ("false",)

_BINARY = {"iff": (20, " ↔ "), "imp": (25, " → "), "or": (30, " ∨ "), "and": (35, " ∧ ")}


def atom(name: str) -> Formula:
    return ("atom", name)


def predicate(name: str, term: str) -> Formula:
    return ("pred", name, term)


def conj(left: Formula, right: Formula) -> Formula:
    return ("and", left, right)


def disj(left: Formula, right: Formula) -> Formula:
    return ("or", left, right)


def implies(premise: Formula, conclusion: Formula) -> Formula:
    return ("imp", premise, conclusion)


def equivalent(left: Formula, right: Formula) -> Formula:
    return ("iff", left, right)


def negate(formula: Formula) -> Formula:
    return ("not", formula)


def forall(variable: str, body: Formula) -> Formula:
    return ("all", variable, body)


def exists(variable: str, body: Formula) -> Formula:
    return ("ex", variable, body)


def source(formula: Formula, level: int = 0) -> str:
    """Lean source of `formula` where an operand of precedence at least `level` is expected."""
    kind = formula[0]
    if kind == "false":
        return "False"
    if kind == "atom":
        return formula[1]
    if kind == "pred":
        return f"{formula[1]} {formula[2]}"
    if kind == "not":
        return f"¬{source(formula[1], 100)}" if formula[1][0] == "atom" else f"¬({source(formula[1])})"
    if kind in ("all", "ex"):
        text = f"{'∀' if kind == 'all' else '∃'} {formula[1]}, {source(formula[2])}"
        return f"({text})" if level else text
    precedence, symbol = _BINARY[kind]
    left, right = source(formula[1], precedence + 1), source(formula[2], precedence + (kind == "iff"))
    text = f"{left}{symbol}{right}"
    return f"({text})" if level > precedence else text


def substitute(formula: Formula, term: str, replacement: str) -> Formula:
    """`formula` with the individual `term` replaced; bound variables are never named like an individual that is replaced."""
    kind = formula[0]
    if kind == "pred":
        return ("pred", formula[1], replacement) if formula[2] == term else formula
    if kind in ("atom", "false"):
        return formula
    if kind in ("all", "ex"):
        return (kind, formula[1], substitute(formula[2], term, replacement))
    return (kind, *(substitute(part, term, replacement) for part in formula[1:]))


def mentions(formula: Formula, term: str) -> bool:
    """Whether the individual `term` occurs in `formula`."""
    return substitute(formula, term, "\0") != formula


def names(formula: Formula) -> set[str]:
    """Names of the propositions and predicates in `formula`."""
    if formula[0] in ("atom", "pred"):
        return {formula[1]}
    return set().union(*(names(part) for part in formula[1:] if isinstance(part, tuple)), set())


def rename(formula: Formula, table: dict[str, str]) -> Formula:
    """`formula` with propositions and predicates renamed by `table`."""
    if formula[0] in ("atom", "pred"):
        return (formula[0], table[formula[1]], *formula[2:])
    return (formula[0], *(rename(part, table) if isinstance(part, tuple) else part for part in formula[1:]))
