"""What goes into a check and what comes out: the words that the worker and its clients share."""

from typing import Literal

import msgspec

Severity = Literal["error", "warning", "information"]

Kind = Literal[
    "accepted",
    "error",  # Lean's elaborator or kernel refused the proof
    "forbidden",  # the proof filter refused a token before Lean saw the proof
    "axiom",  # proved, but from an axiom outside the allowed three (`sorry` included)
    "mismatch",  # slow tier: what was proved is not the statement
    "kernel",  # slow tier: the compiled proof did not stand a second check by the kernel
    "statement",  # the statement itself does not elaborate: nobody could prove it
    "timeout",  # the wall clock ended the check: no verdict
    "crash",  # the Lean process died or said nothing intelligible: no verdict
    "unavailable",  # no worker could take the check: no verdict
]

Tier = Literal["fast", "slow"]

NO_VERDICT: frozenset[str] = frozenset({"timeout", "crash", "unavailable"})

ALLOWED_AXIOMS: frozenset[str] = frozenset({"propext", "Classical.choice", "Quot.sound"})


class Check(msgspec.Struct, frozen=True):
    """One statement and one candidate proof.

    `statement` is a whole declaration that ends in `:= by sorry` or `:= sorry`. `proof` replaces that ending:
    `by simp`, `fun h => h`, with or without a leading `:=`, or match alternatives that begin with `|`. It may be a whole declaration
    too, whose statement is ignored in favour of ours; `helpers` permits theorems, lemmas and definitions before it.
    `header` stands before the statement (definitions, `open`); it belongs to the statement, never to the candidate.
    `tier` "slow" asks for a second judgement in processes that never ran the candidate, for what will be kept or reported.
    """

    id: str
    statement: str
    proof: str
    header: str = ""
    tier: Tier = "fast"
    helpers: bool = False


class Message(msgspec.Struct, frozen=True):
    """One message of Lean about the candidate.

    Lines count from 1 at the first line of the statement, with the proof written behind it in place of `:= by sorry`; what concerns the
    header or a helper has line 0 (the last line before the statement) and below. Columns count from 0, in code points.
    """

    severity: Severity
    line: int
    column: int
    end_line: int
    end_column: int
    text: str


class Verdict(msgspec.Struct, frozen=True):
    """What the kernel said. `accepted` is None when nobody can say: infrastructure failed, which is never a rejection."""

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
            raise ValueError(f"verdict {self.id!r}: kind {self.kind!r} means accepted={expected}, not {self.accepted}")
