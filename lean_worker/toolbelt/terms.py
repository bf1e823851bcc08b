"""Terms as Lean prints them with `pp.explicit` and without notation, parsed: arithmetic with the types that Lean gave it.

Only applications are recognized, and the binders and conditions around them; all else is kept as text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

EXPLICIT = (
    "pp.explicit true",
    "pp.notation false",
    "pp.fullNames true",
    "pp.proofs true",
    "pp.deepTerms true",
    "pp.funBinderTypes true",
    "pp.fieldNotation false",
    "pp.maxSteps 100000",
)

_TOKEN = re.compile(r"\s+|\"(?:[^\"\\]|\\.)*\"|[()\[\]{}⟨⟩,]|[^\s()\[\]{}⟨⟩,\"]+")
_CLOSE = {"(": ")", "[": "]", "{": "}", "⟨": "⟩"}
_OPERATIONS: dict[str, "Symbol"] = {"@HSub.hSub": "-", "@HDiv.hDiv": "/", "@Sub.sub": "-", "@Div.div": "/"}

Symbol = Literal["-", "/"]


@dataclass(frozen=True)
class Group:
    """A bracketed piece of a term."""

    open: str
    items: "tuple[Item, ...]"


Item = str | Group


@dataclass(frozen=True)
class Operation:
    """A subtraction, division or negation in the order of the text. `binders` are those around it, as Lean text: `(n : Nat)`.

    `left` is empty for a negation. `number` and `by` are the operands that are numerals.
    """

    symbol: Symbol
    type: str
    left: str
    right: str
    number: int | None = None
    by: int | None = None
    binders: tuple[str, ...] = ()


@dataclass
class _Scope:
    binders: list[str] = field(default_factory=list)

    def inner(self, *more: str) -> "_Scope":
        return _Scope([*self.binders, *more])


def parse(text: str) -> tuple[Item, ...]:
    """Return the pieces of a printed term."""
    stack: list[tuple[str, list[Item]]] = [("", [])]
    for token in _TOKEN.findall(text):
        if token.isspace():
            continue
        if token in _CLOSE:
            stack.append((token, []))
        elif token in _CLOSE.values() and len(stack) > 1:
            opening, items = stack.pop()
            stack[-1][1].append(Group(opening, tuple(items)))
        else:
            stack[-1][1].append(token)
    while len(stack) > 1:
        opening, items = stack.pop()
        stack[-1][1].append(Group(opening, tuple(items)))
    return tuple(stack[0][1])


def written(item: "Item | Sequence[Item]") -> str:
    """Return the text of a piece, which Lean reads again."""
    if isinstance(item, str):
        return item
    if isinstance(item, Group):
        return f"{item.open}{written(item.items)}{_CLOSE[item.open]}"
    return " ".join(map(written, item)).replace(" ,", ",")


def numeral(item: Item) -> int | None:
    """Return the number that a numeral stands for, negated or not, or None."""
    if not isinstance(item, Group) or item.open != "(" or len(item.items) < 4:
        return None
    head, value = item.items[0], item.items[2 if item.items[0] == "@OfNat.ofNat" else 3]
    if head == "@OfNat.ofNat" and isinstance(value, Group) and len(value.items) == 2 and value.items[0] == "nat_lit":
        digits = value.items[1]
        return int(digits) if isinstance(digits, str) and digits.isdecimal() else None
    if head == "@Neg.neg" and (found := numeral(value)) is not None:
        return -found
    return None


def operations(text: str) -> list[Operation]:
    """Return the subtractions, divisions and negations of a printed term in the order in which they are written with notation."""
    return list(_visit(parse(text), _Scope()))


def _visit(items: Sequence[Item], scope: _Scope) -> Iterator[Operation]:
    at = 0
    while at < len(items):
        item = items[at]
        if (premise := _premise(items[at:])) is not None:
            yield from _visit(premise, scope)
            scope = scope.inner(f"(_ : {written(premise)})")
            at += len(premise) + 1
            continue
        arguments = items[at + 1 :]
        if item in ("∀", "fun"):
            end = next((i for i, each in enumerate(arguments) if each in (",", "=>")), len(arguments))
            for binder in arguments[:end]:
                yield from _visit(binder.items if isinstance(binder, Group) else (), scope)
                scope = scope.inner(written(binder) if isinstance(binder, Group) else f"({binder})")
            at += end + 2
        elif item in ("@HSub.hSub", "@HDiv.hDiv") and len(arguments) >= 6:
            yield from _operation(item, arguments[0], arguments[4], arguments[5], scope)
            at += 7
        elif item in ("@Sub.sub", "@Div.div") and len(arguments) >= 4:
            yield from _operation(item, arguments[0], arguments[2], arguments[3], scope)
            at += 5
        elif item == "@Neg.neg" and len(arguments) >= 3:
            yield Operation("-", written(arguments[0]), "", written(arguments[2]), binders=tuple(scope.binders))
            yield from _visit(_inside(arguments[2]), scope)
            at += 4
        elif item in ("And", "@And") and len(arguments) >= 2:
            yield from _visit(_inside(arguments[0]), scope)
            yield from _visit(_inside(arguments[1]), scope.inner(f"(_ : {written(arguments[0])})"))
            at += 3
        elif item == "@ite" and len(arguments) >= 5:
            condition = written(arguments[1])
            yield from _visit(_inside(arguments[1]), scope)
            yield from _visit(_inside(arguments[3]), scope.inner(f"(_ : {condition})"))
            yield from _visit(_inside(arguments[4]), scope.inner(f"(_ : Not {condition})"))
            at += 6
        else:
            if isinstance(item, Group):
                yield from _visit(item.items, scope)
            at += 1


def _premise(items: Sequence[Item]) -> Sequence[Item] | None:
    """Return what stands before an arrow, if these pieces are an implication."""
    for at, item in enumerate(items):
        if item in ("∀", "fun", "let", "have"):
            return None
        if item == "→":
            return items[:at]
    return None


def _inside(item: Item) -> Sequence[Item]:
    return item.items if isinstance(item, Group) else ()


def _operation(head: Item, type: Item, left: Item, right: Item, scope: _Scope) -> Iterator[Operation]:
    yield from _visit(_inside(left), scope)
    yield Operation(
        _OPERATIONS[written(head)],
        written(type),
        written(left),
        written(right),
        numeral(left),
        numeral(right),
        tuple(scope.binders),
    )
    yield from _visit(_inside(right), scope)
