"""JSON types of the Kimina Lean Server's protocol. Fields that have no meaning here are ignored."""

from typing import Annotated, Literal

import msgspec

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class Snippet(msgspec.Struct, frozen=True):
    """A whole Lean file and the id of its result."""

    id: str
    code: str


class CheckRequest(msgspec.Struct, frozen=True):
    """Request of `/api/check`.

    `timeout` is ignored: each check has the time limit that the service was started with, which excludes time in the queue. `debug`,
    `reuse` and `infotree` are ignored as well, because this service has no REPL diagnostics, REPL or info trees.
    """

    snippets: list[Snippet]
    timeout: _Seconds = 30
    debug: bool = False
    reuse: bool = True
    infotree: str | None = None


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
    """A `sorry` in the text. Its goal is not computed and always empty."""

    pos: Position
    end_pos: Position
    goal: str = ""


class CommandResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lean's messages about a snippet. Empty lists are omitted, as in the REPL."""

    env: int | msgspec.UnsetType = msgspec.UNSET
    messages: tuple[ReplMessage, ...] = ()
    sorries: tuple[Sorry, ...] = ()
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
    infotree_type: str | None = None
    disable_cache: bool = False


class VerifyResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """Result of the older protocol, with exactly one of `error` and `response`, which includes the time."""

    custom_id: str | int
    error: str | None = None
    response: CommandResponse | None = None


class VerifyResponse(msgspec.Struct, frozen=True):
    results: list[VerifyResult]
