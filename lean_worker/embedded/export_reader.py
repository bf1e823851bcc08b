"""Reader of the lean4export format, version 3.1: a file becomes entries in a table. Every index, key and type is checked.

What no kernel looks at is dropped: names of bound variables, annotations, `nondep`. Standard library only: loaded by a plain script.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from declarations import BYTES, FACTS, WITH_VALUE, Entry
from export_writer import BINDER_INFO, GROUPS, KEYS
from olean import Name, Table

_SUPPORTED = "3.1."
_MOST_BINDERS = 1 << 16
_CHUNK = 4000  # Python refuses to read longer numbers
_KINDS = {key: kind for kind, key in KEYS.items()}
_TERMS: dict[str, dict[str, type]] = {
    "const": {"name": int, "us": list},
    "app": {"fn": int, "arg": int},
    "lam": {"name": int, "type": int, "body": int, "binderInfo": str},
    "forallE": {"name": int, "type": int, "body": int, "binderInfo": str},
    "letE": {"name": int, "type": int, "value": int, "body": int, "nondep": bool},
    "proj": {"typeName": int, "idx": int, "struct": int},
    "mdata": {"expr": int, "data": dict},
}
_SORTS: dict[str, type] = {"flag": bool, "safety": str, "quotient": str, "number": int, "name": int, "names": list, "rules": list}


class ExportError(ValueError):
    """The file is not in the lean4export format; the message names the line."""


@dataclass
class Export:
    """Content of a file: `families` in the order of the file, each of declarations that are made together."""

    versions: dict[str, Any] = field(default_factory=dict)
    families: list[list[Entry]] = field(default_factory=list)

    @property
    def entries(self) -> dict[Name, Entry]:
        """Return the declarations by name."""
        return {entry.name: entry for family in self.families for entry in family}


def read_export(lines: Iterable[str], table: Table) -> Export:
    """Read a file. Raises ExportError, with the number of the line, for anything that the format does not allow."""
    reader = _Reader(table)
    number = 0
    for number, line in enumerate(lines, 1):
        try:
            item = json.loads(line, object_pairs_hook=_object, parse_float=_no_number, parse_constant=_no_number)
            if type(item) is not dict:
                raise ExportError("is not a JSON object")
            reader.take(item, first=number == 1)
        except (ValueError, RecursionError) as error:
            raise ExportError(f"line {number}: {error}") from error
    if not number:
        raise ExportError("the file is empty")
    return reader.export


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ExportError("a key occurs twice")
    return found


def _no_number(text: str) -> None:
    raise ExportError(f"{text} is not a natural number")


def _shaped(item: Any, shape: dict[str, type]) -> list[Any]:
    """Return the values of an object with exactly these keys and types, in this order."""
    if type(item) is not dict or item.keys() != shape.keys():
        raise ExportError(f"expected an object with the keys {', '.join(shape)}")
    for key, expected in shape.items():
        if type(item[key]) is not expected or (expected is int and item[key] < 0):
            raise ExportError(f"{key} is not of type {expected.__name__}" if expected is not int else f"{key} is not a natural number")
    return [item[key] for key in shape]


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ExportError("a string contains half of a surrogate pair") from error
    return text


def _natural(text: Any) -> int:
    if type(text) is not str or not text.isascii() or not text.isdecimal():
        raise ExportError("natVal is not a string of digits")
    number = 0
    for at in range(0, len(text), _CHUNK):
        part = text[at : at + _CHUNK]
        number = number * 10 ** len(part) + int(part)
    return number


class _Reader:
    def __init__(self, table: Table) -> None:
        self.export = Export()
        self._table = table
        self._names: list[Name] = [()]
        self._levels = [table.add(("zero",))]
        self._terms: list[int] = []
        self._seen: set[Name] = set()

    def take(self, item: dict[str, Any], first: bool) -> None:
        if first != ("meta" in item):
            raise ExportError("the first line, and no other, must hold `meta`")
        if first:
            self._meta(item)
        elif "in" in item:
            self._index(item, "in", self._names, self._name)
        elif "il" in item:
            self._index(item, "il", self._levels, self._level)
        elif "ie" in item:
            self._index(item, "ie", self._terms, self._term)
        else:
            self._declare(item)

    def _meta(self, item: dict[str, Any]) -> None:
        (versions,) = _shaped(item, {"meta": dict})
        _, _, form = _shaped(versions, {"exporter": dict, "lean": dict, "format": dict})
        (version,) = _shaped(form, {"version": str})
        if not version.startswith(_SUPPORTED):
            raise ExportError(f"the format has version {version}, supported is {_SUPPORTED}x; export again with a matching lean4export")
        self.export.versions = versions

    def _index(self, item: dict[str, Any], key: str, known: list[Any], make: Any) -> None:
        index = item.pop(key)
        if type(index) is not int or index != len(known):
            raise ExportError(f"{key} is {index}, expected {len(known)}")
        if len(item) != 1:
            raise ExportError(f"expected one key next to {key}")
        ((kind, content),) = item.items()
        known.append(make(kind, content))

    @staticmethod
    def _at(known: list[Any], index: Any, what: str) -> Any:
        if type(index) is not int or not 0 <= index < len(known):
            raise ExportError(f"there is no {what} {index} yet")
        return known[index]

    def _name_at(self, index: Any) -> Name:
        name: Name = self._at(self._names, index, "name")
        return name

    def _level_at(self, index: Any) -> int:
        return int(self._at(self._levels, index, "level"))

    def _term_at(self, index: Any) -> int:
        return int(self._at(self._terms, index, "term"))

    def _name(self, kind: str, content: Any) -> Name:
        if kind not in ("str", "num"):
            raise ExportError(f"{kind} is not a kind of name")
        pre, last = _shaped(content, {"pre": int, "str": str} if kind == "str" else {"pre": int, "i": int})
        return (*self._name_at(pre), _text(last) if kind == "str" else last)

    def _level(self, kind: str, content: Any) -> int:
        if kind == "param":
            return self._table.add((kind, self._name_at(content)))
        if kind == "succ":
            return self._table.add((kind, self._level_at(content)))
        if kind in ("max", "imax") and type(content) is list and len(content) == 2:
            return self._table.add((kind, *map(self._level_at, content)))
        raise ExportError(f"{kind} is not a level")

    def _term(self, kind: str, content: Any) -> int:
        add = self._table.add
        if kind == "bvar":
            if type(content) is int and 0 <= content < _MOST_BINDERS:
                return add((kind, content))
            raise ExportError("bvar is not a natural number, or too large")
        if kind == "sort":
            return add((kind, self._level_at(content)))
        if kind == "natVal":
            return add(("lit", _natural(content)))
        if kind == "strVal" and type(content) is str:
            return add(("lit", _text(content)))
        if kind not in _TERMS:
            raise ExportError(f"{kind} is not a kind of term")
        parts = _shaped(content, _TERMS[kind])
        if kind == "const":
            return add((kind, self._name_at(parts[0]), *map(self._level_at, parts[1])))
        if kind == "proj":
            return add((kind, self._name_at(parts[0]), parts[1], self._term_at(parts[2])))
        if kind == "app":
            return add((kind, *map(self._term_at, parts)))
        if kind == "mdata":
            return self._term_at(parts[0])
        self._name_at(parts[0])
        if kind == "letE":
            return add(("let", *map(self._term_at, parts[1:4])))
        if parts[3] not in BINDER_INFO:
            raise ExportError(f"{parts[3]} is not a kind of binder")
        return add(("lam" if kind == "lam" else "forall", BINDER_INFO.index(parts[3]), self._term_at(parts[1]), self._term_at(parts[2])))

    def _declare(self, item: dict[str, Any]) -> None:
        if len(item) != 1:
            raise ExportError("expected a name, a level, a term or a declaration")
        ((key, content),) = item.items()
        if key == "inductive":
            groups = _shaped(content, dict.fromkeys(GROUPS.values(), list))
            family = [self._entry(kind, each) for kind, group in zip(GROUPS, groups, strict=True) for each in group]
            if not groups[0]:
                raise ExportError("an inductive declaration has no type")
        elif key in _KINDS:
            family = [self._entry(_KINDS[key], content)]
        else:
            raise ExportError(f"{key} is not a kind of declaration")
        self.export.families.append(family)

    def _entry(self, kind: str, content: Any) -> Entry:
        shape: dict[str, type] = {"name": int, "levelParams": list, "type": int} | ({"value": int} if kind in WITH_VALUE else {})
        sorts = dict(FACTS[kind])
        hints = content.get("hints") if type(content) is dict else None
        shape |= {key: type(hints) if sort == "hints" else _SORTS[sort] for key, sort in sorts.items()}
        found = dict(zip(shape, _shaped(content, shape), strict=True))
        name = self._name_at(found["name"])
        if name in self._seen or not name:
            raise ExportError(f"{'.'.join(map(str, name))} is declared twice" if name else "a declaration has no name")
        self._seen.add(name)
        value = self._term_at(found["value"]) if "value" in found else None
        facts = {key: self._fact(sort, found[key]) for key, sort in sorts.items()}
        return Entry(name, kind, tuple(map(self._name_at, found["levelParams"])), self._term_at(found["type"]), value, facts)

    def _fact(self, sort: str, found: Any) -> Any:
        if sort == "name":
            return self._name_at(found)
        if sort == "names":
            return tuple(map(self._name_at, found))
        if sort == "rules":
            rules = [_shaped(each, {"ctor": int, "nfields": int, "rhs": int}) for each in found]
            return tuple((self._name_at(name), count, self._term_at(right)) for name, count, right in rules)
        if sort == "hints":
            return _hints(found)
        if sort in BYTES and found not in BYTES[sort]:
            raise ExportError(f"{found} is not one of {', '.join(BYTES[sort])}")
        return found


def _hints(found: Any) -> int:
    if type(found) is str and found in ("opaque", "abbrev"):
        return ("opaque", "abbrev").index(found) - 2
    (height,) = _shaped(found, {"regular": int})
    if height >= 1 << 32:
        raise ExportError("the height of a definition is too large")
    return int(height)
