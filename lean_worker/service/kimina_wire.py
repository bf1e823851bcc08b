"""JSON types of the Kimina Lean Server's protocol. Fields that have no meaning here are ignored."""

from typing import Annotated, Literal

import msgspec

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Infotree = Literal["full", "tactics", "original", "substantive"]


class Snippet(msgspec.Struct, frozen=True):
    """A whole Lean file and the id of its result."""

    id: str
    code: str


class CheckRequest(msgspec.Struct, frozen=True):
    """Request of `/api/check`.

    `timeout` limits the seconds of each snippet, without time in the queue; each of its theorems also has the time limit that the service
    was started with. With `infotree` the response has the tactics and their goals: all of them ("full" and "tactics"), those that stand in
    the text ("original"), or those that do not only group others ("substantive"). `debug` and `reuse` are ignored, because this service
    has no REPL.
    """

    snippets: list[Snippet]
    timeout: _Seconds = 30
    debug: bool = False
    reuse: bool = True
    infotree: Infotree | None = None


class Position(msgspec.Struct, frozen=True):
    """Position in a snippet: lines count from 1, columns from 0, in code points."""

    line: int
    column: int


class ReplMessage(msgspec.Struct, frozen=True, rename="camel"):
    severity: Literal["error", "warning", "info"]
    pos: Position
    end_pos: Position
    data: str


class Sorry(msgspec.Struct, frozen=True, rename="camel"):
    """A `sorry` in the text, and what Lean wants there; the goal is empty if Lean did not come so far."""

    pos: Position
    end_pos: Position
    goal: str = ""


class Range(msgspec.Struct, frozen=True):
    """A piece of a snippet; `synthetic` if it was made by a macro."""

    synthetic: bool
    start: Position
    finish: Position


class Syntax(msgspec.Struct, frozen=True):
    range: Range
    pp: str
    kind: str


class Tactic(msgspec.Struct, frozen=True, rename="camel"):
    """A tactic and the goals before and after it."""

    stx: Syntax
    name: str | None
    goals_before: tuple[str, ...]
    goals_after: tuple[str, ...]


class InfotreeNode(msgspec.Struct, frozen=True):
    """A node of Lean's information tree, as the REPL prints it; only tactics are reported."""

    node: Tactic
    children: tuple["InfotreeNode", ...]
    kind: Literal["TacticInfo"] = "TacticInfo"


class CommandResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lean's messages about a snippet. Empty lists are omitted, as in the REPL."""

    env: int | msgspec.UnsetType = msgspec.UNSET
    messages: tuple[ReplMessage, ...] = ()
    sorries: tuple[Sorry, ...] = ()
    infotree: tuple[InfotreeNode, ...] = ()
    time: float | msgspec.UnsetType = msgspec.UNSET


class CheckResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """Result of one snippet, with exactly one of `error` and `response`."""

    id: str
    time: float | msgspec.UnsetType = msgspec.UNSET
    error: str | None = None
    response: CommandResponse | None = None


class CheckResponse(msgspec.Struct, frozen=True):
    results: list[CheckResult]


class Code(msgspec.Struct, frozen=True):
    """A snippet of the older protocol, under either field name."""

    custom_id: str | int
    proof: str | None = None
    code: str | None = None


class VerifyRequestBody(msgspec.Struct, frozen=True):
    codes: list[Code]
    timeout: _Seconds = 300
    infotree_type: Infotree | None = None
    disable_cache: bool = False


class VerifyResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """Result of the older protocol, with exactly one of `error` and `response`, which includes the time."""

    custom_id: str | int
    error: str | None = None
    response: CommandResponse | None = None


class VerifyResponse(msgspec.Struct, frozen=True):
    results: list[VerifyResult]
