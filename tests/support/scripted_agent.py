"""An agent whose policy is a function from the statement to proofs, with a real pool of Lean: no model is behind it."""

from collections.abc import Callable, Sequence

from lean_worker.pool import Pool
from oprover_jax.agent.refine import Prover, RefineConfig
from oprover_jax.agent.template import Budget, Template, answer_text
from oprover_jax.commands.proving_agent import ProvingAgent
from oprover_jax.data.codec import Codec
from oprover_jax.rollout.engine import Completion, Request
from oprover_jax.verify.verifier import Verifier

Policy = Callable[[str], Sequence[str]]

_END = 0
CODEC = Codec(
    encode=lambda text: list(map(ord, text)),
    encode_plain=lambda text: list(map(ord, text)),
    decode=lambda ids: "".join(chr(each) for each in ids if each != _END),
    token_text=chr,
    end_ids=(_END,),
    hash="code points",
)


class Scripted:
    """Engine that asks `policy` for the proofs in answer to a prompt; the last one is repeated. `prompts` are those that it saw."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.prompts: list[str] = []

    async def generate(self, request: Request) -> list[Completion]:
        prompt = CODEC.decode(request.prompt_ids)
        self.prompts.append(prompt)
        proofs = list(self.policy(prompt))
        proofs += proofs[-1:] * (request.num_samples - len(proofs))
        answers = [(*map(ord, answer_text(proof)), _END) for proof in proofs[: request.num_samples]]
        return [Completion(ids, (0.0,) * len(ids), "stop", 0) for ids in answers]


def scripted_agent(pool: Pool, engine: Scripted, rounds: int = 1) -> ProvingAgent:
    """Return an agent without retrieval."""
    template = Template(CODEC, Budget(40_000, statement=20_000, references=2_000, attempt=5_000, feedback=5_000))
    prover = Prover(engine, Verifier(pool), template)
    return ProvingAgent(pool, template, RefineConfig(rounds=rounds, retrieve=0), lambda: prover, lambda statement: ())
