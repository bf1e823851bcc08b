"""The words everybody shares: statements, proofs, attempts and trajectories, as versioned msgspec structs.

They go to JSON through msgspec and to Parquet through `corpus.store`. Token ids are the source of truth from engine to
loss: a round keeps the ids that the policy read and wrote, and text is only ever derived from them.
"""

from datetime import UTC, datetime
from typing import Literal

import msgspec

from lean_worker.protocol import Message, Verdict

__all__ = ["SCHEMA_VERSION", "FinishReason", "Message", "ProofRecord", "Round", "Statement", "Trajectory", "Verdict", "utc_now"]

SCHEMA_VERSION = 2

FinishReason = Literal["stop", "length"]


def utc_now() -> str:
    """The time, ISO 8601, UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Statement(msgspec.Struct, frozen=True):
    """A theorem to prove. `formal` ends in `:= by sorry`; `id` is the hash of its normalised content (corpus.normalize).

    `difficulty` goes from 1 to 10, 0 where it is unknown; `lean` is the version of Lean or Mathlib that it was written for, "" if unknown.
    """

    id: str
    name: str
    formal: str
    header: str = ""
    family: str = ""
    difficulty: int = 0
    source: str = ""
    licence: str = ""
    informal: str = ""
    domain: str = ""
    lean: str = ""


class ProofRecord(msgspec.Struct, frozen=True):
    """A proof that the kernel accepted, with what is needed to check it again and to say where it came from.

    `seconds` is what the check took, `verified_at` when it was: ISO 8601, UTC.
    """

    statement: Statement
    proof: str
    lean: str
    library: str
    axioms: tuple[str, ...]
    seconds: float
    origin: str
    verified_at: str = ""


class Round(msgspec.Struct, frozen=True):
    """One turn of the agent: what the policy read, what it wrote, what Lean said. Each round is a training sample.

    `logprobs` are the sampler's, one for each id of `attempt_ids` (the end token included when the policy ended by itself).
    `proof` is the code parsed out of the attempt, None where there was none; `verdict` is None where nothing was checked.
    """

    prompt_ids: tuple[int, ...]
    attempt_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    policy_version: int
    finish_reason: FinishReason
    retrieved: tuple[str, ...]
    proof: str | None
    well_formed: bool
    verdict: Verdict | None
    feedback: str
    reward: float | None


class Trajectory(msgspec.Struct, frozen=True):
    """All rounds on one statement by one rollout; `sample` numbers the rollouts of a statement within a stage."""

    statement: Statement
    sample: int
    stage: str
    rounds: tuple[Round, ...]
    version: int = SCHEMA_VERSION

    @property
    def accepted(self) -> bool | None:
        """True if any round was accepted, None if infrastructure failed in the last round, else False."""
        if any(r.verdict is not None and r.verdict.accepted for r in self.rounds):
            return True
        last = self.rounds[-1].verdict if self.rounds else None
        return None if not self.rounds or (last is not None and last.accepted is None) else False
