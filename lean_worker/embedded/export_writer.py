"""Writer of the lean4export format, version 3.1.0: one JSON object per line, every name, level and term once and before its first use.

Annotations are left out, as lean4export does unless it is asked for them; the names of bound variables are kept. Standard library only:
loaded by a plain script.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from declarations import BYTES, FACTS, FAMILY, Entry
from kernel import children, decimal
from olean import Name, Table

FORMAT = "3.1.0"
KEYS = {"axiom": "axiom", "definition": "def", "theorem": "thm", "opaque": "opaque", "quotient": "quot"}
GROUPS = {"inductive": "types", "constructor": "ctors", "recursor": "recs"}
BINDER_INFO = ("default", "implicit", "strictImplicit", "instImplicit")
_LONG = 10**4000  # Python refuses to print longer numbers


class Writer:
    """Writes families of declarations, each after those that it depends on.

    Args:
        table: the table that the entries' terms are numbered in.
        binders: for each term that binds a variable the variable's name; variables without a name become anonymous.
        write: receives the lines, each with its end.
        lean: version and revision of the Lean that made the declarations.
        exporter: name and version of the program that writes.
    """

    def __init__(
        self, table: Table, binders: dict[int, Name], write: Callable[[str], object], lean: tuple[str, str], exporter: tuple[str, str]
    ) -> None:
        self._table, self._binders, self._write = table, binders, write
        self._names: dict[Name, int] = {(): 0}
        self._levels: dict[int, int] = {table.add(("zero",)): 0}
        self._terms: dict[int, int] = {}
        versions = {"exporter": dict(zip(("name", "version"), exporter, strict=True))}
        versions["lean"] = {"version": lean[0], "githash": lean[1]}
        versions["format"] = {"version": FORMAT}
        self._line({"meta": versions})

    def _line(self, item: dict[str, Any]) -> None:
        self._write(json.dumps(item, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n")

    def family(self, entries: list[Entry]) -> None:
        """Write the declarations that are made together: as one object for inductive types, otherwise each as its own."""
        if entries[0].kind not in FAMILY:
            for entry in entries:
                self._line({KEYS[entry.kind]: self._entry(entry)})
            return
        shown: dict[str, list[dict[str, Any]]] = {key: [] for key in GROUPS.values()}
        for entry in entries:
            shown[GROUPS[entry.kind]].append(self._entry(entry))
        self._line({"inductive": shown})

    def _entry(self, entry: Entry) -> dict[str, Any]:
        shown: dict[str, Any] = {"name": self._name(entry.name), "levelParams": self._all_names(entry.levels)}
        for level in entry.levels:
            self._level(self._table.add(("param", level)))
        shown["type"] = self._term(entry.type)
        if entry.value is not None:
            shown["value"] = self._term(entry.value)
        for key, sort in FACTS[entry.kind]:
            shown[key] = self._fact(sort, entry.facts[key])
        return shown

    def _fact(self, sort: str, fact: Any) -> Any:
        if sort == "name":
            return self._name(fact)
        if sort == "names":
            return self._all_names(fact)
        if sort == "hints":
            return {-2: "opaque", -1: "abbrev"}.get(fact, {"regular": fact})
        if sort == "rules":
            return [{"ctor": self._name(name), "nfields": count, "rhs": self._term(right)} for name, count, right in fact]
        assert sort == "number" or sort in BYTES
        return fact

    def _name(self, name: Name) -> int:
        for length in range(1, len(name) + 1):
            part = name[:length]
            if part not in self._names:
                pre, last = self._names[part[:-1]], part[-1]
                shown = {"str": {"pre": pre, "str": last}} if isinstance(last, str) else {"num": {"pre": pre, "i": last}}
                self._names[part] = len(self._names)
                self._line({**shown, "in": self._names[part]})
        return self._names[name]

    def _all_names(self, names: Iterable[Name]) -> list[int]:
        return [self._name(name) for name in names]

    def _level(self, number: int) -> int:
        if number not in self._levels:
            kind, *parts = self._table.nodes[number]
            shown: Any
            if kind == "param":
                shown = self._name(parts[0])
            else:
                below = [self._level(part) for part in parts]
                shown = below[0] if kind == "succ" else below
            self._levels[number] = len(self._levels)
            self._line({str(kind): shown, "il": self._levels[number]})
        return self._levels[number]

    def _term(self, number: int) -> int:
        stack = [number]
        while stack:
            at = stack[-1]
            if at in self._terms:
                stack.pop()
                continue
            node: tuple[Any, ...] = self._table.nodes[at]
            missing = [] if node[0] in ("sort", "const") else [child for child in children(node) if child not in self._terms]
            if missing:
                stack += reversed(missing)
                continue
            shown = self._node(at, node)
            self._terms[at] = len(self._terms)
            self._line({**shown, "ie": self._terms[at]})
            stack.pop()
        return self._terms[number]

    def _node(self, number: int, node: tuple[Any, ...]) -> dict[str, Any]:
        kind = node[0]
        if kind == "bvar":
            return {"bvar": node[1]}
        if kind == "sort":
            return {"sort": self._level(node[1])}
        if kind == "const":
            return {"const": {"name": self._name(node[1]), "us": [self._level(level) for level in node[2:]]}}
        if kind == "lit":
            return {"strVal": node[1]} if isinstance(node[1], str) else {"natVal": digits(node[1])}
        below = [self._terms[child] for child in children(node)]
        if kind == "app":
            return {"app": {"fn": below[0], "arg": below[1]}}
        if kind == "proj":
            return {"proj": {"typeName": self._name(node[1]), "idx": node[2], "struct": below[0]}}
        name = self._name(self._binders.get(number, ()))
        if kind == "let":
            return {"letE": {"name": name, "type": below[0], "value": below[1], "body": below[2], "nondep": False}}
        key = {"lam": "lam", "forall": "forallE"}[kind]
        return {key: {"name": name, "type": below[0], "body": below[1], "binderInfo": BINDER_INFO[node[1]]}}


def digits(number: int) -> str:
    """Return the decimal digits of a natural number of any length."""
    return str(number) if number < _LONG else decimal(number).decode().lstrip("0")
