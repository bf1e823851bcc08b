"""Comparison of a statement with a candidate by their compiled files. Standard library only: the judge loads it as a plain script.

Auxiliary constants are compared by content, all others by name. Lean makes an auxiliary constant for a `match` or for a proof inside a
term, names it after the declaration that needed it first, and shares it with later ones. A helper that restates the statement's `match`
therefore changes the name in the statement's type.

Why content is enough for auxiliary definitions and theorems: put both files' constants into one environment, the candidate's auxiliary ones
under fresh names. Two definitions with equal levels, equal types and equal values unfold to the same term. Two theorems with equal levels
and equal types are proofs of one proposition, which the kernel identifies. By induction over what a constant mentions (a cycle is
refused), the candidate's type is then definitionally equal to the statement's, so its proof proves the statement. This fails for opaque
constants, axioms and inductive types: those have an identity of their own, so they keep their names, whatever they are called.
"""

import re
from collections.abc import Container, Iterable
from dataclasses import replace

from kernel import children
from olean import Constant, Name, Olean, Table

# like Lean's Name.isInternalDetail: names made by an elaborator, never by a user
_AUXILIARY = re.compile(r"_.*|(?:match|proof|eq|omega)_[0-9_]*", re.S)
_BY_CONTENT = ("definition", "theorem")


class Refused(Exception):
    """The candidate does not prove the statement; the first argument is the kind of the verdict, the second the reason."""


def shown(name: Name) -> str:
    """Return the name as Lean prints it, but without guillemets."""
    return ".".join(map(str, name))


def mentioned(table: Table, numbers: Iterable[int | None]) -> set[Name]:
    """Return the constants that occur in terms."""
    names: set[Name] = set()
    seen: set[int] = set()
    stack = [number for number in numbers if number is not None]
    while stack:
        at = stack.pop()
        if at not in seen:
            seen.add(at)
            node = table.nodes[at]
            if node[0] in ("const", "proj"):
                names.add(node[1])
            if node[0] != "const":
                stack += _children(node)
    return names


def parts(constant: Constant) -> set[Name]:
    """Return the constants linked to a constant outside its terms: types, constructors of an inductive type, the type of a constructor."""
    if constant.kind == "inductive":
        return {*constant.details[1], *constant.details[2]}
    return set(constant.details) if constant.kind in ("constructor", "recursor") else set()


def _children(node: tuple) -> Iterable[int]:
    if node[0] == "content":
        return [part for part in node[4:] if part is not None]
    return children(node)


def is_auxiliary(part: str | int) -> bool:
    """Return whether a component of a name is one that an elaborator makes."""
    return isinstance(part, int) or _AUXILIARY.fullmatch(part) is not None


class _Contents:
    """Terms of one file with every auxiliary definition and theorem replaced by its content."""

    def __init__(self, file: Olean, core: Container[Name], table: Table) -> None:
        self._file, self._core, self._table = file, core, table
        self._made: dict[int | Name, int] = {}  # maps a term or an auxiliary constant to the node that represents it
        self._open: set[Name] = set()

    def of(self, constant: Constant) -> Constant:
        """Return the constant with its terms replaced, and without the proof if it is a theorem, since any proof will do."""
        value = None if constant.value is None or constant.kind == "theorem" else self._term(constant.value)
        return replace(constant, type=self._term(constant.type), value=value)

    def _by_content(self, name: Name) -> bool:
        if name in self._core or name not in self._file.names or not is_auxiliary(name[-1] if name else ""):
            return False
        return self._file.constant(name).kind in _BY_CONTENT

    def _needs(self, item: int | Name) -> list[int | Name]:
        if isinstance(item, tuple):
            constant = self._file.constant(item)
            return [constant.type] if constant.kind == "theorem" else [constant.type, constant.value]
        node = self._table.nodes[item]
        return [*children(node), *([node[1]] if node[0] == "const" and self._by_content(node[1]) else [])]

    def _make(self, item: int | Name) -> int:
        made = self._made
        if isinstance(item, tuple):
            constant = self._file.constant(item)
            value = None if constant.kind == "theorem" else made[constant.value]
            return self._table.add(("content", constant.kind, constant.levels, constant.details, made[constant.type], value))
        node = self._table.nodes[item]
        below = [made[child] for child in children(node)]
        if node[0] == "const" and node[1] in made:
            return self._table.add(("instance", made[node[1]], *below))
        return self._table.add((*node[: len(node) - len(below)], *below))

    def _term(self, start: int) -> int:
        stack: list[int | Name] = [start]
        while stack:
            item = stack[-1]
            missing = [] if item in self._made else [other for other in self._needs(item) if other not in self._made]
            if missing:
                if isinstance(item, tuple):
                    if item in self._open:
                        raise Refused("mismatch", f"{shown(item)} depends on itself")
                    self._open.add(item)
                stack += missing
                continue
            if item not in self._made:
                self._made[item] = self._make(item)
            stack.pop()
        return self._made[start]


def compare(statement: Olean, candidate: Olean, core: Container[Name], table: Table, target: Name) -> None:
    """Raise Refused unless the target, and everything that its type depends on in the statement's file, is the same in both files."""
    required_contents, given_contents = _Contents(statement, core, table), _Contents(candidate, core, table)
    waiting, seen = [target], {target}
    while waiting:
        name = waiting.pop()
        if name not in candidate.names:
            raise Refused("mismatch", f"{shown(name)} is not declared")
        required, given = required_contents.of(statement.constant(name)), given_contents.of(candidate.constant(name))
        if name == target:  # a definition as well is only stated, and `sorry` stands for what the candidate gives
            required, given = (replace(constant, value=None, details=()) for constant in (required, given))
        for part in ("kind", "levels", "type"):
            if getattr(required, part) != getattr(given, part):
                words = {
                    "kind": f"is a {given.kind}, not a {required.kind}",
                    "levels": "has other universe levels",
                    "type": "has another type",
                }
                raise Refused("mismatch", f"{shown(name)} {words[part]}")
        if name == target:  # any value will do, as it may for a theorem
            required, given = replace(required, value=None, details=()), replace(given, value=None, details=())
        if required != given:
            raise Refused("mismatch", f"{shown(name)} is defined differently from the statement")
        needed = {each for each in mentioned(table, (required.type, required.value)) | parts(required) if each not in core} - seen
        seen |= needed
        waiting += needed
