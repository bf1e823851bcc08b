"""Lean's runtime objects through ctypes: build and read strings, names, lists, arrays and constructor objects.

Every object made or kept here has reference count 0, which Lean treats as "never freed". That is right for processes that live for one
check or keep a state permanently. Standard library only: fork server and judge load it as a plain script.
"""

import ctypes
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Name = tuple[str | int, ...]

NOTHING = 1  # a first constructor without fields (Name.anonymous, List.nil, Option.none, false) or an erased argument
_ARRAY, _STRING = 246, 249
_IO_ERROR = 1


class LeanError(Exception):
    """A function of Lean's library raised a Lean exception."""


def word(address: int, offset: int) -> int:
    """Return the 8 bytes at an address as a number."""
    return int(ctypes.c_uint64.from_address(address + offset).value)


def byte(address: int, offset: int) -> int:
    return int(ctypes.c_uint8.from_address(address + offset).value)


def field(pointer: int, index: int) -> int:
    """Return an object field of a constructor object."""
    return word(pointer, 8 + 8 * index)


def tag(pointer: int) -> int:
    """Return the number of an object's constructor."""
    return pointer >> 1 if pointer & 1 else byte(pointer, 7)


def keep(pointer: int) -> int:
    """Make an object immortal. Objects in the library's own read-only data already are."""
    if not pointer & 1 and ctypes.c_int32.from_address(pointer).value:
        ctypes.c_int32.from_address(pointer).value = 0
    return pointer


def read_string(pointer: int) -> str:
    return ctypes.string_at(pointer + 32, word(pointer, 8) - 1).decode("utf-8", "replace")


def read_array(pointer: int) -> list[int]:
    return [word(pointer, 24 + 8 * index) for index in range(word(pointer, 8))]


def read_list(pointer: int) -> Iterator[int]:
    while not pointer & 1:
        yield field(pointer, 0)
        pointer = field(pointer, 1)


def read_name(pointer: int) -> Name:
    parts: list[str | int] = []
    while not pointer & 1:
        last = field(pointer, 1)
        parts.append(read_string(last) if tag(pointer) == 1 else last >> 1)
        pointer = field(pointer, 0)
    return tuple(reversed(parts))


def result(answer: int) -> int:
    """Return the value of an IO action. Raises LeanError if the action failed."""
    if byte(answer, 7) == _IO_ERROR:
        raise LeanError(f"Lean raised an exception of kind {tag(field(answer, 0))}")
    return keep(field(answer, 0))


class Objects:
    """Factory of objects, using the constructors of a loaded library."""

    def __init__(self, lean: ctypes.CDLL) -> None:
        self._lean = lean
        pointer = ctypes.c_void_p
        self._allocate = self.function("lean_alloc_object", ctypes.c_size_t)
        self._make_string = self.function("lean_mk_string_from_bytes", ctypes.c_char_p, ctypes.c_size_t)
        self._string_part = self.function("lean_name_mk_string", pointer, pointer)
        self._number_part = self.function("lean_name_mk_numeral", pointer, pointer)

    def function(self, name: str, *arguments: Any, returns: Any = ctypes.c_void_p) -> Callable[..., Any]:
        """Return a function of the library, which returns an object unless `returns` says otherwise."""
        found = getattr(self._lean, name)
        found.argtypes, found.restype = arguments, returns
        called: Callable[..., Any] = found
        return called

    def constant(self, name: str) -> int:
        """Return the object that a constant of the library holds."""
        return int(ctypes.c_void_p.in_dll(self._lean, name).value or 0)

    def constructor(self, number: int, fields: Iterable[int], scalars: bytes = b"") -> int:
        """Return a constructor object with these object fields, followed by these bytes."""
        fields = tuple(fields)
        scalars += bytes(-len(scalars) % 8)
        size = 8 + 8 * len(fields) + len(scalars)
        pointer = int(self._allocate(size))
        ctypes.memmove(pointer, struct.pack(f"<iHBB{len(fields)}Q", 0, size, len(fields), number, *fields) + scalars, size)
        return pointer

    def array(self, items: Iterable[int]) -> int:
        items = tuple(items)
        size = 24 + 8 * len(items)
        pointer = int(self._allocate(size))
        ctypes.memmove(pointer, struct.pack(f"<iHBBQQ{len(items)}Q", 0, 0, 0, _ARRAY, len(items), len(items), *items), size)
        return pointer

    def list(self, items: Iterable[int]) -> int:
        pointer = NOTHING
        for item in reversed(tuple(items)):
            pointer = self.constructor(1, (item, pointer))
        return pointer

    def string(self, text: str) -> int:
        data = text.encode()
        return keep(int(self._make_string(data, len(data))))

    def name(self, name: Name) -> int:
        pointer = NOTHING
        for part in name:
            made = self._string_part(pointer, self.string(part)) if isinstance(part, str) else self._number_part(pointer, part << 1 | 1)
            pointer = keep(int(made))
        return pointer
