"""What the policy reads before it has ever tried: documents for CPT, and first SFT examples out of the public corpus."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from oprover_jax.agent.template import State, Template, feedback_errors, shown, stated_proof
from oprover_jax.data.rows import Example, prompted
from oprover_jax.records import ProofRecord
from oprover_jax.retrieval.memory import Memory
from oprover_jax.verify.verifier import Verifier


@dataclass(frozen=True)
class FailedAttempt:
    """A public theorem, a wrong proof of it, and what Lean really said to that."""

    record: ProofRecord
    attempt: str
    feedback: tuple[str, ...]


async def failed_attempts(verifier: Verifier, memory: Memory, records: Sequence[ProofRecord], seed: int) -> list[FailedAttempt]:
    """For each record the proof of a neighbouring statement, tried on this one: kept where the kernel rejects it.

    This is the mistake that retrieval invites (copying without adapting), so the first repairs are learned from it.
    """
    rng = random.Random(seed)
    neighbours = memory.search([record.statement for record in records], 4)
    failed = []
    pairs = [(record, rng.choice(near).proof) for record, near in zip(records, neighbours, strict=True) if near]
    verdicts = await verifier.verify_many([(record.statement, proof) for record, proof in pairs])
    for (record, proof), verdict in zip(pairs, verdicts, strict=True):
        if verdict.accepted is False:
            failed.append(FailedAttempt(record, proof, feedback_errors(record.statement.formal, proof, verdict.messages)))
    return failed


def first_examples(
    template: Template, memory: Memory, records: Sequence[ProofRecord], failed: Sequence[FailedAttempt], retrieve: int
) -> list[Example]:
    """One first-round example for each public proof, one second-round example for each failed attempt.

    A statement's own proof is never in its prompt: the memory does not return it.
    """
    known = [(State(record.statement), record.proof) for record in records]
    known += [(State(one.record.statement, attempt=one.attempt, feedback=one.feedback), one.record.proof) for one in failed]
    near = memory.search([state.statement for state, _ in known], retrieve) if retrieve else [[] for _ in known]
    return [
        prompted(template.prompt(replace(state, retrieved=tuple(found))), template.answer(proof))
        for (state, proof), found in zip(known, near, strict=True)
    ]


def documents(records: Sequence[ProofRecord], library: Sequence[str]) -> dict[str, list[str]]:
    """Plain texts for CPT by source: theorems with their proofs, and Lean library source by paragraph."""
    return {
        "proofs": [shown(stated_proof(record.statement.formal, record.proof)) for record in records],
        "library": [part for source in library for part in source.split("\n\n") if part.strip()],
    }
