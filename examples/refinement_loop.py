"""Run one refinement loop on one statement: `python examples/refinement_loop.py`.

The policy here is written by hand, so that the example needs no weights: it tries `rfl`, and after Lean's error `omega`. Put a
`JaxEngine` or an `SGLangEngine` in its place.
"""

import asyncio

from lean_worker import Pool
from oprover_jax import Completion, Prover, RefineConfig, Request, Statement, Template, Verifier, prove
from oprover_jax.agent.template import PHRASES, Budget, answer_text
from oprover_jax.data.codec import codec_of
from oprover_jax.data.tokenizer import train_tokenizer

STATEMENT = Statement("double", "double", "theorem double (n : Nat) (h : n = 3) : n + n = 6 := by sorry")
TOKENIZER = train_tokenizer([STATEMENT.formal, "by rfl", "by omega"] * 50, 400, PHRASES)


class HandWritten:
    """Engine whose first answer is `by rfl` and whose second one is `by omega`."""

    async def generate(self, request: Request) -> list[Completion]:
        text = TOKENIZER.decode(request.prompt_ids)
        answer = answer_text("by omega" if "by rfl" in text else "by rfl")
        ids = (*TOKENIZER.encode(answer), TOKENIZER.end_id)
        return [Completion(ids, (0.0,) * len(ids), "stop", 0)] * request.num_samples


def main() -> None:
    budget = Budget(prompt=400, statement=150, references=50, attempt=60, feedback=120)
    with Pool(workers=1, timeout=30.0) as pool:
        prover = Prover(HandWritten(), Verifier(pool), Template(codec_of(TOKENIZER), budget))
        [trajectory] = asyncio.run(prove(prover, STATEMENT, [], 1, RefineConfig(rounds=2), "example", 0))
    for number, attempt in enumerate(trajectory.rounds, start=1):
        print(f"round {number}: {attempt.proof!r} accepted={attempt.verdict and attempt.verdict.accepted} reward={attempt.reward}")
        if attempt.feedback:
            print("  " + attempt.feedback.replace("\n", "\n  "))


if __name__ == "__main__":
    main()
