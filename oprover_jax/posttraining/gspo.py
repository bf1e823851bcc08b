"""The GSPO stage: groups of attempts from hard states, judged by Lean, four mini-batches of updates on each rollout batch.

Three policies are kept apart: the one that sampled (its log-probabilities come with the attempt), the old one (recomputed by
the trainer under the shapes of the update, before the first mini-batch moves anything) and the current one.
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

# the figures of the last step that the summary of the stage repeats
SHOWN = ("reward", "effective_groups", "truncated", "stale", "ratio", "clip_fraction", "sampler_gap", "sampler_gap_max", "reference_kl")


async def attempts(prover: Prover, states: Sequence[HardState], stage: Stage, group: int, seed: int) -> list[list[Round]]:
    """`group` judged attempts from each state: one round each, the state being the prompt that some rollout met."""
    assert stage.refine is not None
    refine = stage.refine
    sampling = sampling_of(prover, refine)

    async def one(number: int, hard: HardState) -> list[Round]:
        request = Request(hard.prompt_ids, sampling, group, (seed + number) & 0x7FFFFFFF)
        completions = await prover.engine.generate(request)
        state = State(hard.statement)
        return list(await asyncio.gather(*(score_attempt(prover, state, hard.prompt_ids, done, refine.reward) for done in completions)))

    return list(await asyncio.gather(*(one(number, hard) for number, hard in enumerate(states))))


@dataclass(frozen=True)
class Outcomes:
    """What became of the attempts of a rollout batch. `truncated` ones ended by length, `stale` ones were drawn by a policy that is too
    old; `rewards` [G, N] are 0 where they count for nothing (not `valid`): stale, or without a verdict."""

    rewards: Float32[np.ndarray, "G N"]
    valid: Bool[np.ndarray, "G N"]
    truncated: Bool[np.ndarray, "G N"]
    stale: Bool[np.ndarray, "G N"]

    def summary(self) -> dict[str, float]:
        """`reward` (mean of the valid ones) and the shares of informative groups and of attempts that were truncated or stale."""
        return {
            "reward": float(self.rewards[self.valid].mean()) if self.valid.any() else 0.0,
            "effective_groups": float(informative_groups(self.rewards, self.valid).mean()),
            "truncated": float(self.truncated.mean()),
            "stale": float(self.stale.mean()),
        }


def outcomes(groups: Sequence[Sequence[Round]], oldest: int = 0) -> Outcomes:
    """Rewards and ends of groups of equally many attempts; those of policies before version `oldest` are stale."""
    rewards = np.array([[np.nan if one.reward is None else one.reward for one in group] for group in groups], np.float32)
    truncated = np.array([[one.finish_reason == "length" for one in group] for group in groups])
    stale = np.array([[one.policy_version < oldest for one in group] for group in groups])
    valid = ~np.isnan(rewards) & ~stale
    return Outcomes(np.where(valid, rewards, np.float32(0)), valid, truncated, stale)


def fresh_outcomes(groups: Sequence[Sequence[Round]], version: int, staleness: int) -> Outcomes:
    """`outcomes` for the policy of `version`. Raises TrainingFailed where all attempts are stale: no weights have reached the engine."""
    judged = outcomes(groups, version - staleness)
    if judged.stale.all():
        newest = max(one.policy_version for group in groups for one in group)
        raise TrainingFailed(
            f"all attempts were drawn by version {newest} of the policy or an older one, and version {version} learns with "
            f"gspo.loss.staleness={staleness}; publish its weights to the engine first"
        )
    return judged


def batch_rows(groups: Sequence[Sequence[Round]], length: int) -> list[Row]:
    """One row for each attempt, group by group: its tokens, weight 1 on the attempt, the sampler's log-probabilities."""
    rows = []
    for one in itertools.chain.from_iterable(groups):
        sampled = np.zeros(length, np.float32)
        start = len(one.prompt_ids) - 1
        sampled[start : start + len(one.logprobs)] = one.logprobs
        rows.append(pad_row(prompted(one.prompt_ids, one.attempt_ids), length) | {"sampler_logprob": sampled})
    return rows


def gspo(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Practises on the hard states of this iteration's rollouts. Without any, the policy stays as it is and the summary says so."""
    experiment, settings = bench.experiment, bench.experiment.gspo
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
            judged = fresh_outcomes(groups, version, settings.loss.staleness)
            last = judged.summary() | trainer.update(batch_rows(groups, settings.seq_len), judged, step)
            log.write({"step": step, **last})
            refused = f", {judged.stale.sum()} attempts refused as stale" if judged.stale.any() else ""
            progress.update(step + 1, f"reward {last['reward']:.2f}, {last['effective_groups']:.0%} of groups informative{refused}")
            trainer.save(step + 1)
            if stop.is_set():
                raise KeyboardInterrupt
    version = policy_version(experiment, stage.name, settings.steps)
    save_policy(bench.folder, stage.name, trainer.state.params, version)
    bench.set_policy(stage.name, trainer.state.params)
    return {"steps": settings.steps, "hard_states": len(states), **{name: last[name] for name in SHOWN if name in last}}


class Trainer:
    """State and compiled functions of the stage; taken up from its newest checkpoint. The reference of a KL is the policy that the
    stage started from."""

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
        self.checkpoints.save(step, self.state, {"step": step})

    def update(self, rows: Sequence[Row], judged: Outcomes, step: int) -> dict[str, float]:
        """One pass over the rollout batch in mini-batches; the old log-probabilities are all taken before the first update.

        Metrics: means over the mini-batches of the objective's and of `sampler_mismatch`, whose largest gap is that of the whole batch.
        """
        count = self._settings.minibatches  # rows are dealt out in turn, so that every mini-batch holds attempts of every group
        scored = [self._scored(rows[i::count]) for i in range(count)]
        apart = [jax.device_get(sampler_mismatch(b["old_logprob"], b["sampler_logprob"], b["weights"])) for b in scored]
        rate = learning_rate(self._settings.optimizer, step, self._settings.steps)
        collected = []
        for batch in self._with_advantages(scored, judged):
            self.state, metrics = self._step(self.state, batch, rate)
            collected.append(metrics)
        host = [jax.device_get(metrics) | gaps for metrics, gaps in zip(collected, apart, strict=True)]
        means = {name: float(np.mean([metrics[name] for metrics in host])) for name in host[0]}
        return means | {"sampler_gap_max": float(max(gaps["sampler_gap_max"] for gaps in apart))}

    def _scored(self, rows: Sequence[Row]) -> Batch:
        """A mini-batch on the mesh, with the log-probabilities that stay what they are while it is practised on."""
        batch = self._placed({name: np.stack([row[name] for row in rows]) for name in rows[0]})
        inputs = {name: batch[name] for name in ROW_FIELDS}
        batch["old_logprob"] = self._logprobs(self.state.params, inputs)
        if self._settings.loss.kl != "none":
            batch["reference_logprob"] = self._logprobs(self._reference, inputs)
        return batch

    def _with_advantages(self, batches: Sequence[Batch], judged: Outcomes) -> list[Batch]:
        """Scored mini-batches made ready for the objective: with advantages, and weight only on the attempts that are trained on."""
        loss, count = self._settings.loss, len(batches)
        penalty = None
        if loss.kl == "k1_reward":
            dealt = np.empty(judged.rewards.size)
            for i, batch in enumerate(batches):
                dealt[i::count] = k1(*(jax.device_get(batch[name]) for name in ("old_logprob", "reference_logprob", "weights")))
            penalty = loss.kl_weight * dealt.reshape(judged.rewards.shape)
        advantages = group_advantages(judged.rewards, judged.valid, penalty).astype(np.float32).ravel()
        trained = trained_attempts(judged.rewards, judged.valid, judged.truncated, loss).ravel()
        ready = []
        for i, batch in enumerate(batches):
            weights = jax.device_get(batch["weights"]) * trained[i::count, None]
            ready.append(batch | self._placed({"weights": weights, "advantages": advantages[i::count]}))
        return ready

    def _placed(self, arrays: Row) -> Batch:
        """Stacked rows, [B, S] or [B], laid out over the mesh."""
        axes = ("batch", "sequence")
        return {n: jax.device_put(a, named(a.shape, axes[: a.ndim], self._mesh, f"batch field {n}")) for n, a in arrays.items()}
