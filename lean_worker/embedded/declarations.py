"""Whole declarations with all that the lean4export format states about them, and the order in which they depend on each other.

A `Constant` of `olean.py` holds what a comparison needs; an `Entry` holds everything that Lean stores. Standard library only: loaded by
plain scripts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Sources:
    """Compiled files that share a table and have no name in common."""

    table: Table
    files: tuple[Olean, ...]
    recursors: dict[Name, list[Name]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for file in self.files:
            for name in file.names:
                kind, fields, _ = file.stored(name)
                for type_ in file.name_list(fields[1]) if kind == "recursor" else ():
                    self.recursors.setdefault(type_, []).append(name)

    def entry(self, name: Name) -> Entry:
        """Return a declaration. Raises Incomplete if no file has it, or if it is not safe."""
        for file in self.files:
            if name in file.names:
                entry = read_entry(file, name)
                if not entry.safe:
                    raise Incomplete(f"{'.'.join(map(str, name))} is unsafe or partial")
                return entry
        raise Incomplete(f"{'.'.join(map(str, name))} is not declared in the compiled files")

    def family(self, name: Name) -> list[Entry]:
        """Return the declarations that are made together with this one, in the order of the format: inductive types that refer to each
        other, their constructors, their recursors; the four constants of the quotient; or the one declaration."""
        entry = self.entry(name)
        if entry.kind == "quotient":
            return [self.entry(each) for each in QUOTIENT]
        if entry.kind not in FAMILY:
            return [entry]
        head = entry
        if entry.kind == "constructor":
            head = self.entry(entry.facts["induct"])
        elif entry.kind == "recursor" and entry.facts["all"]:
            head = self.entry(entry.facts["all"][0])
        types = [self.entry(each) for each in head.facts.get("all", ())]
        if not types or any(each.kind != "inductive" for each in types):
            raise Incomplete(f"{'.'.join(map(str, name))} belongs to something that is not an inductive type")
        constructors = [self.entry(each) for type_ in types for each in type_.facts["ctors"]]
        made = sorted({each for type_ in types for each in self.recursors.get(type_.name, ())}, key=_key)
        return [*types, *constructors, *map(self.entry, made)]


def _key(name: Name) -> tuple[tuple[bool, str, int], ...]:
    return tuple((True, part, 0) if isinstance(part, str) else (False, "", part) for part in name)


def families(sources: Sources, targets: Iterable[Name]) -> Iterator[list[Entry]]:
    """Yield all that the targets depend on, and the targets, each family after those that it depends on. Raises Incomplete, OleanError."""
    done: set[Name] = set()
    known: dict[Name, tuple[list[Entry], list[Name]]] = {}
    for target in targets:
        stack, opened = [target], set()
        while stack:
            name = stack[-1]
            if name in done:
                stack.pop()
                continue
            if name not in known:
                family = sources.family(name)
                inside = {entry.name for entry in family}
                if name not in inside:
                    raise Incomplete(f"{'.'.join(map(str, name))} is not among the declarations made with it")
                needed = set().union(*(dependencies(sources.table, entry) for entry in family)) - inside
                known.update(dict.fromkeys(inside, (family, sorted(needed, key=_key))))
            family, needs = known[name]
            missing = [other for other in needs if other not in done]
            if missing:
                if family[0].name in opened:
                    raise Incomplete(f"{'.'.join(map(str, name))} depends on itself")
                opened.add(family[0].name)
                stack += missing
                continue
            yield family
            done |= {entry.name for entry in family}
            stack.pop()
