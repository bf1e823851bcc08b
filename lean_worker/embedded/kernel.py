"""Lean's kernel through its C interface: an environment of trusted declarations, to which others are added only if the kernel accepts them.

Terms are built from a table's nodes by Lean's own constructors, so cached hashes and flags of a file are never trusted. Every object made
here has reference count 0, which Lean treats as "never freed": right for a process that judges once and ends. Standard library only.
"""

import ctypes
import struct
from collections.abc import Iterable
from typing import Any

from olean import Constant, Name, Node, Table

_ARITY = {
    "lean_mk_string_from_bytes": 2,
    "lean_cstr_to_nat": 1,
    "lean_name_mk_string": 2,
    "lean_name_mk_numeral": 2,
    "lean_level_mk_succ": 1,
    "lean_level_mk_max": 2,
    "lean_level_mk_imax": 2,
    "lean_level_mk_param": 1,
    "l_Lean_Expr_bvar___override": 1,
    "l_Lean_Expr_sort___override": 1,
    "l_Lean_Expr_const___override": 2,
    "l_Lean_Expr_app___override": 2,
    "l_Lean_Expr_lit___override": 1,
    "l_Lean_Expr_proj___override": 3,
    "l_Lean_readModuleData": 2,
    "lean_elab_environment_to_kernel_env": 1,
    "lean_environment_add": 2,
    "lean_environment_find": 2,
    "lean_environment_mark_quot_init": 1,
    "lean_alloc_object": 1,
    "l_Lean_Expr_eqv___boxed": 2,
}
_BINDERS = {"lam": "l_Lean_Expr_lam___override", "forall": "l_Lean_Expr_forallE___override"}
_TRUE = 3
_QUOTIENT = 4 << 1 | 1  # Declaration.quotDecl, which has no fields
_NOTHING = 1  # Lean's representation of the first constructor without fields: Name.anonymous, List.nil, Level.zero, none
_REFUSALS = (
    *("unknown constant", "already declared", "the value does not have the type", "metavariables", "free variables", "function expected"),
    *("type expected", "type mismatch in a let", "type mismatch", "type mismatch in an application", "invalid projection"),
    *("the type of a theorem is not a proposition", "refused", "deterministic timeout", "excessive memory", "deep recursion"),
    "interrupted",
)
_OUT_OF_MEANS = _REFUSALS[-4:]


class KernelRefused(Exception):
    """The kernel did not accept a declaration."""


class KernelLost(Exception):
    """The kernel ran out of memory or stack: no verdict."""


def _signatures() -> dict[str, list[Any]]:
    """Return the argument types of every function that is called; all of them return an object."""
    object_, byte, size = ctypes.c_void_p, ctypes.c_uint8, ctypes.c_size_t
    return {
        **{name: [object_] * count for name, count in _ARITY.items()},
        **{name: [object_, object_, object_, byte] for name in _BINDERS.values()},
        "l_Lean_Expr_letE___override": [object_] * 4 + [byte],
        "l_Lean_mkEmptyEnvironment": [ctypes.c_uint32, object_],
        # environment, most heartbeats, greatest depth of recursion (0: no limit), declaration, token to cancel it
        "lean_add_decl": [object_, size, size, object_, object_],
    }


def _word(address: int, offset: int) -> int:
    return int(ctypes.c_uint64.from_address(address + offset).value)


class Kernel:
    """Kernel of the library, with every constant of the trusted file `core` added without checking, or with none. One per process."""

    def __init__(self, library: str, core: str | None, table: Table) -> None:
        self._lean = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
        for name, arguments in _signatures().items():
            function = getattr(self._lean, name)
            function.restype, function.argtypes = ctypes.c_void_p, arguments
        self._table = table
        self._built: dict[int, int] = {}
        self._names: dict[Name, int] = {(): _NOTHING}
        self._lean.lean_initialize()
        self._lean.lean_io_mark_end_initialization()
        self._lean.lean_set_exit_on_panic(ctypes.c_bool(True))  # otherwise Lean continues with a default value
        self._environment = self._import(core)

    def _result(self, answer: int) -> int:
        """Return the value of an IO action's result."""
        if ctypes.c_uint8.from_address(answer + 7).value != 0:
            raise KernelLost("the embedded Lean cannot read its core library")
        return self._kept(_word(answer, 8))

    def _import(self, core: str | None) -> int:
        empty = self._result(self._lean.l_Lean_mkEmptyEnvironment(0, _NOTHING))
        environment = self._lean.lean_elab_environment_to_kernel_env(empty)
        if core is None:
            return self._kept(environment)
        module = _word(self._result(self._lean.l_Lean_readModuleData(self._string(core), _NOTHING)), 8)
        constants = _word(module, 8 + 2 * 8)
        for index in range(_word(constants, 8)):
            environment = self._lean.lean_environment_add(environment, _word(constants, 24 + 8 * index))
        return self._kept(self._lean.lean_environment_mark_quot_init(environment))

    def _kept(self, pointer: int) -> int:
        """Return the object, marked as never to be freed."""
        if not pointer & 1:
            ctypes.c_int32.from_address(pointer).value = 0
        return pointer

    def _object(self, tag: int, fields: Iterable[int], scalars: bytes = b"") -> int:
        """Return a constructor object with these object fields, followed by these bytes."""
        fields = tuple(fields)
        scalars += bytes(-len(scalars) % 8)
        size = 8 + 8 * len(fields) + len(scalars)
        pointer = int(self._lean.lean_alloc_object(size))
        image = struct.pack(f"<iHBB{len(fields)}Q", 0, size, len(fields), tag, *fields) + scalars
        ctypes.memmove(pointer, image, size)
        return pointer

    def _list(self, items: Iterable[int]) -> int:
        pointer = _NOTHING
        for item in reversed(tuple(items)):
            pointer = self._object(1, (item, pointer))
        return pointer

    def _string(self, text: str) -> int:
        data = text.encode()
        return self._kept(self._lean.lean_mk_string_from_bytes(data, len(data)))

    def _natural(self, number: int) -> int:
        if number < 1 << 63:
            return number << 1 | 1
        digits = ctypes.create_string_buffer(decimal(number))
        return self._kept(self._lean.lean_cstr_to_nat(ctypes.addressof(digits)))

    def _name(self, name: Name) -> int:
        pointer = self._names.get(name)
        if pointer is None:
            before, last = self._name(name[:-1]), name[-1]
            if isinstance(last, str):
                made = self._lean.lean_name_mk_string(before, self._string(last))
            else:
                made = self._lean.lean_name_mk_numeral(before, self._natural(last))
            pointer = self._names[name] = self._kept(made)
        return pointer

    def _name_list(self, names: Iterable[Name]) -> int:
        return self._list(map(self._name, names))

    def _make(self, node: Node) -> int:
        """Return the object of a node whose children have been made."""
        lean, kind = self._lean, node[0]
        made = [self._built[child] for child in children(node)]
        if kind == "zero":
            return _NOTHING
        if kind in ("succ", "max", "imax"):
            return int(getattr(lean, f"lean_level_mk_{kind}")(*made))
        if kind == "param":
            return int(lean.lean_level_mk_param(self._name(node[1])))
        if kind == "lit":
            text = isinstance(node[1], str)
            made = [self._object(1, [self._string(node[1])]) if text else self._object(0, [self._natural(node[1])])]
        elif kind == "bvar":
            made = [self._natural(node[1])]
        elif kind == "const":
            made = [self._name(node[1]), self._list(made)]
        elif kind == "proj":
            made = [self._name(node[1]), self._natural(node[2]), *made]
        elif kind in ("lam", "forall"):
            return int(getattr(lean, _BINDERS[kind])(_NOTHING, *made, node[1]))
        elif kind == "let":
            return int(lean.l_Lean_Expr_letE___override(_NOTHING, *made, 0))
        return int(getattr(lean, f"l_Lean_Expr_{kind}___override")(*made))

    def _term(self, number: int) -> int:
        """Return the object of a node, making its children first."""
        stack = [number]
        while stack:
            at = stack[-1]
            if at in self._built:
                stack.pop()
                continue
            missing = [child for child in children(self._table.nodes[at]) if child not in self._built]
            if missing:
                stack += missing
                continue
            self._built[at] = self._kept(self._make(self._table.nodes[at]))
            stack.pop()
        return self._built[number]

    def _head(self, constant: Constant) -> int:
        """Return the ConstantVal: name, universe parameters, type."""
        return self._object(0, (self._name(constant.name), self._name_list(constant.levels), self._term(constant.type)))

    def _add(self, declaration: int, name: Name) -> None:
        answer = self._lean.lean_add_decl(self._environment, 0, 0, declaration, _NOTHING)
        if ctypes.c_uint8.from_address(answer + 7).value == 1:
            self._environment = self._kept(_word(answer, 8))
            return
        error = _word(answer, 8)
        tag = error >> 1 if error & 1 else ctypes.c_uint8.from_address(error + 7).value
        word = _REFUSALS[tag] if tag < len(_REFUSALS) else "refused"
        shown = ".".join(map(str, name))
        raise (KernelLost if word in _OUT_OF_MEANS else KernelRefused)(f"{shown}: {word}")

    def add(self, constant: Constant) -> None:
        """Let the kernel check a definition, theorem or opaque constant and add it.

        Raises KernelRefused if it is wrong, KernelLost if the kernel ran out of resources.
        """
        if constant.value is None:
            raise KernelRefused(f"{'.'.join(map(str, constant.name))}: cannot add a constant of kind {constant.kind} to the kernel")
        head, value, all_ = self._head(constant), self._term(constant.value), self._name_list([constant.name])
        if constant.kind == "definition":
            height, safety = constant.details
            assert isinstance(height, int) and isinstance(safety, int)
            hints = (height + 2) << 1 | 1 if height < 0 else self._object(2, (), struct.pack("<I", height))
            declaration = self._object(1, [self._object(0, (head, value, hints, all_), bytes([safety]))])
        elif constant.kind == "theorem":
            declaration = self._object(2, [self._object(0, (head, value, all_))])
        else:
            declaration = self._object(3, [self._object(0, (head, value, all_), bytes(1))])
        self._add(declaration, constant.name)

    def add_inductive(self, types: list[tuple[Constant, list[Constant]]], parameters: int) -> None:
        """Let the kernel check mutually inductive types, each with its constructors, and make their recursors. Raises like `add`."""

        def entry(constant: Constant, *more: int) -> int:
            return self._object(0, (self._name(constant.name), self._term(constant.type), *more))

        listed = self._list(entry(type_, self._list(map(entry, constructors))) for type_, constructors in types)
        first = types[0][0]
        self._add(self._object(6, (self._name_list(first.levels), self._natural(parameters), listed), bytes(1)), first.name)

    def add_axiom(self, constant: Constant) -> None:
        """Let the kernel check the type of an axiom and add it. Raises like `add`."""
        self._add(self._object(0, [self._object(0, (self._head(constant),), bytes(1))]), constant.name)

    def add_quotient(self) -> None:
        """Let the kernel make the constants of the quotient, which need `Eq`. Raises like `add`."""
        self._add(_QUOTIENT, ("Quot",))

    def find(self, name: Name) -> int | None:
        """Return the address of a constant's ConstantInfo, or None if the environment does not contain it."""
        found = int(self._lean.lean_environment_find(self._environment, self._name(name)))
        return None if found == _NOTHING else _word(found, 8)

    def has(self, name: Name) -> bool:
        """Return whether the environment contains a constant of this name."""
        return self.find(name) is not None

    def is_term(self, pointer: int, number: int) -> bool:
        """Return whether an expression of Lean's equals a term of the table, up to names and kinds of bound variables."""
        return bool(self._lean.l_Lean_Expr_eqv___boxed(self._kept(pointer), self._term(number)) == _TRUE)  # it consumes its arguments


def decimal(number: int) -> bytes:
    """Return the decimal digits of a number of any length; Python itself refuses to convert long ones."""
    digits: list[str] = []
    while number:
        number, rest = divmod(number, 10**4000)
        digits.append(str(rest).zfill(4000))
    return "".join(reversed(digits)).encode()


def children(node: Node) -> Iterable[int]:
    """Return the numbers of a node's children."""
    kind = node[0]
    if kind in ("bvar", "lit", "param", "zero"):
        return ()
    first = {"const": 2, "lam": 2, "forall": 2, "proj": 3}.get(str(kind), 1)
    return node[first:]
