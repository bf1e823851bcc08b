"""The refinement loop: read the state, write an attempt, ask Lean, and go on from its answer until it accepts or rounds run out.

(OProver, section on agentic proving: only the most recent attempt and answer are kept; the target is stated by us and the
policy's code only ever proves it.)
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from lean_worker.protocol import Verdict
from oprover_jax.agent.answer import parse_answer
from oprover_jax.agent.rewards import RewardConfig, reward
from oprover_jax.agent.template import State, Template, feedback_errors
from oprover_jax.records import ProofRecord, Round, Statement, Trajectory
from oprover_jax.rollout.engine import Completion, Engine, Request, Sampling
from oprover_jax.verify.verifier import Verifier

OnRound = Callable[[int, Round], None]
"""(number of the round, counted from 1; the round): told of each attempt as soon as it is judged."""


@dataclass(frozen=True)
class RefineConfig:
    """`rounds` attempts at most; `retrieve` proofs from the memory in each prompt (0: none); `feedback` "lean" shows the previous
    attempt and Lean's answer, "none" withholds both, so that every round starts afresh with equal compute (the ablation)."""

    rounds: int = 2
    retrieve: int = 2
    feedback: str = "lean"
    temperature: float = 1.0
    max_new_tokens: int = 64
    reward: RewardConfig = field(default_factory=RewardConfig)

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"refine.rounds is {self.rounds}; at least 1 round is needed")
        if self.retrieve < 0:
            raise ValueError(f"refine.retrieve is {self.retrieve}; give 0 to switch retrieval off")
        if self.feedback not in ("lean", "none"):
            raise ValueError(f"refine.feedback is {self.feedback!r}; give 'lean' or 'none'")


@dataclass(frozen=True)
class Prover:
    """What proving takes: the policy, the kernel and the words between them."""

    engine: Engine
    verifier: Verifier
    template: Template


async def prove(
    prover: Prover,
    statement: Statement,
    retrieved: Sequence[ProofRecord],
    samples: int,
    config: RefineConfig,
    stage: str,
    seed: int,
    on_round: OnRound = lambda number, one: None,
) -> list[Trajectory]:
    """`samples` independent trajectories on one statement. They share the first prompt and part ways from there.

    The draws are a function of (seed, statement, round, sample): not of what else is in flight.
    """
    state = State(statement, tuple(retrieved[: config.retrieve]))
    prompt = tuple(prover.template.prompt(state))
    sampling = sampling_of(prover, config)
    first = await prover.engine.generate(Request(prompt, sampling, samples, seed_of(seed, statement.id, 0)))

    async def one(sample: int, completion: Completion) -> Trajectory:
        rounds = [await score_attempt(prover, state, prompt, completion, config.reward)]
        on_round(len(rounds), rounds[-1])
        while not ended(rounds[-1]) and len(rounds) < config.rounds:
            following = next_state(state, rounds[-1]) if config.feedback == "lean" else state
            ids = tuple(prover.template.prompt(following))
            request = Request(ids, sampling, 1, seed_of(seed, statement.id, len(rounds), sample))
            [completion] = await prover.engine.generate(request)
            rounds.append(await score_attempt(prover, following, ids, completion, config.reward))
            on_round(len(rounds), rounds[-1])
        return Trajectory(statement, sample, stage, tuple(rounds))

    return list(await asyncio.gather(*(one(i, completion) for i, completion in enumerate(first))))


async def score_attempt(prover: Prover, state: State, prompt: tuple[int, ...], completion: Completion, rewards: RewardConfig) -> Round:
    """One attempt read, checked by the kernel and paid."""
    text = prover.template.codec.decode(completion.token_ids)
    answer = parse_answer(text, state.statement.formal)
    well_formed = answer.well_formed and completion.finish_reason == "stop"
    verdict: Verdict | None = None
    if answer.proof is not None:
        verdict = await prover.verifier.verify(state.statement, answer.proof)
    return Round(
        prompt_ids=prompt,
        attempt_ids=completion.token_ids,
        logprobs=completion.logprobs,
        policy_version=completion.policy_version,
        finish_reason=completion.finish_reason,
        retrieved=tuple(record.statement.id for record in state.retrieved),
        proof=answer.proof,
        well_formed=well_formed,
        verdict=verdict,
        feedback="\n".join(_errors(state.statement, answer.proof, verdict)),
        reward=reward(verdict, well_formed, rewards),
    )


def next_state(state: State, last: Round) -> State:
    """The state after a rejected round: its attempt and Lean's answer take the place of the ones before."""
    return replace(state, attempt=last.proof or "", feedback=_errors(state.statement, last.proof, last.verdict))


def _errors(statement: Statement, proof: str | None, verdict: Verdict | None) -> tuple[str, ...]:
    """What is said to an attempt, error by error."""
    if proof is None or verdict is None:
        return ("The answer holds no complete code block.",)
    return feedback_errors(statement.formal, proof, verdict.messages)


def ended(last: Round) -> bool:
    """Whether there is nothing to mend: accepted, or nobody can say."""
    return last.verdict is not None and last.verdict.accepted is not False


def sampling_of(prover: Prover, config: RefineConfig) -> Sampling:
    """How attempts are drawn."""
    return Sampling(config.max_new_tokens, config.temperature, prover.template.codec.end_ids)


def seed_of(*parts: object) -> int:
    """A 31-bit seed out of anything printable, the same in every process."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()) & 0x7FFFFFFF
