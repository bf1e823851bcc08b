"""Lean source of terms: sums, products, appends, list methods and function application."""

from collections.abc import Iterator

from oprover_jax.synthetic.families.rewriting import Term, subterms

_INFIX = {"+": 65, "++": 65, "*": 70}
_METHODS = ("length", "reverse", "map")
_ARGUMENT = 100


def show(term: Term, level: int = 0) -> str:
    """Lean source of `term` where precedence `level` is expected (100: an argument). Infix operators group to the left."""
    if isinstance(term, str):
        return f"({term})" if level >= _ARGUMENT and " " in term else term
    operator, *parts = term
    if operator in _INFIX:
        precedence = _INFIX[operator]
        text = f"{show(parts[0], precedence)} {operator} {show(parts[1], precedence + 1)}"
        return f"({text})" if level > precedence else text
    if operator in _METHODS:
        text = " ".join([f"{show(parts[-1], _ARGUMENT)}.{operator}", *(show(part, _ARGUMENT) for part in parts[:-1])])
    else:
        text = " ".join([operator, *(show(part, _ARGUMENT) for part in parts)])
    return f"({text})" if level >= _ARGUMENT and " " in text else text


def leaves(*terms: Term) -> Iterator[str]:
    """The variables and constants of the terms."""
    return (node for term in terms for node in subterms(term) if isinstance(node, str))
