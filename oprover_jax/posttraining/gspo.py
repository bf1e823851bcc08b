"""The GSPO stage: groups of attempts from hard states, judged by Lean, four mini-batches of updates on each rollout batch.

Three policies are kept apart: the one that sampled (its log-probabilities come with the attempt), the old one (recomputed by
the trainer under the shapes of the update, before the first mini-batch moves anything) and the current one.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from oprover_jax.agent.refine import Prover, judge, seed_of
from oprover_jax.agent.template import State
from oprover_jax.data.rows import Row, pad_row, prompted
from oprover_jax.losses.gspo import group_advantages
from oprover_jax.posttraining.experiment import GSPOStage
from oprover_jax.posttraining.plan import Stage, policy_version
from oprover_jax.posttraining.policy import save_policy
from oprover_jax.posttraining.select import HardState, hard_states
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import StageProgress
from oprover_jax.records import Round
from oprover_jax.rollout.engine import Request, Sampling
from oprover_jax.sharding import named
from oprover_jax.training import objectives
from oprover_jax.training.checkpoint import Checkpoints, latest, restore
from oprover_jax.training.loop import stop_on_signals
from oprover_jax.training.metrics import MetricsLog
from oprover_jax.training.optimizer import learning_rate, make_optimizer
from oprover_jax.training.step import Batch, init_state, make_train_step


async def attempts(prover: Prover, states: Sequence[HardState], stage: Stage, group: int, seed: int) -> list[list[Round]]:
    """`group` judged attempts from each state: one round each, the state being the prompt that some rollout met."""
    assert stage.refine is not None
    refine = stage.refine
    sampling = Sampling(refine.max_new_tokens, refine.temperature, (prover.template.tokenizer.end_id,))

    async def one(number: int, hard: HardState) -> list[Round]:
        request = Request(hard.prompt_ids, sampling, group, (seed + number) & 0x7FFFFFFF)
        completions = await prover.engine.generate(request)
        state = State(hard.statement)
        return list(await asyncio.gather(*(judge(prover, state, hard.prompt_ids, done, refine.reward) for done in completions)))

    return list(await asyncio.gather(*(one(number, hard) for number, hard in enumerate(states))))


def batch_rows(groups: Sequence[Sequence[Round]], length: int) -> tuple[list[Row], dict[str, float]]:
    """One row for each attempt: its tokens, its mask, its advantage, the sampler's log-probabilities; and what the batch was like.

    An attempt without a verdict (infrastructure) is masked out and has no part in its group's mean.
    """
    rewards = np.array([[np.nan if r.reward is None else r.reward for r in group] for group in groups], np.float32)
    valid = ~np.isnan(rewards)
    advantages = group_advantages(np.nan_to_num(rewards), valid)
    rows = []
    for group, weights, known in zip(groups, advantages, valid, strict=True):
        for one, advantage, usable in zip(group, weights, known, strict=True):
            row = pad_row(prompted(one.prompt_ids, one.attempt_ids), length)
            row["weights"] *= np.float32(usable)
            sampled = np.zeros(length, np.float32)
            start = len(one.prompt_ids) - 1
            sampled[start : start + len(one.logprobs)] = one.logprobs
            rows.append(row | {"advantages": np.asarray(advantage, np.float32), "sampler_logprob": sampled})
    varied = (np.abs(advantages).max(axis=1) > 0).mean()
    return rows, {"reward": float(rewards[valid].mean()) if valid.any() else 0.0, "effective_groups": float(varied)}


def gspo(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Practises on the hard states of this iteration's rollouts. Without any, the policy stays as it is and the summary says so."""
    experiment, settings = bench.experiment, bench.experiment.gspo
    rollouts = bench.trajectories(f"rollout-{stage.iteration}")
    states = hard_states(rollouts, experiment.select, experiment.seed)
    if not states:
        return {"steps": 0, "reason": "no statement had a success rate in the hard band"}
    trainer = _Trainer(bench, stage, settings)
    progress.total(settings.steps)
    with stop_on_signals() as stop, trainer.checkpoints, MetricsLog(trainer.folder / "metrics.jsonl", trainer.start) as log:
        last: dict[str, float] = {}
        for step in range(trainer.start, settings.steps):
            chosen = [states[(step * settings.states + i) % len(states)] for i in range(settings.states)]
            bench.engine.publish(trainer.state.params, policy_version(experiment, stage.name, step))
            prover = Prover(bench.engine, bench.verifier, bench.template)
            groups = asyncio.run(attempts(prover, chosen, stage, settings.group, seed_of(experiment.seed, stage.name, step)))
            rows, about = batch_rows(groups, settings.row_tokens)
            last = about | trainer.update(rows, step)
            log.write({"step": step, **last})
            progress.update(step + 1, f"reward {last['reward']:.2f}, {last['effective_groups']:.0%} of groups teach")
            trainer.save(step + 1)
            if stop.is_set():
                raise KeyboardInterrupt
    version = policy_version(experiment, stage.name, settings.steps)
    save_policy(bench.folder, stage.name, trainer.state.params, version)
    bench.set_policy(stage.name, trainer.state.params)
    shown: dict[str, float] = {
        name: last[name] for name in ("reward", "effective_groups", "ratio", "clip_fraction", "sampler_gap") if name in last
    }
    return {"steps": settings.steps, "hard_states": len(states), **shown}


class _Trainer:
    """State and compiled functions of the stage; taken up from its newest checkpoint."""

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
        self.state = init_state(bench.policy()[1], optimizer, bench.mesh)
        self.start = latest(self.folder / "checkpoints") or 0
        if self.start:
            self.state = restore(self.folder / "checkpoints", self.start, self.state)
        self.checkpoints = Checkpoints(self.folder / "checkpoints", keep=1)

    def save(self, step: int) -> None:
        self.checkpoints.save(step, self.state, {"step": step})

    def update(self, rows: Sequence[Row], step: int) -> dict[str, float]:
        """One pass over the rollout batch in mini-batches; the old log-probabilities are all taken before the first update."""
        batches = self._minibatches(rows)
        for batch in batches:
            batch["old_logprob"] = self._logprobs(self.state.params, batch)
        sampler_gap = max(_mean_gap(batch) for batch in batches)
        rate = learning_rate(self._settings.optimizer, step, self._settings.steps)
        collected = []
        for batch in batches:
            self.state, metrics = self._step(self.state, {k: v for k, v in batch.items() if k != "sampler_logprob"}, rate)
            collected.append(metrics)
        host = [jax.device_get(metrics) for metrics in collected]
        means = {name: float(np.mean([metrics[name] for metrics in host])) for name in host[0]}
        return means | {"sampler_gap": sampler_gap}

    def _minibatches(self, rows: Sequence[Row]) -> list[Batch]:
        """Rows dealt out in turn, so that every mini-batch holds attempts of every group."""
        count = self._settings.minibatches
        return [_placed(rows[i::count], self._mesh) for i in range(count)]


def _placed(rows: Sequence[Row], mesh: Mesh) -> Batch:
    """Rows stacked, [B, S] or [B], and laid out over the mesh."""
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    axes = ("batch", "sequence")
    return {name: jax.device_put(a, named(a.shape, axes[: a.ndim], mesh, f"batch field {name}")) for name, a in stacked.items()}


def _mean_gap(batch: Batch) -> float:
    """Mean |sampler - trainer| log-probability over the attempt's tokens: engine and trainer must agree on the same weights."""
    gap = jnp.sum(jnp.abs(batch["old_logprob"] - batch["sampler_logprob"]) * batch["weights"])
    return float(gap / jnp.maximum(jnp.sum(batch["weights"]), 1.0))
