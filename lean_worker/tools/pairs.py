"""Pairs of statement and proof from JSON Lines files, for benchmarks."""

import re
from pathlib import Path

import msgspec

from lean_worker.protocol import Check

# There are no other modules to import: whatever a file needs from them is then an unknown name.
_NOT_HERE = re.compile(r"^(?:(?:public |meta |private )*import [^\n]*|module|@\[expose\] (?:public )?section|public section)$", re.M)


class _Row(msgspec.Struct):
    name: str
    formal_statement: str
    proof: str
    header: str = ""


def read_pairs(path: Path) -> list[Check]:
    """Return the pairs of one file, in order, without the imports of their headers."""
    rows = [msgspec.json.decode(line, type=_Row) for line in path.read_bytes().splitlines() if line.strip()]
    return [Check(row.name, row.formal_statement, row.proof, _NOT_HERE.sub("", row.header)) for row in rows]
