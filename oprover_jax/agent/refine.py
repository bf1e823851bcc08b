"""Refinement loop: render the state, sample an attempt, verify it, and repeat with Lean's feedback until it is accepted or rounds run out.

OProver, section on agentic proving: only the most recent attempt and its feedback are kept. The target is stated by us; the policy's code,
helper lemmas included, only ever proves it.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from lean_worker.protocol import Verdict
from oprover_jax.agent.answer import parse_answer
from oprover_jax.agent.feedback import verdict_errors
from oprover_jax.agent.rewards import RewardConfig, reward
from oprover_jax.agent.template import State, Template
from oprover_jax.records import ProofRecord, Provenance, Round, Statement, Trajectory
from oprover_jax.rollout.engine import Completion, Engine, Request, Sampling
from oprover_jax.verify.verifier import Verifier

OnRound = Callable[[int, Round], None]
"""Callback (round number from 1, round), called after each attempt is verified."""


@dataclass(frozen=True)
class RefineConfig:
    """Settings of the refinement loop.

    Attributes:
      rounds: Maximum number of attempts.
      retrieve: Number of retrieved proofs in each prompt; 0 disables retrieval.
      feedback: "lean" shows the previous attempt and Lean's feedback; "none" hides both, so that each round starts afresh with equal
        compute (the ablation).
      temperature: Sampling temperature.
      max_new_tokens: Maximum length of an attempt, in tokens.
      reward: Rewards of an attempt.
    """

    rounds: int = 2
    retrieve: int = 2
    feedback: str = "lean"
    temperature: float = 1.0
    max_new_tokens: int = 64
    reward: RewardConfig = field(default_factory=RewardConfig)

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"refine.rounds is {self.rounds}; it must be at least 1")
        if self.retrieve < 0:
            raise ValueError(f"refine.retrieve is {self.retrieve}; it must be at least 0 (0 disables retrieval)")
        if self.feedback not in ("lean", "none"):
            raise ValueError(f"refine.feedback is {self.feedback!r}; give 'lean' or 'none'")


@dataclass(frozen=True)
class Prover:
    """Components of the refinement loop: engine, verifier and prompt template."""

    engine: Engine
    verifier: Verifier
    template: Template


async def prove(
    prover: Prover,
    statement: Statement,
    retrieved: Sequence[ProofRecord],
    num_samples: int,
    config: RefineConfig,
    stage: str,
    seed: int,
    on_round: OnRound = lambda number, last: None,
) -> list[Trajectory]:
    """Return independent trajectories on one statement, which share only the first prompt.

    Sampling is a function of (seed, stage, statement, round, sample), independent of concurrent work.

    Args:
      prover: Engine, verifier and prompt template.
      statement: Theorem to prove.
      retrieved: Proofs for the prompt, nearest first.
      num_samples: Number of trajectories.
      config: Settings of the loop.
      stage: Stage name, recorded in the trajectories; another stage draws other samples.
      seed: Random seed.
      on_round: Called after each attempt.

    Raises:
      LeanAway: Lean gave no verdict for as long as patience lasts.
    """
    state = State(statement, tuple(retrieved[: config.retrieve]))
    prompt = tuple(prover.template.prompt(state))
    sampling = sampling_of(prover, config)
    first = await prover.engine.generate(Request(prompt, sampling, num_samples, seed_of(seed, stage, statement.id, 0)))
    provenance = Provenance(prover.template.codec.hash, sampling.temperature, sampling.top_p, sampling.max_new_tokens)

    async def refine(sample: int, completion: Completion) -> Trajectory:
        rounds = [await score_attempt(prover, state, prompt, completion, config.reward)]
        on_round(len(rounds), rounds[-1])
        while not ended(rounds[-1]) and len(rounds) < config.rounds:
            following = next_state(state, rounds[-1]) if config.feedback == "lean" else state
            ids = tuple(prover.template.prompt(following))
            request = Request(ids, sampling, 1, seed_of(seed, stage, statement.id, len(rounds), sample))
            [completion] = await prover.engine.generate(request)
            rounds.append(await score_attempt(prover, following, ids, completion, config.reward))
            on_round(len(rounds), rounds[-1])
        return Trajectory(statement, sample, stage, tuple(rounds), provenance=provenance)

    return list(await asyncio.gather(*(refine(i, completion) for i, completion in enumerate(first))))


async def score_attempt(prover: Prover, state: State, prompt: tuple[int, ...], completion: Completion, rewards: RewardConfig) -> Round:
    """Parse one completion, verify it and compute its reward. Raises LeanAway."""
    text = prover.template.codec.decode(completion.token_ids)
    answer = parse_answer(text, state.statement.formal)
    well_formed = answer.well_formed and completion.finish_reason == "stop"
    verdict: Verdict | None = None
    if answer.proof is not None:
        verdict = await prover.verifier.decide(state.statement, answer.proof)
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
        feedback="\n".join(verdict_errors(state.statement.formal, answer.proof, verdict)),
        reward=reward(verdict, well_formed, rewards),
    )


def next_state(state: State, last: Round) -> State:
    """Return the state after a rejected round, with its attempt and feedback in place of the previous ones."""
    return replace(state, attempt=last.proof or "", feedback=verdict_errors(state.statement.formal, last.proof, last.verdict))


def ended(last: Round) -> bool:
    """Return True if the trajectory should stop, because the attempt was accepted."""
    return last.accepted is True


def sampling_of(prover: Prover, config: RefineConfig) -> Sampling:
    """Return the sampling parameters of attempts."""
    return Sampling(config.max_new_tokens, config.temperature, prover.template.codec.end_ids)


def seed_of(*parts: object) -> int:
    """Return a 31-bit seed derived from the `repr` of the parts, the same in every process."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()) & 0x7FFFFFFF
