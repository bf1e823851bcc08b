"""Whole declarations with all that the lean4export format states about them, and the order in which they depend on each other.

A `Constant` of `olean.py` holds what a comparison needs; an `Entry` holds everything that Lean stores. Standard library only: loaded by
plain scripts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kernel import children
from olean import Constant, Name, Olean, OleanError, Table

# the facts of each kind in the order of Lean's structures, under their names in the export format, each with its sort
FACTS: dict[str, tuple[tuple[str, str], ...]] = {
    "axiom": (("isUnsafe", "flag"),),
    "definition": (("hints", "hints"), ("safety", "safety"), ("all", "names")),
    "theorem": (("all", "names"),),
    "opaque": (("isUnsafe", "flag"), ("all", "names")),
    "quotient": (("kind", "quotient"),),
    "inductive": (
        *(("numParams", "number"), ("numIndices", "number"), ("all", "names"), ("ctors", "names"), ("numNested", "number")),
        *(("isRec", "flag"), ("isUnsafe", "flag"), ("isReflexive", "flag")),
    ),
    "constructor": (("induct", "name"), *((key, "number") for key in ("cidx", "numParams", "numFields")), ("isUnsafe", "flag")),
    "recursor": (
        *(("all", "names"), *((key, "number") for key in ("numParams", "numIndices", "numMotives", "numMinors"))),
        *(("rules", "rules"), ("k", "flag"), ("isUnsafe", "flag")),
    ),
}
# sorts that Lean stores as one byte, with the meaning of each value
BYTES: dict[str, tuple[Any, ...]] = {
    "flag": (False, True),
    "safety": ("unsafe", "safe", "partial"),
    "quotient": ("type", "ctor", "lift", "ind"),
}
WITH_VALUE = ("definition", "theorem", "opaque")
FAMILY = ("inductive", "constructor", "recursor")
QUOTIENT: tuple[Name, ...] = (("Quot",), ("Quot", "mk"), ("Quot", "lift"), ("Quot", "ind"))
# what the kernel turns a literal into
_LITERAL: dict[type, set[Name]] = {int: {("Nat",)}, str: {("Nat",), ("Char", "ofNat"), ("String", "ofList")}}

Rule = tuple[Name, int, int]  # constructor, number of fields, term


class Incomplete(ValueError):
    """The declarations cannot be exported: one is missing, unsafe, or depends on itself."""


@dataclass(frozen=True)
class Entry:
    """One declaration. `type` and `value` are numbers in a table; `facts` are those of FACTS.

    Hints are -2 for opaque, -1 for an abbreviation, otherwise the height.
    """

    name: Name
    kind: str
    levels: tuple[Name, ...]
    type: int
    value: int | None
    facts: dict[str, Any]

    @property
    def terms(self) -> list[int]:
        """Return type, value and the rules of a recursor."""
        return [self.type, *([] if self.value is None else [self.value]), *(rule[2] for rule in self.facts.get("rules", ()))]

    @property
    def constant(self) -> Constant:
        """Return what the kernel needs to add a definition, theorem, opaque constant, axiom or inductive type."""
        details: tuple[object, ...] = ()
        if self.kind == "definition":
            details = (self.facts["hints"], BYTES["safety"].index(self.facts["safety"]))
        elif self.kind == "inductive":
            details = (self.facts["numParams"], self.facts["all"], self.facts["ctors"], int(self.facts["isUnsafe"]))
        return Constant(self.name, self.kind, self.levels, self.type, self.value, details)

    @property
    def safe(self) -> bool:
        """Whether the declaration is neither unsafe nor partial."""
        return not self.facts.get("isUnsafe", False) and self.facts.get("safety", "safe") == "safe"


def _rules(file: Olean, pointer: int) -> tuple[Rule, ...]:
    rules = [file.fields_at(item, 3) for item in file.items(pointer)]
    return tuple((file.name(constructor), file.natural(count), file.term(right)) for constructor, count, right in rules)


_READ: dict[str, Callable[[Olean, int], Any]] = {
    "hints": Olean.hints,
    "name": Olean.name,
    "names": Olean.name_list,
    "number": Olean.natural,
    "rules": _rules,
}


def read_entry(file: Olean, name: Name) -> Entry:
    """Return the declaration of a name. Raises KeyError if there is none, OleanError if it cannot be read."""
    constant = file.constant(name)
    _, fields, flags = file.stored(name)
    objects, scalars = iter(fields[1 + (constant.kind in WITH_VALUE) :]), iter(flags)
    facts: dict[str, Any] = {}
    try:
        for key, sort in FACTS[constant.kind]:
            facts[key] = BYTES[sort][next(scalars)] if sort in BYTES else _READ[sort](file, next(objects))
    except (IndexError, StopIteration) as error:
        raise OleanError("the file is damaged: a declaration lacks a field") from error
    return Entry(name, constant.kind, constant.levels, constant.type, constant.value, facts)


def dependencies(table: Table, entry: Entry) -> set[Name]:
    """Return the constants that the terms of a declaration mention, or that the kernel makes out of their literals."""
    names: set[Name] = set()
    seen: set[int] = set()
    stack = entry.terms
    while stack:
        at = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        node: tuple[Any, ...] = table.nodes[at]
        if node[0] in ("const", "proj"):
            names.add(node[1])
        elif node[0] == "lit":
            names |= _LITERAL[type(node[1])]
        if node[0] not in ("const", "sort"):
            stack += children(node)
    return names


def shown(name: Name) -> str:
    """Return the name as Lean prints it, but without guillemets."""
    return ".".join(map(str, name))


class Sources:
    """Compiled files that share a table and have no name in common."""

    def __init__(self, table: Table, files: Iterable[Olean]) -> None:
        self._table = table
        self._files = tuple(files)
        self._recursors: dict[Name, list[Name]] = {}
        self._known: dict[Name, tuple[list[Entry], list[Name]]] = {}
        for file in self._files:
            for name in file.names:
                kind, fields, _ = file.stored(name)
                for type_ in file.name_list(fields[1]) if kind == "recursor" else ():
                    self._recursors.setdefault(type_, []).append(name)

    def _entry(self, name: Name) -> Entry:
        for file in self._files:
            if name in file.names:
                entry = read_entry(file, name)
                if not entry.safe:
                    raise Incomplete(f"{shown(name)} is unsafe or partial")
                return entry
        raise Incomplete(f"{shown(name)} is not declared in the compiled files")

    def _family(self, name: Name) -> list[Entry]:
        entry = self._entry(name)
        if entry.kind == "quotient":
            return [self._entry(each) for each in QUOTIENT]
        if entry.kind not in FAMILY:
            return [entry]
        head = entry
        if entry.kind == "constructor":
            head = self._entry(entry.facts["induct"])
        elif entry.kind == "recursor" and entry.facts["all"]:
            head = self._entry(entry.facts["all"][0])
        types = [self._entry(each) for each in head.facts.get("all", ())]
        if not types or any(each.kind != "inductive" for each in types):
            raise Incomplete(f"{shown(name)} belongs to something that is not an inductive type")
        constructors = [self._entry(each) for type_ in types for each in type_.facts["ctors"]]
        recursors = sorted({each for type_ in types for each in self._recursors.get(type_.name, ())}, key=_key)
        return [*types, *constructors, *map(self._entry, recursors)]

    def family(self, name: Name) -> tuple[list[Entry], list[Name]]:
        """Return the declarations that are made together with this one, in the order of the format, and the names that they depend on.

        These are inductive types that refer to each other with their constructors and recursors, the four constants of the quotient, or
        the one declaration. Raises Incomplete if one is missing or not safe, OleanError if one cannot be read.
        """
        if name not in self._known:
            family = self._family(name)
            inside = {entry.name for entry in family}
            if name not in inside:
                raise Incomplete(f"{shown(name)} is not among the declarations made with it")
            needed = set().union(*(dependencies(self._table, entry) for entry in family)) - inside
            self._known.update(dict.fromkeys(inside, (family, sorted(needed, key=_key))))
        return self._known[name]


def _key(name: Name) -> tuple[tuple[bool, str, int], ...]:
    return tuple((True, part, 0) if isinstance(part, str) else (False, "", part) for part in name)


def families(sources: Sources, target: Name) -> Iterator[list[Entry]]:
    """Yield all that the target depends on, and the target, each family after those that it depends on. Raises like `Sources.family`."""
    done: set[Name] = set()
    opened: set[Name] = set()
    stack = [target]
    while stack:
        name = stack[-1]
        if name in done:
            stack.pop()
            continue
        family, needed = sources.family(name)
        missing = [other for other in needed if other not in done]
        if not missing:
            yield family
            done |= {entry.name for entry in family}
            stack.pop()
            continue
        if family[0].name in opened:
            raise Incomplete(f"{shown(name)} depends on itself")
        opened.add(family[0].name)
        stack += reversed(missing)
