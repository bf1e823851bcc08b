"""Attacks on a checker of Lean proofs: false theorems that must be rejected, and correct proofs that must still be accepted.

Each file `CLASS.jsonl` next to this module holds one class, one case per line: {"name", "why"?, "header"?, "statement", "proof"?,
"helpers"?, "tier"?, "with"?, "expected"?, "secret"?}. `with` lists the accomplices, written out or by the name of their case. A missing
proof is long and defined in `large.py`. The class `forbidden` is refused before Lean sees it, `rejected_by_lean` is not.
`lean-worker attack` runs all of them against a backend.
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

import msgspec

from lean_worker.protocol import Check, Tier
from lean_worker.tools.attacks.large import PROOFS

Expected = Literal["accepted", "rejected"]


class Attack(msgspec.Struct, frozen=True):
    """A check and the verdict that it must get, alone and together with its accomplices.

    `category` is the class, named like its file. `accomplices` are checks of another client, run before or after this one. No message
    may contain the text `secret`, if there is one. The theorem of an attack may be true: then its method is what is forbidden.
    """

    check: Check
    category: str
    why: str = ""
    accomplices: tuple[Check, ...] = ()
    expected: Expected = "rejected"
    secret: str = ""

    @property
    def may_end_without_verdict(self) -> bool:
        """Whether a timeout or a crash is as good as a rejection: exhausting Lean proves nothing."""
        return self.category == "resource"


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    statement: str
    proof: str | None = None
    name: str = ""
    why: str = ""
    header: str = ""
    helpers: bool = False
    tier: Tier = "fast"
    expected: Expected = "rejected"
    secret: str = ""
    accomplices: "tuple[_Line | str, ...]" = msgspec.field(name="with", default=())

    def check(self, name: str) -> Check:
        proof = PROOFS[self.name] if self.proof is None else self.proof
        return Check(name, self.statement, proof, self.header, self.tier, self.helpers)


def attacks() -> Iterator[Attack]:
    """Yield every attack, class by class."""
    lines = {category: list(_lines(path)) for category, path in _classes()}
    known = {line.name: line for group in lines.values() for line in group}
    for category, group in lines.items():
        for line in group:
            others = (known[other] if isinstance(other, str) else other for other in line.accomplices)
            accomplices = tuple(other.check(f"{line.name}, accomplice {number}") for number, other in enumerate(others, 1))
            yield Attack(line.check(line.name), category, line.why, accomplices, line.expected, line.secret)


def _classes() -> Iterator[tuple[str, Traversable]]:
    for path in sorted(files(__name__).iterdir(), key=lambda path: path.name):
        if path.name.endswith(".jsonl"):
            yield path.name.removesuffix(".jsonl"), path


def _lines(path: Traversable) -> Iterator[_Line]:
    for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n"):
        # not msgspec's own decoder, which refuses the lone surrogate in one of the proofs
        yield msgspec.convert(json.loads(line), _Line)
