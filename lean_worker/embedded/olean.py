"""Reader for the constants of an .olean file without Lean. Every offset is checked, so that a malicious file can be read safely.

An .olean is an image of Lean objects, children before parents. Terms become nodes in a table in which equal terms have equal numbers,
so comparing two files means comparing numbers. Dropped is what no kernel looks at: the names of bound variables, annotations, and the
cached hashes and flags, which a forged file could state wrongly. Standard library only: the judge loads it as a plain script.
"""

import struct
from collections.abc import Set
from dataclasses import dataclass, field

Name = tuple[str | int, ...]
Node = tuple[object, ...]

KINDS = ("axiom", "definition", "theorem", "opaque", "quotient", "inductive", "constructor", "recursor")
_HEADER = 88
_ARRAY, _STRING, _BIG = 246, 249, 250
_LAST_CONSTRUCTOR = 244
_MOST_BINDERS = 1 << 16  # Lean's own cached data overflow at 1 << 20
_LEVELS = ("zero", "succ", "max", "imax", "param")
_EXPRESSIONS = ("bvar", "fvar", "mvar", "sort", "const", "app", "lam", "forall", "let", "lit", "mdata", "proj")
_DAMAGE = (struct.error, IndexError, ValueError)


class OleanError(ValueError):
    """The file is not an .olean of this Lean, or contains something that a finished declaration must not contain."""


@dataclass
class Table:
    """All nodes; a node's number is its index. Children have smaller numbers than their parents."""

    nodes: list[Node] = field(default_factory=list)
    numbers: dict[Node, int] = field(default_factory=dict)

    def add(self, node: Node) -> int:
        number = self.numbers.get(node)
        if number is None:
            number = self.numbers[node] = len(self.nodes)
            self.nodes.append(node)
        return number


@dataclass(frozen=True)
class Constant:
    """One declaration. `type` and `value` are numbers in the table. `details` depends on the kind:

    definition (hints, safety), opaque (unsafe,), inductive (parameters, all, constructors, unsafe), constructor and recursor (inductive,).
    """

    name: Name
    kind: str
    levels: tuple[Name, ...]
    type: int
    value: int | None = None
    details: tuple[object, ...] = ()


class Olean:
    """The constants of one file, read on demand."""

    def __init__(self, data: bytes, table: Table, binders: dict[int, Name] | None = None) -> None:
        """Open a file. `binders`, if given, collects for each term that binds a variable the name that it has at its first occurrence."""
        if len(data) < _HEADER + 16 or data[:6] != b"olean\x02":
            raise OleanError("the file is not an .olean file of version 2")
        self._data = data
        self._table = table
        self._binders = binders
        (self._base,) = struct.unpack_from("<Q", data, _HEADER - 8)
        self._names: dict[int, Name] = {}
        self._levels: dict[int, int] = {}
        self._terms: dict[int, int] = {}
        self._scanned: set[int] = set()
        try:
            (root,) = struct.unpack_from("<Q", data, _HEADER)
            parts = self._fields(self._offset(root), 0, 5)
            self._imports, names, constants = (self._array(part) for part in parts[:3])
            self._constants = {self.name(name): self._offset(value) for name, value in zip(names, constants, strict=True)}
        except _DAMAGE as error:
            raise OleanError(f"the file is damaged: {error}") from error

    @property
    def names(self) -> Set[Name]:
        """The names of all constants."""
        return self._constants.keys()

    @property
    def version(self) -> str:
        """The version of Lean that wrote the file."""
        return self._data[7:40].rstrip(b"\0").decode(errors="replace")

    @property
    def imports(self) -> tuple[Name, ...]:
        """The modules that the file imports. Raises OleanError if they cannot be read."""
        found: list[Name] = []
        for pointer in self._imports:
            offset = self._offset(pointer)
            if not 1 <= self._data[offset + 6] <= _LAST_CONSTRUCTOR:
                raise OleanError("an import names no module")
            found.append(self.name(struct.unpack_from("<Q", self._data, offset + 8)[0]))
        return tuple(found)

    def _offset(self, pointer: int) -> int:
        offset = pointer - self._base
        if pointer & 7 or not _HEADER <= offset < len(self._data):
            raise OleanError("a pointer points outside the file")
        return offset

    def _below(self, pointer: int, parent: int) -> int:
        """Return the offset of a child: it precedes its parent, so reading terminates."""
        offset = self._offset(pointer)
        if offset >= parent:
            raise OleanError("an object follows the one that contains it")
        return offset

    def _fields(self, offset: int, tag: int | None, count: int) -> tuple[int, ...]:
        """Return the object fields of a constructor object."""
        number, found = self._data[offset + 6], self._data[offset + 7]
        if found > _LAST_CONSTRUCTOR or number != count or (tag is not None and found != tag):
            raise OleanError(f"an object has tag {found} and {number} fields, expected tag {tag} and {count}")
        return struct.unpack_from(f"<{count}Q", self._data, offset + 8)

    def fields_at(self, pointer: int, count: int) -> tuple[int, ...]:
        """Return the object fields of a structure."""
        return self._fields(self._offset(pointer), 0, count)

    def _array(self, pointer: int) -> tuple[int, ...]:
        offset = self._offset(pointer)
        if self._data[offset + 7] != _ARRAY:
            raise OleanError("an array is missing")
        (size,) = struct.unpack_from("<Q", self._data, offset + 8)
        if size > len(self._data) // 8:
            raise OleanError("an array is longer than the file")
        return struct.unpack_from(f"<{size}Q", self._data, offset + 24)

    def _string(self, pointer: int) -> str:
        offset = self._offset(pointer)
        if self._data[offset + 7] != _STRING:
            raise OleanError("a string is missing")
        (size,) = struct.unpack_from("<Q", self._data, offset + 8)
        begin = offset + 32
        if not 1 <= size <= len(self._data) - begin:
            raise OleanError("a string is longer than the file")
        try:
            return self._data[begin : begin + size - 1].decode()
        except UnicodeDecodeError as error:
            raise OleanError("a string is not UTF-8") from error

    def natural(self, pointer: int) -> int:
        """Return the natural number at a pointer."""
        if pointer & 1:
            return pointer >> 1
        offset = self._offset(pointer)
        if self._data[offset + 7] != _BIG:
            raise OleanError("a number is missing")
        size, limbs = struct.unpack_from("<iQ", self._data, offset + 12)
        begin = self._offset(limbs)
        if size <= 0 or begin + 8 * size > len(self._data):
            raise OleanError("a number is negative or longer than the file")
        return int.from_bytes(self._data[begin : begin + 8 * size], "little")

    def items(self, pointer: int) -> list[int]:
        """Return pointers to the items of a list."""
        items, limit = [], len(self._data)
        while not pointer & 1:
            limit = self._below(pointer, limit)
            head, pointer = self._fields(limit, 1, 2)
            items.append(head)
        return items

    def name(self, pointer: int) -> Name:
        """Return the name at a pointer."""
        parts: list[str | int] = []
        at, limit, start = pointer, len(self._data), pointer
        while not at & 1:
            if at in self._names:
                break
            limit = self._below(at, limit)
            tag = self._data[limit + 7]
            at, last = self._fields(limit, None, 2)
            if tag not in (1, 2):
                raise OleanError("a name is neither text nor number")
            parts.append(self._string(last) if tag == 1 else self.natural(last))
        name = (*self._names.get(at, ()), *reversed(parts))
        if not start & 1:
            self._names[start] = name
        return name

    def name_list(self, pointer: int) -> tuple[Name, ...]:
        """Return the names in a list."""
        return tuple(map(self.name, self.items(pointer)))

    def _level(self, pointer: int, depth: int = 0) -> int:
        if pointer == 1:
            return self._table.add(("zero",))
        offset = self._offset(pointer)
        if offset in self._levels:
            return self._levels[offset]
        tag = self._data[offset + 7]
        if not 1 <= tag < len(_LEVELS) or depth > 200:
            raise OleanError("a universe level contains a metavariable or is nested too deeply")
        fields = self._fields(offset, tag, (0, 1, 2, 2, 1)[tag])
        parts: list[object] = [self.name(fields[0])] if tag == 4 else [self._level(child, depth + 1) for child in fields]
        self._levels[offset] = self._table.add((_LEVELS[tag], *parts))
        return self._levels[offset]

    def _children(self, offset: int) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
        """Return kind, object fields, and those of them that are expressions."""
        tag = self._data[offset + 7]
        if tag >= len(_EXPRESSIONS) or tag in (1, 2):
            raise OleanError("an expression contains a free variable or a metavariable")
        fields = self._fields(offset, tag, (1, 1, 1, 1, 2, 2, 3, 3, 4, 1, 2, 3)[tag])
        below = {5: fields, 6: fields[1:], 7: fields[1:], 8: fields[1:], 10: fields[1:], 11: fields[2:]}.get(tag, ())
        return _EXPRESSIONS[tag], fields, tuple(self._below(child, offset) for child in below)

    def _node(self, offset: int, kind: str, fields: tuple[int, ...], below: list[int]) -> int:
        add = self._table.add
        if kind == "mdata":
            return below[0]
        if kind == "bvar":
            index = self.natural(fields[0])
            if index < _MOST_BINDERS:
                return add((kind, index))
            raise OleanError("a variable is bound too far outside")
        if kind == "sort":
            return add((kind, self._level(fields[0])))
        if kind == "const":
            return add((kind, self.name(fields[0]), *map(self._level, self.items(fields[1]))))
        if kind in ("lam", "forall"):
            return add((kind, self._data[offset + 8 + 8 * 3 + 8], *below))
        if kind == "lit":
            literal = self._offset(fields[0])
            (value,) = self._fields(literal, None, 1)
            return add((kind, self._string(value) if self._data[literal + 7] else self.natural(value)))
        if kind == "proj":
            return add((kind, self.name(fields[0]), self.natural(fields[1]), *below))
        return add((kind, *below))

    def term(self, pointer: int) -> int:
        """Return the number of the term at a pointer."""
        start = self._offset(pointer)
        stack = [start]
        while stack:
            offset = stack[-1]
            if offset in self._terms:
                stack.pop()
                continue
            kind, fields, below = self._children(offset)
            missing = [child for child in below if child not in self._terms]
            if missing:
                stack += missing
                continue
            self._terms[offset] = self._node(offset, kind, fields, [self._terms[child] for child in below])
            if self._binders is not None and kind in ("lam", "forall", "let"):
                self._binders.setdefault(self._terms[offset], self.name(fields[0]))
            stack.pop()
        return self._terms[start]

    def _parts(self, name: Name) -> tuple[int, int, tuple[int, ...]]:
        """Return kind, offset and fields of the value inside the ConstantInfo of a name."""
        info = self._constants[name]
        tag = self._data[info + 7]
        if tag >= len(KINDS):
            raise OleanError("a constant has no known kind")
        offset = self._below(self._fields(info, tag, 1)[0], info)
        return tag, offset, self._fields(offset, 0, (1, 4, 3, 3, 1, 6, 5, 7)[tag])

    def _scalars(self, offset: int, fields: tuple[int, ...]) -> bytes:
        begin = offset + 8 + 8 * len(fields)
        return self._data[begin : begin + 4]

    def stored(self, name: Name) -> tuple[str, tuple[int, ...], bytes]:
        """Return a constant's kind, its object fields, the first of which is its head, and the flags after them. Raises like `constant`."""
        try:
            tag, offset, fields = self._parts(name)
        except _DAMAGE as error:
            raise OleanError(f"the file is damaged: {error}") from error
        return KINDS[tag], fields, self._scalars(offset, fields)

    def constant(self, name: Name) -> Constant:
        """Return the declaration of a name. Raises KeyError if there is none, OleanError if it cannot be read."""
        try:
            return self._constant(name)
        except _DAMAGE as error:
            raise OleanError(f"the file is damaged: {error}") from error

    def _constant(self, name: Name) -> Constant:
        tag, offset, fields = self._parts(name)
        own_name, levels, type_ = self._fields(self._below(fields[0], offset), 0, 3)
        if self.name(own_name) != name:
            raise OleanError("a constant is stored under another name")
        value = self.term(fields[1]) if tag in (1, 2, 3) else None
        scalars = self._scalars(offset, fields)
        details: tuple[object, ...] = ()
        if tag == 1:
            details = (self.hints(fields[2]), scalars[0])
        elif tag == 3:
            details = (scalars[0],)
        elif tag == 5:
            all_, constructors = self.name_list(fields[3]), self.name_list(fields[4])
            details = (self.natural(fields[1]), all_, constructors, scalars[1])
        elif tag == 6:
            details = (self.name(fields[1]),)
        elif tag == 7:
            details = self.name_list(fields[1])[:1]
        return Constant(name, KINDS[tag], self.name_list(levels), self.term(type_), value, details)

    def hints(self, pointer: int) -> int:
        """Return the reducibility: -2 for opaque, -1 for abbreviation, otherwise the height."""
        if pointer & 1:
            return (pointer >> 1) - 2
        (height,) = struct.unpack_from("<I", self._data, self._offset(pointer) + 8)
        return int(height)

    def used(self, name: Name) -> tuple[str, set[Name]]:
        """Return the kind of a constant and the constants in it, except in terms visited by an earlier call. Raises like `constant`."""
        try:
            return self._used(name)
        except _DAMAGE as error:
            raise OleanError(f"the file is damaged: {error}") from error

    def _used(self, name: Name) -> tuple[str, set[Name]]:
        tag, offset, fields = self._parts(name)
        lists, single = {5: fields[3:5], 7: fields[1:2]}.get(tag, ()), fields[1:2] if tag == 6 else ()
        names = {name for pointer in lists for name in self.name_list(pointer)} | set(map(self.name, single))
        stack = [self._offset(self._fields(self._below(fields[0], offset), 0, 3)[2])]
        stack += [self._offset(fields[1])] if tag in (1, 2, 3) else []
        while stack:
            at = stack.pop()
            if at not in self._scanned:
                self._scanned.add(at)
                kind, parts, below = self._children(at)
                if kind in ("const", "proj"):
                    names.add(self.name(parts[0]))
                stack += below
        return KINDS[tag], names
