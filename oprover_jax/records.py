"""Shared records: statements, proofs, rounds and trajectories as versioned msgspec structs.

Msgspec converts them to JSON, `corpus.store` to Parquet. Token ids are the source of truth from engine to loss: a round stores the ids
that the policy read and generated; text is only derived from them.
"""

from datetime import UTC, datetime
from typing import Literal

import msgspec

from lean_worker.protocol import Message, Verdict

__all__ = [
    "READABLE",
    "SCHEMA_VERSION",
    "FinishReason",
    "Message",
    "ProofRecord",
    "Provenance",
    "Round",
    "Statement",
    "Trajectory",
    "Verdict",
    "utc_now",
]

SCHEMA_VERSION = 3
READABLE = (2, SCHEMA_VERSION)
"""Versions of stored records that are read. Version 2 lacked the provenance of trajectories."""

FinishReason = Literal["stop", "length"]


def utc_now() -> str:
    """Return the current time in ISO 8601, UTC, with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Statement(msgspec.Struct, frozen=True):
    """Theorem to prove. `formal` ends in `:= by sorry`; `id` is the hash of its normalised content (statements.normalize).

    `difficulty` ranges from 1 to 10, 0 if unknown; `lean` is the version of Lean or Mathlib that it was written for, "" if unknown.
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
    """Proof that the kernel accepted, with the information needed to check it again and its origin.

    `seconds` is the duration of the check, `verified_at` its time in ISO 8601, UTC.
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
    """One turn of the agent: prompt, attempt and Lean's feedback. Each round is a training sample.

    `logprobs` are those of the sampler, one per id of `attempt_ids` (including the end token if the policy generated it). `proof` is the
    code parsed from the attempt, None if there was none; `verdict` is None if nothing was checked.
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

    @property
    def accepted(self) -> bool | None:
        """Return True if Lean accepted the proof, None if Lean was away, which no stored round says since version 3, else False.

        An attempt has failed even without a verdict if it has no proof, if Lean could not finish its proof (kinds "timeout" and "crash",
        which are then the proof's own doing, see `verify.verifier`), or if the proof is "unreadable".
        """
        if self.verdict is None:
            return False
        return None if self.verdict.kind == "unavailable" else self.verdict.accepted is True


class Provenance(msgspec.Struct, frozen=True):
    """How the attempts of a trajectory were sampled: hash of the tokenizer and sampling parameters.

    Each round has the version of its policy, and each verdict the versions of Lean and its library.
    """

    tokenizer: str
    temperature: float
    top_p: float
    max_new_tokens: int


class Trajectory(msgspec.Struct, frozen=True):
    """All rounds of one rollout on one statement; `sample` numbers the rollouts of a statement within a stage.

    `provenance` is None for trajectories of versions before 3.
    """

    statement: Statement
    sample: int
    stage: str
    rounds: tuple[Round, ...]
    version: int = SCHEMA_VERSION
    provenance: Provenance | None = None

    @property
    def accepted(self) -> bool | None:
        """Return True if any round was accepted, None if there is none or Lean was away in the last one, else False."""
        if any(played.accepted for played in self.rounds):
            return True
        return None if not self.rounds else self.rounds[-1].accepted
