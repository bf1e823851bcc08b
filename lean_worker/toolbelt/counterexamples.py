"""Counterexamples to try: values for the variables of a statement, simplest first."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lean_worker.toolbelt.context import Hypothesis, renamed

# each closes a goal or fails; in a `by` of its own, Lean would report some errors and continue
CALCULATE = "decide"
CLOSE = (
    "first | (decide) | (omega) | (simp <;> fail) | (simp_all <;> fail) | (intros; omega) | (intros; simp_all <;> fail)"
    " | (intro y; cases y with | intro x hx => omega) | (intro y; cases y with | intro x hx => (simp_all <;> fail))"
    " | (intro y; replace y := congrFun y 1; simp_all <;> fail)"
)
GOAL = "?_"
_LARGEST = 64
_VALUES: dict[str, tuple[str, ...]] = {
    "Nat": tuple(map(str, range(_LARGEST + 1))),
    "Int": ("0", *(str(sign * number) for number in range(1, _LARGEST // 2 + 1) for sign in (1, -1))),
    "Rat": ("0", "1", "-1", "2", "1/2"),
    "Prop": ("True", "False"),
    "Bool": ("true", "false"),
    "Type": ("Nat", "Bool", "Unit", "Empty"),
    "Unit": ("()",),
    "String": ('""', '"a"'),
    "Char": ("'a'", "'b'"),
    "Float": ("0", "1"),
}
_NUMBERS = ("0", "1", "-1", "2", "-2", "1/2", "3")
_SYNONYMS = {"ℕ": "Nat", "ℤ": "Int", "ℚ": "Rat", "Type 0": "Type"}
_NUMERIC = frozenset({"ℝ", "ℂ", "Real", "Complex", "NNReal", "ℝ≥0"})
_LIST = re.compile(r"(List|Array|Option|Set|Finset) (\S+|\(.*\))")
_FIN = re.compile(r"Fin (\d+)")
_MODULAR = re.compile(r"(?:BitVec|ZMod) \d+")
_UINT = re.compile(r"U?Int(?:8|16|32|64)|USize")


@dataclass(frozen=True)
class Instance:
    """One choice: an argument for each hypothesis of a statement, in order. Propositions are `?_`, goals of their own."""

    arguments: tuple[str, ...]

    def refute(self, proof: str, close: str) -> str:
        """Return the tactic that derives False from a proof of the statement and `close`, a tactic for each goal, or fails."""
        return f"refine absurd (@{proof} {' '.join(map(_atom, self.arguments))}) ?_ <;> {close}"


def instances(hypotheses: Sequence[Hypothesis], most: int) -> Iterator[Instance]:
    """Yield at most `most` choices of values, those of small values first."""
    found = 0
    for cost in range(len(hypotheses) * _LARGEST + 1):
        for arguments in _spend(hypotheses, 0, {}, cost):
            yield Instance(arguments)
            found += 1
            if found == most:
                return


def _spend(hypotheses: Sequence[Hypothesis], at: int, chosen: dict[str, str], cost: int) -> Iterator[tuple[str, ...]]:
    """Yield the arguments from `at` on whose places in their lists of values add up to `cost`."""
    if at == len(hypotheses):
        if cost == 0:
            yield ()
        return
    each = hypotheses[at]
    options = ("inferInstance",) if each.is_instance else values(renamed(each.type, chosen)) or (GOAL,)
    for place, value in enumerate(options[: cost + 1]):
        for rest in _spend(hypotheses, at + 1, {**chosen, each.name: value}, cost - place):
            yield (value, *rest)


def values(type: str) -> tuple[str, ...]:
    """Return terms of a type as Lean prints it, simplest first, or nothing for a type that is not known here."""
    type = type.strip()
    while type.startswith("(") and _closes(type) == len(type) - 1:
        type = type[1:-1].strip()
    type = _SYNONYMS.get(type, type)
    if type in _VALUES:
        return _VALUES[type]
    if type in _NUMERIC:
        return _NUMBERS
    if (arrow := _arrow(type)) is not None:
        return _functions(*arrow)
    if (found := _FIN.fullmatch(type)) and int(found[1]):
        return tuple(f"⟨{number}, by decide⟩" for number in range(min(int(found[1]), 8)))
    if _MODULAR.fullmatch(type):
        return ("0", "1", "2", "3")
    if _UINT.fullmatch(type):
        return ("0", "1", "2", "255")
    if found := _LIST.fullmatch(type):
        return _collections(found[1], values(found[2]))
    if (product := _split(type, "×")) is not None:
        return tuple(f"({left}, {right})" for left in values(product[0])[:3] for right in values(product[1])[:3])
    return ()


def _collections(kind: str, elements: tuple[str, ...]) -> tuple[str, ...]:
    if kind == "Option":
        return ("none", *(f"some {_atom(each)}" for each in elements[:3]))
    if kind in ("Set", "Finset"):
        return ("∅", *(f"{{{each}}}" for each in elements[:2]))
    opening = "#[" if kind == "Array" else "["
    lists = [(), *((each,) for each in elements[:2]), *((one, two) for one in elements[:2] for two in elements[:2]), elements[:3]]
    return tuple(dict.fromkeys(f"{opening}{', '.join(each)}]" for each in lists))


def _functions(domain: str, result: str) -> tuple[str, ...]:
    constant = tuple(f"fun _ => {each}" for each in values(result)[:3])
    if not constant:
        return ()
    own = ("fun x => x", "fun x => x + 1") if domain == result and result in ("Nat", "Int") else ("fun x => x",) if domain == result else ()
    test = ("fun x => x = 0",) if domain in ("Nat", "Int") and result == "Prop" else ()
    return (*constant[:1], *own, *test, *constant[1:])


def _atom(term: str) -> str:
    bare = " " in term and not (term[0] in "([{⟨" and _closes(term) == len(term) - 1)
    return f"({term})" if bare or term.startswith("-") or "/" in term else term


def _closes(text: str) -> int:
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter in "([{⟨") - (letter in ")]}⟩")
        if depth == 0:
            return at
    return -1


def _arrow(type: str) -> tuple[str, str] | None:
    found = _split(type, "→")
    return None if found is None or type.startswith("∀") else found


def _split(type: str, symbol: str) -> tuple[str, str] | None:
    """Split a type at the first symbol outside of brackets."""
    depth = 0
    for at, letter in enumerate(type):
        depth += (letter in "([{⟨") - (letter in ")]}⟩")
        if letter == symbol and depth == 0:
            return type[:at].strip(), type[at + 1 :].strip()
    return None
