"""What the policy reads before it has ever tried: documents for CPT, and first SFT examples out of the public corpus."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from oprover_jax.agent.refine import Prover
from oprover_jax.agent.template import State, Template, feedback_text, shown, stated_proof
from oprover_jax.data.rows import Example, prompted
from oprover_jax.records import ProofRecord
from oprover_jax.retrieval.memory import Memory


@dataclass(frozen=True)
class FailedAttempt:
    """A public theorem, a wrong proof of it, and what Lean really said to that."""

    record: ProofRecord
    attempt: str
    feedback: str


async def failed_attempts(prover: Prover, memory: Memory, records: Sequence[ProofRecord], seed: int) -> list[FailedAttempt]:
    """For each record the proof of a neighbouring statement, tried on this one: kept where the kernel rejects it.

    This is the mistake that retrieval invites (copying without adapting), so the first repairs are learned from it.
    """
    rng = random.Random(seed)
    neighbours = memory.search([record.statement for record in records], 4)
    failed = []
    pairs = [(record, rng.choice(near).proof) for record, near in zip(records, neighbours, strict=True) if near]
    verdicts = await prover.verifier.verify_many([(record.statement, proof) for record, proof in pairs])
    for (record, proof), verdict in zip(pairs, verdicts, strict=True):
        if verdict.accepted is False:
            failed.append(FailedAttempt(record, proof, feedback_text(record.statement.formal, proof, verdict.messages)))
    return failed


def first_examples(template: Template, memory: Memory, records: Sequence[ProofRecord], failed: Sequence[FailedAttempt], retrieve: int) -> list[Example]:
    """One first-round example for each public proof, one second-round example for each failed attempt. Never a statement's own proof in its prompt."""
    near = memory.search([record.statement for record in records], retrieve)
    states = [(State(record.statement, tuple(found)), record.proof) for record, found in zip(records, near, strict=True)]
    near = memory.search([one.record.statement for one in failed], retrieve)
    states += [
        (State(one.record.statement, tuple(found), one.attempt, one.feedback), one.record.proof) for one, found in zip(failed, near, strict=True)
    ]
    return [prompted(template.prompt(state), template.answer(proof)) for state, proof in states]


def documents(records: Sequence[ProofRecord], failed: Sequence[FailedAttempt], library: Sequence[str]) -> dict[str, list[str]]:
    """Plain texts for CPT by source: theorems with their proofs, Lean library source, and attempts with Lean's answers."""
    return {
        "proofs": [shown(stated_proof(record.statement.formal, record.proof)) for record in records],
        "library": [part for source in library for part in source.split("\n\n") if part.strip()],
        "repairs": [
            f"{shown(stated_proof(one.record.statement.formal, one.attempt))}\n{one.feedback}\n"
            f"{shown(stated_proof(one.record.statement.formal, one.record.proof))}"
            for one in failed
        ],
    }

