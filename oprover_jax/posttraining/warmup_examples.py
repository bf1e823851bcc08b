"""Warmup examples: CPT documents and first SFT examples from the public corpus."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from oprover_jax.agent.examples import proof_examples
from oprover_jax.agent.feedback import verdict_errors
from oprover_jax.agent.template import State, Template, shown_proof
from oprover_jax.data.rows import Example
from oprover_jax.records import ProofRecord
from oprover_jax.retrieval.memory import Memory
from oprover_jax.verify.verifier import Verifier


@dataclass(frozen=True)
class FailedAttempt:
    """Public theorem with a wrong proof and Lean's actual feedback on it."""

    record: ProofRecord
    attempt: str
    feedback: tuple[str, ...]


async def failed_attempts(verifier: Verifier, memory: Memory, records: Sequence[ProofRecord], seed: int) -> list[FailedAttempt]:
    """Try the proof of a neighbouring statement on each record and return the attempts that the kernel rejects.

    Copying without adapting is the mistake that retrieval encourages, so the first repairs are learned from it.
    """
    rng = random.Random(seed)
    neighbours = memory.search([record.statement for record in records], 4)
    failed = []
    pairs = [(record, rng.choice(near).proof) for record, near in zip(records, neighbours, strict=True) if near]
    verdicts = await verifier.verify_many([(record.statement, proof) for record, proof in pairs])
    for (record, proof), verdict in zip(pairs, verdicts, strict=True):
        if verdict.accepted is False:
            failed.append(FailedAttempt(record, proof, verdict_errors(record.statement.formal, proof, verdict)))
    return failed


def first_examples(
    template: Template, memory: Memory, records: Sequence[ProofRecord], failed: Sequence[FailedAttempt], retrieve: int
) -> list[Example]:
    """Return one first-round example per public proof and one second-round example per failed attempt.

    The proof of a statement is never in its own prompt, because the memory does not return it.

    Args:
      template: Prompt template.
      memory: Retrieval memory of public proofs.
      records: Public proofs.
      failed: Failed attempts with feedback.
      retrieve: Number of retrieved proofs in each prompt.
    """
    known = [(State(record.statement), record.proof) for record in records]
    known += [(State(wrong.record.statement, attempt=wrong.attempt, feedback=wrong.feedback), wrong.record.proof) for wrong in failed]
    return [example for example in proof_examples(template, memory, known, retrieve) if example is not None]


def documents(records: Sequence[ProofRecord], library: Sequence[str]) -> dict[str, list[str]]:
    """Return CPT texts by source: theorems with their proofs, and Lean library source by paragraph."""
    return {
        "proofs": [shown_proof(record.statement.formal, record.proof) for record in records],
        "library": [part for source in library for part in source.split("\n\n") if part.strip()],
    }
