"""Check of exported declarations by Lean's kernel, from nothing: no constant is trusted, those of the core library included.

What the kernel makes by itself (constructors, recursors, quotient, and the facts about inductive types) is compared with what the file
states. Standard library only: loaded by a plain script.
"""

from collections.abc import Callable
from typing import Any

from declarations import BYTES, FACTS, Entry, shown
from kernel import Kernel, KernelRefused
from objects import byte, field, read_list, read_name, tag
from olean import KINDS, Name

_MADE_BY_THE_KERNEL = ("inductive", "constructor", "recursor", "quotient")


def replay(kernel: Kernel, families: list[list[Entry]]) -> int:
    """Let the kernel check and add all declarations in this order. Return their number.

    Args:
        kernel: a kernel without constants.
        families: declarations, each after those that it depends on.

    Raises:
        KernelRefused: a declaration is wrong, unsafe, or differs from what the kernel makes.
        KernelLost: the kernel ran out of memory or stack.
    """
    for family in families:
        first = family[0]
        for entry in family:
            if not entry.safe:
                raise KernelRefused(f"{shown(entry.name)}: is unsafe or partial")
        if first.kind == "inductive":
            _add_inductive(kernel, family)
        elif first.kind == "axiom":
            kernel.add_axiom(first.constant)
        elif first.kind != "quotient":
            kernel.add(first.constant)
        elif not kernel.has(("Quot",)):
            kernel.add_quotient()
        for entry in family:
            if entry.kind in _MADE_BY_THE_KERNEL:
                _compare(kernel, entry)
    return sum(map(len, families))


def _add_inductive(kernel: Kernel, family: list[Entry]) -> None:
    constructors = {entry.name: entry for entry in family if entry.kind == "constructor"}
    listed = []
    for entry in family:
        if entry.kind == "inductive":
            missing = [name for name in entry.facts["ctors"] if name not in constructors]
            if missing:
                raise KernelRefused(f"{shown(missing[0])}: unknown constant")
            listed.append((entry.constant, [constructors[name].constant for name in entry.facts["ctors"]]))
    kernel.add_inductive(listed, family[0].facts["numParams"])


def _compare(kernel: Kernel, entry: Entry) -> None:
    """Raise KernelRefused unless the kernel's own constant is what the file states."""
    info = kernel.find(entry.name)
    if info is None or tag(info) != KINDS.index(entry.kind):
        raise KernelRefused(f"{shown(entry.name)}: the kernel did not make this constant")
    value = field(info, 0)
    head = field(value, 0)
    wrong = [] if tuple(map(read_name, read_list(field(head, 1)))) == entry.levels else ["levelParams"]
    wrong += [] if kernel.is_term(field(head, 2), entry.type) else ["type"]
    objects = sum(sort not in BYTES for _, sort in FACTS[entry.kind])
    at, flag = 1, 8 + 8 * (1 + objects)
    for key, sort in FACTS[entry.kind]:
        if sort in BYTES:
            same = BYTES[sort][byte(value, flag)] == entry.facts[key]
            flag += 1
        else:
            same = _SAME[sort](kernel, field(value, at), entry.facts[key])
            at += 1
        wrong += [] if same else [key]
    if wrong:
        raise KernelRefused(f"{shown(entry.name)}: {wrong[0]} is not what the kernel makes")


def _same_rules(kernel: Kernel, pointer: int, stated: tuple[tuple[Name, int, int], ...]) -> bool:
    made = [(read_name(field(rule, 0)), field(rule, 1) >> 1, field(rule, 2)) for rule in read_list(pointer)]
    return [rule[:2] for rule in made] == [rule[:2] for rule in stated] and all(
        kernel.is_term(found[2], given[2]) for found, given in zip(made, stated, strict=True)
    )


_SAME: dict[str, Callable[[Kernel, int, Any], bool]] = {
    "name": lambda kernel, pointer, stated: read_name(pointer) == stated,
    "names": lambda kernel, pointer, stated: tuple(map(read_name, read_list(pointer))) == stated,
    "number": lambda kernel, pointer, stated: pointer == stated << 1 | 1,
    "rules": _same_rules,
}
