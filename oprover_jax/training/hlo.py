"""Communication volume of a compiled program, read from its HLO text."""

import math
import re
from collections import defaultdict
from dataclasses import dataclass

KINDS = ("all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective-permute")

_BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8}
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_OPERATION = re.compile(rf" = (.*?) ({'|'.join(KINDS)})(-start)?\(")
_SHAPE = re.compile(r"(\w+)\[([\d,]*)\]")
_LOOP = re.compile(r"condition=%?([\w.\-]+), body=%?([\w.\-]+)")
_CALL = re.compile(r"(?:calls|to_apply|called_computations|branch_computations)=\{?((?:%?[\w.\-]+(?:, )?)+)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_CONSTANT = re.compile(r" = s32\[\]\S* constant\((\d+)\)")


@dataclass(frozen=True)
class Collective:
    """All collectives of one kind in a step: places in the program, number of runs, bytes of their results on one device."""

    kind: str
    places: int
    runs: int
    bytes: int


@dataclass
class _Computation:
    sends: list[tuple[str, int]]  # (kind, bytes) of its collectives
    calls: list[tuple[str, str | int]]  # (computation, times: a number, or the condition of the loop that runs it)
    constants: list[int]


def collectives(text: str) -> tuple[Collective, ...]:
    """Return the collectives of a program by kind; those in a loop count as often as it runs (JAX's scans count up to a constant)."""
    entry, computations = _read(text)
    by_kind: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def visit(name: str, times: int) -> None:
        for kind, size in computations[name].sends:
            by_kind[kind].append((times, size))
        for called, trips in computations[name].calls:
            bound = trips if isinstance(trips, int) else max(computations[trips].constants, default=1)
            visit(called, times * bound)

    visit(entry, 1)
    return tuple(
        Collective(kind, len(by_kind[kind]), sum(times for times, _ in by_kind[kind]), sum(times * size for times, size in by_kind[kind]))
        for kind in KINDS
        if kind in by_kind
    )


def _read(text: str) -> tuple[str, dict[str, _Computation]]:
    computations: dict[str, _Computation] = defaultdict(lambda: _Computation([], [], []))
    current, entry = computations[""], ""
    for line in text.splitlines():
        if head := _COMPUTATION.match(line):
            current = computations[head[2]]
            entry = head[2] if head[1] else entry
        elif operation := _OPERATION.search(line):
            current.sends.append((operation[2], _result_bytes(*operation.groups())))
        elif loop := _LOOP.search(line):
            trips = _TRIPS.search(line)
            current.calls.append((loop[2], int(trips[1]) if trips else loop[1]))
        elif constant := _CONSTANT.search(line):
            current.constants.append(int(constant[1]))
        elif called := _CALL.search(line):
            current.calls += [(name.strip(" %"), 1) for name in called[1].split(",")]
    return entry, computations


def _result_bytes(shape: str, kind: str, start: str | None) -> int:
    """Return the bytes of the results of one collective, which may combine several arrays. A started collective returns its operands before
    them (except all-reduce), and some a few scalars after them."""
    sizes = [
        _BYTES.get(name, 4) * math.prod(int(d) for d in dims.split(",") if d) for name, dims in _SHAPE.findall(shape) if dims or not start
    ]
    return sum(sizes[len(sizes) // 2 :] if start and kind != "all-reduce" else sizes)
