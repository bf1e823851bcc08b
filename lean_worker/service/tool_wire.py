"""JSON types of the requests to the toolbelt; the responses are the reports of `lean_worker.toolbelt`."""

import msgspec

from lean_worker.toolbelt.goals import FilePosition


class GoalsRequest(msgspec.Struct, frozen=True):
    """A Lean file, and the positions at which goals are wanted: lines from 1, columns from 0 in code points."""

    text: str
    positions: list[FilePosition]


class HolesRequest(msgspec.Struct, frozen=True):
    """A Lean file of whose `sorry`s the goals are wanted."""

    text: str


class DisproveRequest(msgspec.Struct, frozen=True):
    """A statement that ends in `:= by sorry` or `:= sorry`, after `header`.

    `proof` is a candidate proof of its negation; without one, tactics and small counterexamples are tried.
    """

    statement: str
    header: str = ""
    proof: str = ""


class ExtractRequest(msgspec.Struct, frozen=True):
    """A Lean file whose holes are wanted as lemmas; with `haves`, each `have` of a tactic proof that states its type instead."""

    text: str
    haves: bool = False


class LintRequest(msgspec.Struct, frozen=True):
    """A Lean file whose theorems are to be linted; their proofs may be `sorry`."""

    text: str
