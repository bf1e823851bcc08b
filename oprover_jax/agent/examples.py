"""SFT examples in the agent's own prompts: what the policy would have read, and a verified proof as its answer."""

from collections.abc import Sequence
from dataclasses import replace

from oprover_jax.agent.template import State, Template, shown_attempt
from oprover_jax.data.rows import Example, prompted
from oprover_jax.retrieval.memory import Memory


def proof_examples(template: Template, memory: Memory, rounds: Sequence[tuple[State, str]], retrieve: int) -> list[Example | None]:
    """Return an example for each round, with loss on the answer only; None where the statement exceeds its budget.

    The prompt has the `retrieve` nearest proofs of the memory, which never returns a proof of the statement itself, of a near duplicate
    or of a benchmark.

    Args:
      template: Prompt template.
      memory: Retrieval memory.
      rounds: States without retrieved proofs, each with the proof that answers it.
      retrieve: Number of retrieved proofs in each prompt.
    """
    fitting = [template.fits(state.statement) for state, _ in rounds]
    kept = [one for one, fits in zip(rounds, fitting, strict=True) if fits]
    near = memory.search([state.statement for state, _ in kept], retrieve)
    made = iter(
        [
            prompted(
                template.prompt(replace(state, retrieved=tuple(retrieved))), template.answer(shown_attempt(state.statement.formal, proof))
            )
            for (state, proof), retrieved in zip(kept, near, strict=True)
        ]
    )
    return [next(made) if fits else None for fits in fitting]
