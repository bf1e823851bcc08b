"""JSON types of `/v1`, shared by the service and its client."""

from typing import Annotated, Literal

import msgspec

from lean_worker.protocol import NO_VERDICT, Check, Kind, Message, Tier, Verdict


class VerifyRequest(msgspec.Struct, frozen=True):
    """One check: `statement` ends in `:= by sorry` or `:= sorry`, which `proof` replaces; `header` precedes the statement.

    `helpers` permits theorems, lemmas and definitions before the proof's own theorem; `tier` "slow" verifies the proof twice.
    """

    statement: str
    proof: str
    header: str = ""
    id: str = ""
    tier: Tier = "fast"
    helpers: bool = False

    def check(self) -> Check:
        return msgspec.convert(self, Check, from_attributes=True)


class BatchRequest(msgspec.Struct, frozen=True):
    """A batch of checks with distinct ids; the response is JSON lines in order of completion."""

    checks: list[VerifyRequest]


class FileRequest(msgspec.Struct, frozen=True):
    """A whole Lean file that brings its own statements; imports must be available in the service.

    `timeout` limits the seconds of the file, without time in the queue; each of its theorems also has the time limit of one check.
    `tactics` asks for all tactics with the goals before and after them.
    """

    text: str
    timeout: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None
    tactics: bool = False


class VerifyAnswer(msgspec.Struct, frozen=True):
    """A verdict. `verdict` is null if there is none (kind "timeout", "crash", "unavailable" or "unreadable"), which is not a
    rejection."""

    id: str
    verdict: Literal["accepted", "rejected"] | None
    kind: Kind
    messages: tuple[Message, ...]
    axioms: tuple[str, ...]
    seconds: float
    backend: str
    lean: str
    library: str
    tier: Tier


class Refusal(msgspec.Struct, frozen=True):
    """The reason for refusing a request, in one sentence."""

    detail: str


def answer(verdict: Verdict) -> VerifyAnswer:
    """Return a verdict as the service sends it."""
    word: Literal["accepted", "rejected"] | None = None
    if verdict.accepted is not None:
        word = "accepted" if verdict.accepted else "rejected"
    v = verdict
    return VerifyAnswer(v.id, word, v.kind, v.messages, v.axioms, v.seconds, v.backend, v.lean, v.library, v.tier)


def verdict(answer: VerifyAnswer) -> Verdict:
    """Return the verdict that an answer holds. Raises ValueError if its `verdict` and `kind` contradict each other."""
    word = "accepted" if answer.kind == "accepted" else None if answer.kind in NO_VERDICT else "rejected"
    if answer.verdict != word:
        raise ValueError(f"the answer's verdict {answer.verdict!r} contradicts its kind {answer.kind!r}")
    accepted = None if word is None else word == "accepted"
    a = answer
    return Verdict(a.id, accepted, a.kind, a.messages, a.axioms, a.seconds, a.backend, a.lean, a.library, a.tier)
