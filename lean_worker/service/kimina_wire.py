"""The JSON that clients of the Kimina Lean Server send and expect. Fields that mean nothing here are read over."""

from typing import Annotated, Literal

import msgspec

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class Snippet(msgspec.Struct, frozen=True):
    """A whole Lean file and the name to answer under."""

    id: str
    code: str


class CheckRequest(msgspec.Struct, frozen=True):
    """`timeout` is read and not used: each check has the time limit that the service was started with, its wait in the queue not counted.

    `debug`, `reuse` and `infotree` ask for what this service does not have: diagnostics of a REPL, a REPL, info trees.
    """

    snippets: list[Snippet]
    timeout: _Seconds = 30
    debug: bool = False
    reuse: bool = True
    infotree: str | None = None


class Position(msgspec.Struct, frozen=True):
    """Lines count from 1, columns from 0, in code points."""

    line: int
    column: int


class ReplMessage(msgspec.Struct, frozen=True, rename="camel"):
    severity: Literal["error", "warning", "info"]
    pos: Position
    end_pos: Position
    data: str


class Sorry(msgspec.Struct, frozen=True, rename="camel"):
    """A `sorry` in the text. Its goal is not known here and always empty."""

    pos: Position
    end_pos: Position
    goal: str = ""


class CommandResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """What Lean says about a snippet. Empty lists are left out, as the REPL does."""

    env: int | msgspec.UnsetType = msgspec.UNSET
    messages: tuple[ReplMessage, ...] = ()
    sorries: tuple[Sorry, ...] = ()
    time: float | msgspec.UnsetType = msgspec.UNSET


class CheckResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """Exactly one of `error` and `response`."""

    id: str
    time: float | msgspec.UnsetType = msgspec.UNSET
    error: str | None = None
    response: CommandResponse | None = None


class CheckResponse(msgspec.Struct, frozen=True):
    results: list[CheckResult]


class Code(msgspec.Struct, frozen=True):
    """A snippet of the older protocol, under either name."""

    custom_id: str | int
    proof: str | None = None
    code: str | None = None


class VerifyRequestBody(msgspec.Struct, frozen=True):
    codes: list[Code]
    timeout: _Seconds = 300
    infotree_type: str | None = None
    disable_cache: bool = False


class VerifyResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """Exactly one of `error` and `response`, which holds the time too."""

    custom_id: str | int
    error: str | None = None
    response: CommandResponse | None = None


class VerifyResponse(msgspec.Struct, frozen=True):
    results: list[VerifyResult]
