"""GSPO stage: groups of attempts from hard states, verified by Lean, with several mini-batch updates on each rollout batch.

Three policies are distinguished: the sampler (its log-probabilities come with the attempt), the old policy (recomputed by the trainer with
the shapes of the update, before the first mini-batch) and the current policy.
"""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Float32

from oprover_jax.agent.refine import Prover, sampling_of, score_attempt, seed_of
from oprover_jax.agent.template import State
from oprover_jax.data.rows import ROW_FIELDS, Row
from oprover_jax.errors import TrainingFailed
from oprover_jax.losses.groups import group_advantages, informative_groups, k1, trained_attempts
from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.models.qwen3 import Params
from oprover_jax.posttraining.guard import check_gap, check_reward
from oprover_jax.posttraining.jobs import job_of
from oprover_jax.posttraining.plan import Stage, policy_version
from oprover_jax.posttraining.policy import Weights
from oprover_jax.posttraining.proving import found_proofs, rechecked
from oprover_jax.posttraining.select import HardState, hard_states
from oprover_jax.posttraining.training import train_policy
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import StageProgress
from oprover_jax.records import Provenance, Round, Trajectory
from oprover_jax.rollout.engine import Request
from oprover_jax.sharding import named
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.objectives import LogprobFunction
from oprover_jax.training.rollout_rows import attempt_row
from oprover_jax.training.rollout_step import Draw
from oprover_jax.training.step import Batch

# metrics of the last step that appear in the summary of the stage
SHOWN = ("reward", "effective_groups", "truncated", "stale", "ratio", "clip_fraction", "sampler_gap", "sampler_gap_max", "reference_kl")


async def attempts(prover: Prover, states: Sequence[HardState], stage: Stage, group: int, seed: int) -> list[list[Round]]:
    """Return `group` verified attempts from each state; a state is a prompt that occurred in a rollout."""
    assert stage.refine is not None
    refine = stage.refine
    sampling = sampling_of(prover, refine)

    async def sample_group(number: int, hard: HardState) -> list[Round]:
        request = Request(hard.prompt_ids, sampling, group, (seed + number) & 0x7FFFFFFF)
        completions = await prover.engine.generate(request)
        state = State(hard.statement)
        return list(await asyncio.gather(*(score_attempt(prover, state, hard.prompt_ids, done, refine.reward) for done in completions)))

    return list(await asyncio.gather(*(sample_group(number, hard) for number, hard in enumerate(states))))


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of the attempts of a rollout batch, arrays of shape [groups, attempts].

    Attributes:
      rewards: Rewards; 0 where not `valid`.
      valid: Attempts with a verdict that are not stale.
      truncated: Attempts that ended by length.
      stale: Attempts sampled by a policy that is too old.
    """

    rewards: Float32[np.ndarray, "G N"]
    valid: Bool[np.ndarray, "G N"]
    truncated: Bool[np.ndarray, "G N"]
    stale: Bool[np.ndarray, "G N"]

    def summary(self) -> dict[str, float]:
        """Return the mean `reward` of valid attempts, and the shares of informative groups and of truncated and stale attempts."""
        return {
            "reward": float(self.rewards[self.valid].mean()) if self.valid.any() else 0.0,
            "effective_groups": float(informative_groups(self.rewards, self.valid).mean()),
            "truncated": float(self.truncated.mean()),
            "stale": float(self.stale.mean()),
        }


def outcomes(groups: Sequence[Sequence[Round]], oldest: int = 0) -> Outcomes:
    """Return the outcomes of groups of equal size; attempts by policies before version `oldest` are stale."""
    rewards = np.array([[np.nan if attempt.reward is None else attempt.reward for attempt in group] for group in groups], np.float32)
    truncated = np.array([[attempt.finish_reason == "length" for attempt in group] for group in groups])
    stale = np.array([[attempt.policy_version < oldest for attempt in group] for group in groups])
    valid = ~np.isnan(rewards) & ~stale
    return Outcomes(np.where(valid, rewards, np.float32(0)), valid, truncated, stale)


def fresh_outcomes(groups: Sequence[Sequence[Round]], version: int, staleness: int) -> Outcomes:
    """Return `outcomes` for the policy of `version`.

    Raises:
      TrainingFailed: All attempts are stale, which means that no weights have reached the engine.
    """
    batch = outcomes(groups, version - staleness)
    if batch.stale.all():
        newest = max(attempt.policy_version for group in groups for attempt in group)
        raise TrainingFailed(
            f"all attempts were sampled by version {newest} of the policy or older, but version {version} trains with "
            f"gspo.loss.staleness={staleness}; publish its weights to the engine first"
        )
    return batch


def gspo(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Train on the hard states of this iteration's rollouts; without any, or with 0 steps, keep the policy and report why."""
    experiment, settings = bench.experiment, bench.experiment.gspo
    if settings.steps == 0:
        return {"steps": 0, "reason": "gspo.steps is 0"}
    rollouts = bench.rollouts(f"rollout-{stage.iteration}")
    states = hard_states(rollouts, experiment.select, experiment.seed, settings.steps * settings.states)
    if not states:
        return {"steps": 0, "reason": "no statement had a success rate in the hard band"}
    job = job_of(experiment, bench.model, stage)

    def shown(metrics: Mapping[str, float]) -> str:
        check_gap(experiment.guard, metrics)
        stale = f", {metrics['stale']:.0%} stale attempts skipped" if metrics["stale"] else ""
        return f"reward {metrics['reward']:.2f}, {metrics['effective_groups']:.0%} of groups informative{stale}"

    last = train_policy(bench, stage, job, progress, shown, draw_from(bench, stage, job, states))
    solved = found_proofs(bench.rollouts(stage.name), [state.statement for state in states], stage.name)
    verified = bench.proofs(stage.name) or rechecked(bench.verifier, solved, bench.lean.tier)
    bench.put_proofs(stage.name, verified)
    figures = {name: last[name] for name in SHOWN if name in last}
    return {"steps": settings.steps, "hard_states": len(states), "proofs": len(verified), **figures}


def draw_from(bench: Workbench, stage: Stage, job: TrainingJob, states: Sequence[HardState]) -> Draw:
    """Return what draws the rollout batch of a step: groups of attempts by the current policy from the next hard states.

    The reference policy of a KL term is the policy from which the stage started.
    """
    experiment, settings, before = bench.experiment, bench.experiment.gspo, bench.policy()
    reward: float | None = None

    def draw(step: int, params: Params, logprobs: LogprobFunction) -> tuple[list[Batch], dict[str, float]]:
        nonlocal reward
        chosen = [states[(step * settings.states + i) % len(states)] for i in range(settings.states)]
        version = policy_version(experiment, stage.name, step) if step else before.version
        prover = bench.prover_with(Weights(stage.name, version, params))
        groups = asyncio.run(attempts(prover, chosen, stage, settings.group_size, seed_of(experiment.seed, stage.name, step)))
        bench.put_trajectories(stage.name, trajectories_of(groups, chosen, stage, step, bench.codec.hash))
        found = fresh_outcomes(groups, version, settings.loss.staleness)
        figures = found.summary()
        check_reward(experiment.guard, step, reward, figures["reward"])
        reward = figures["reward"]
        rows = [attempt_row(attempt, settings.seq_len) for group in groups for attempt in group]
        return minibatches(rows, found, job, params, before.params, logprobs, bench.mesh), figures

    return draw


def trajectories_of(
    groups: Sequence[Sequence[Round]], states: Sequence[HardState], stage: Stage, step: int, tokenizer: str
) -> list[Trajectory]:
    """Return the attempts of a rollout batch as trajectories of one round, numbered through the stage."""
    assert stage.refine is not None
    provenance = Provenance(tokenizer, stage.refine.temperature, 1.0, stage.refine.max_new_tokens)
    numbers = itertools.count(step * len(states) * len(groups[0]))
    return [
        Trajectory(state.statement, next(numbers), stage.name, (attempt,), provenance=provenance)
        for state, group in zip(states, groups, strict=True)
        for attempt in group
    ]


def minibatches(
    rows: Sequence[Row], found: Outcomes, job: TrainingJob, params: Params, reference: Params, logprobs: LogprobFunction, mesh: Mesh
) -> list[Batch]:
    """Return the mini-batches of a rollout batch; rows are distributed in turn, so that each holds attempts of every group.

    Args:
      rows: One row per attempt, in the order of the groups.
      found: Outcomes of the attempts.
      job: Job of the stage.
      params: Weights that drew the attempts.
      reference: Weights that a KL term refers to.
      logprobs: Pass of the old policy.
      mesh: Mesh of the job.
    """
    batches = [placed(stacked(rows[i :: job.minibatches]), mesh) for i in range(job.minibatches)]
    penalty = None
    if job.gspo.kl != "none":
        for batch in batches:
            batch["reference_logprob"] = logprobs(reference, {name: batch[name] for name in ROW_FIELDS})
    if job.gspo.kl == "k1_reward":
        penalty = job.gspo.kl_weight * divergences(params, batches, logprobs).reshape(found.rewards.shape)
    return with_advantages(batches, found, job.gspo, penalty, mesh)


def divergences(params: Params, batches: Sequence[Batch], logprobs: LogprobFunction) -> Float[np.ndarray, "A"]:
    """Return the k1 estimate of the divergence of `params` from the reference on each attempt, in the order of the rollout batch."""
    count = len(batches)
    found = np.empty(count * len(batches[0]["weights"]))
    for i, batch in enumerate(batches):
        old = logprobs(params, {name: batch[name] for name in ROW_FIELDS})
        found[i::count] = k1(*(jax.device_get(array) for array in (old, batch["reference_logprob"], batch["weights"])))
    return found


def with_advantages(
    batches: Sequence[Batch], found: Outcomes, loss: GSPOConfig, penalty: Float[np.ndarray, "G N"] | None, mesh: Mesh
) -> list[Batch]:
    """Return the mini-batches with advantages, and with weight only on attempts that are trained on."""
    count = len(batches)
    advantages = group_advantages(found.rewards, found.valid, penalty).astype(np.float32).ravel()
    trained = trained_attempts(found.rewards, found.valid, found.truncated, loss).ravel()
    ready = []
    for i, batch in enumerate(batches):
        weights = jax.device_get(batch["weights"]) * trained[i::count, None]
        ready.append(batch | placed({"weights": weights, "advantages": advantages[i::count]}, mesh))
    return ready


def stacked(rows: Sequence[Row]) -> Row:
    """Return rows as one array per field, [B, S]."""
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def placed(arrays: Row, mesh: Mesh) -> Batch:
    """Return stacked rows, [B, S] or [B], sharded over the mesh."""
    axes = ("batch", "sequence")
    return {n: jax.device_put(a, named(a.shape, axes[: a.ndim], mesh, f"batch field {n}")) for n, a in arrays.items()}
