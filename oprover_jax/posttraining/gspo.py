"""GSPO stage: groups of attempts from hard states, verified by Lean, with several mini-batch updates on each rollout batch.

Three policies are distinguished: the sampler (its log-probabilities come with the attempt), the old policy (recomputed by the trainer with
the shapes of the update, before the first mini-batch) and the current policy.
"""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float32

from oprover_jax.agent.refine import Prover, sampling_of, score_attempt, seed_of
from oprover_jax.agent.template import State
from oprover_jax.data.rows import ROW_FIELDS, Row, pad_row, prompted
from oprover_jax.errors import TrainingFailed
from oprover_jax.losses.groups import group_advantages, informative_groups, k1, trained_attempts
from oprover_jax.losses.gspo import sampler_mismatch
from oprover_jax.posttraining.experiment import GSPOStage
from oprover_jax.posttraining.plan import Stage, policy_version
from oprover_jax.posttraining.policy import save_policy
from oprover_jax.posttraining.select import HardState, hard_states
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import StageProgress
from oprover_jax.records import Round
from oprover_jax.rollout.engine import Request
from oprover_jax.rollout.publish import publish_in_place
from oprover_jax.sharding import named
from oprover_jax.training import objectives
from oprover_jax.training.checkpoint import Checkpoints, latest, restore
from oprover_jax.training.loop import stop_on_signals
from oprover_jax.training.metrics import MetricsLog
from oprover_jax.training.optimizer import learning_rate, make_optimizer
from oprover_jax.training.step import Batch, init_state, make_train_step

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


def batch_rows(groups: Sequence[Sequence[Round]], length: int) -> list[Row]:
    """Return one row of `length` tokens per attempt: tokens, weight 1 on the attempt, and the sampler's log-probabilities."""
    rows = []
    for attempt in itertools.chain.from_iterable(groups):
        sampled = np.zeros(length, np.float32)
        start = len(attempt.prompt_ids) - 1
        sampled[start : start + len(attempt.logprobs)] = attempt.logprobs
        rows.append(pad_row(prompted(attempt.prompt_ids, attempt.attempt_ids), length) | {"sampler_logprob": sampled})
    return rows


def gspo(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Train on the hard states of this iteration's rollouts; without any, or with 0 steps, keep the policy and report why."""
    experiment, settings = bench.experiment, bench.experiment.gspo
    if settings.steps == 0:
        return {"steps": 0, "reason": "gspo.steps is 0"}
    rollouts = bench.trajectories(f"rollout-{stage.iteration}")
    states = hard_states(rollouts, experiment.select, experiment.seed)
    if not states:
        return {"steps": 0, "reason": "no statement had a success rate in the hard band"}
    trainer = Trainer(bench, stage, settings)
    progress.total(settings.steps)
    with stop_on_signals() as stop, trainer.checkpoints, MetricsLog(trainer.folder / "metrics.jsonl", trainer.start) as log:
        last: dict[str, float] = {}
        for step in range(trainer.start, settings.steps):
            chosen = [states[(step * settings.states + i) % len(states)] for i in range(settings.states)]
            version = policy_version(experiment, stage.name, step)
            publish_in_place(bench.engine, trainer.state.params, version)
            prover = Prover(bench.engine, bench.verifier, bench.template)
            groups = asyncio.run(attempts(prover, chosen, stage, settings.group_size, seed_of(experiment.seed, stage.name, step)))
            batch = fresh_outcomes(groups, version, settings.loss.staleness)
            last = batch.summary() | trainer.update(batch_rows(groups, settings.seq_len), batch, step)
            log.write({"step": step, **last})
            stale = f", {batch.stale.sum()} stale attempts skipped" if batch.stale.any() else ""
            progress.update(step + 1, f"reward {last['reward']:.2f}, {last['effective_groups']:.0%} of groups informative{stale}")
            trainer.save(step + 1)
            if stop.is_set():
                raise KeyboardInterrupt
    version = policy_version(experiment, stage.name, settings.steps)
    save_policy(bench.folder, stage.name, trainer.state.params, version)
    bench.set_policy(stage.name, trainer.state.params)
    return {"steps": settings.steps, "hard_states": len(states), **{name: last[name] for name in SHOWN if name in last}}


class Trainer:
    """State and compiled functions of the stage, resumed from its latest checkpoint.

    The reference policy of a KL term is the policy from which the stage started.
    """

    def __init__(self, bench: Workbench, stage: Stage, settings: GSPOStage) -> None:
        self.folder = bench.folder.stage(stage.name)
        self._mesh, self._settings = bench.mesh, settings
        model, temperature = bench.experiment.model, bench.experiment.rollout.temperature
        optimizer = make_optimizer(settings.optimizer)
        objective = objectives.gspo(model, settings.loss, temperature=temperature)
        self._step = bench.program(
            ("gspo", settings.optimizer.program),
            lambda: make_train_step(objective, optimizer, bench.mesh, spike_factor=settings.optimizer.spike_factor),
        )
        self._logprobs = bench.program("logprobs", lambda: objectives.make_logprob_fn(model, bench.mesh, temperature=temperature))
        self._reference = bench.policy()[1]
        self.state = init_state(self._reference, optimizer, bench.mesh)
        self.start = latest(self.folder / "checkpoints") or 0
        if self.start:
            self.state = restore(self.folder / "checkpoints", self.start, self.state)
        self.checkpoints = Checkpoints(self.folder / "checkpoints", keep=1)

    def save(self, step: int) -> None:
        """Save a checkpoint after `step` steps."""
        self.checkpoints.save(step, self.state, {"step": step})

    def update(self, rows: Sequence[Row], outcomes: Outcomes, step: int) -> dict[str, float]:
        """Make one pass over the rollout batch in mini-batches; all old log-probabilities are computed before the first update.

        Returns:
          Metrics of the objective and of `sampler_mismatch`, averaged over the mini-batches; the largest gap is that of the whole batch.
        """
        count = self._settings.minibatches  # rows are distributed in turn, so that every mini-batch holds attempts of every group
        scored = [self._scored(rows[i::count]) for i in range(count)]
        mismatches = [jax.device_get(sampler_mismatch(b["old_logprob"], b["sampler_logprob"], b["weights"])) for b in scored]
        rate = learning_rate(self._settings.optimizer, step, self._settings.steps)
        collected = []
        for batch in self._with_advantages(scored, outcomes):
            self.state, metrics = self._step(self.state, batch, rate)
            collected.append(metrics)
        host = [jax.device_get(metrics) | gaps for metrics, gaps in zip(collected, mismatches, strict=True)]
        means = {name: float(np.mean([metrics[name] for metrics in host])) for name in host[0]}
        return means | {"sampler_gap_max": float(max(gaps["sampler_gap_max"] for gaps in mismatches))}

    def _scored(self, rows: Sequence[Row]) -> Batch:
        """Return a mini-batch on the mesh with the log-probabilities that stay fixed during its updates."""
        batch = self._placed({name: np.stack([row[name] for row in rows]) for name in rows[0]})
        inputs = {name: batch[name] for name in ROW_FIELDS}
        batch["old_logprob"] = self._logprobs(self.state.params, inputs)
        if self._settings.loss.kl != "none":
            batch["reference_logprob"] = self._logprobs(self._reference, inputs)
        return batch

    def _with_advantages(self, batches: Sequence[Batch], outcomes: Outcomes) -> list[Batch]:
        """Return the mini-batches with advantages, and with weight only on attempts that are trained on."""
        loss, count = self._settings.loss, len(batches)
        penalty = None
        if loss.kl == "k1_reward":
            divergences = np.empty(outcomes.rewards.size)
            for i, batch in enumerate(batches):
                divergences[i::count] = k1(*(jax.device_get(batch[name]) for name in ("old_logprob", "reference_logprob", "weights")))
            penalty = loss.kl_weight * divergences.reshape(outcomes.rewards.shape)
        advantages = group_advantages(outcomes.rewards, outcomes.valid, penalty).astype(np.float32).ravel()
        trained = trained_attempts(outcomes.rewards, outcomes.valid, outcomes.truncated, loss).ravel()
        ready = []
        for i, batch in enumerate(batches):
            weights = jax.device_get(batch["weights"]) * trained[i::count, None]
            ready.append(batch | self._placed({"weights": weights, "advantages": advantages[i::count]}))
        return ready

    def _placed(self, arrays: Row) -> Batch:
        """Return stacked rows, [B, S] or [B], sharded over the mesh."""
        axes = ("batch", "sequence")
        return {n: jax.device_put(a, named(a.shape, axes[: a.ndim], self._mesh, f"batch field {n}")) for n, a in arrays.items()}
