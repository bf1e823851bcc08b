"""Types of checks and verdicts, shared by the workers and their clients."""

from typing import Literal

import msgspec

Severity = Literal["error", "warning", "information"]

Kind = Literal[
    "accepted",
    "error",  # Lean's elaborator or kernel refused the proof
    "heartbeats",  # Lean's deterministic limit ended the proof: a failed attempt, but perhaps not a wrong proof
    "hole",  # the proof leaves something open with `sorry`
    "forbidden",  # the proof filter refused a token before Lean saw the proof
    "axiom",  # proved, but with an axiom outside the three allowed ones
    "mismatch",  # the proved theorem differs from the statement
    "kernel",  # slow tier: the compiled proof failed a second check by the kernel
    "statement",  # the statement itself does not elaborate, so it cannot be proved
    "timeout",  # the wall clock ended the check: no verdict
    "crash",  # the Lean process died or its output was unreadable: no verdict
    "unavailable",  # no worker could run the check: no verdict
    "unreadable",  # this harness cannot read the text, whatever Lean may think of it: no verdict, and none if asked again
]

Tier = Literal["fast", "slow"]

NO_VERDICT: frozenset[str] = frozenset({"timeout", "crash", "unavailable", "unreadable"})

ALLOWED_AXIOMS: frozenset[str] = frozenset({"propext", "Classical.choice", "Quot.sound"})


class Check(msgspec.Struct, frozen=True):
    """One statement and one candidate proof.

    `statement` is any Lean text whose last command is a declaration that ends in `:= by sorry`, `:= sorry`, `:= by` or `:=`. `proof` takes
    the place of that ending: `by simp`, `fun h => h`, with or without a leading `:=`, or match alternatives that begin with `|`. It may
    also be a whole file that restates the theorem: Lean then reads it as it is, and the kernel compares the theorems; `helpers` permits
    other declarations before it.
    `header` precedes the statement (definitions, `open`); it belongs to the statement, never to the candidate. `tier` "slow" verifies the
    proof a second time in processes that never ran the candidate, for results that are kept or reported.
    """

    id: str
    statement: str
    proof: str
    header: str = ""
    tier: Tier = "fast"
    helpers: bool = True


class Message(msgspec.Struct, frozen=True):
    """One of Lean's messages about the candidate.

    Lines count from 1 at the first line of the statement, with the proof after it in place of `:= by sorry`; a message about the header has
    line 0 (its last line) or less. If the candidate is a whole file, lines count in that file. Columns count from 0, in code points.
    `goal` is the goal there, with its hypotheses, as Lean prints it; it is empty if the text shows it, or if it is unknown.
    """

    severity: Severity
    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    goal: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """Result of a check. `accepted` is None if there is no verdict because infrastructure failed, which is never a rejection."""

    id: str
    accepted: bool | None
    kind: Kind
    messages: tuple[Message, ...] = ()
    axioms: tuple[str, ...] = ()
    seconds: float = 0.0
    backend: str = ""
    lean: str = ""
    library: str = ""
    tier: Tier = "fast"

    def __post_init__(self) -> None:
        expected = True if self.kind == "accepted" else None if self.kind in NO_VERDICT else False
        if self.accepted is not expected:
            raise ValueError(f"verdict {self.id!r}: kind {self.kind!r} requires accepted={expected}, not {self.accepted}")


class LeanDescription(msgspec.Struct, frozen=True):
    """The Lean of a pool: how it runs, its version and a hash of its library, the modules imported by default and those that a header may
    import, the limit of a check in heartbeats, and the tiers that it has."""

    backend: str
    lean: str
    library: str
    imports: tuple[str, ...]
    allowed: tuple[str, ...]
    heartbeats: int
    tiers: tuple[Tier, ...]
