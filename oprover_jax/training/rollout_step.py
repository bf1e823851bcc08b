"""RL step: the current policy scores a rollout batch, then is updated on its mini-batches (arXiv 2507.18071: four)."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from itertools import count, islice

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from oprover_jax.data.loader import Batches
from oprover_jax.data.rows import ROW_FIELDS
from oprover_jax.losses.gspo import sampler_mismatch
from oprover_jax.models.qwen3 import Params
from oprover_jax.training.objectives import LogprobFunction
from oprover_jax.training.step import Batch, Metrics, TrainState, TrainStep

__all__ = ["Draw", "RolloutStep", "drawn_step", "numbers", "rollout_batches", "rollout_step"]

Draw = Callable[[int, Params, LogprobFunction], tuple[list[Batch], dict[str, float]]]
"""Draws the rollout batch of a step from the given weights: (step, weights, pass of the old policy) -> (mini-batches, metrics)."""

RolloutStep = Callable[[TrainState, list[Batch], float], tuple[TrainState, Metrics]]

_COUNTERS = ("skipped", "skipped_in_a_row")


def rollout_batches(rows: Batches, mesh: Mesh, minibatches: int, start: int = 0) -> Generator[list[Batch], None, None]:
    """Yield the rollout batches of steps `start`, `start` + 1, ...: each is `minibatches` batches of `rows`."""
    with closing(rows.stream(mesh, start * minibatches)) as stream:
        while True:
            yield list(islice(stream, minibatches))


def rollout_step(logprobs: LogprobFunction, update: TrainStep, mesh: Mesh) -> RolloutStep:
    """Return a step on a rollout batch: the old log-probabilities of all mini-batches first, under the shapes of the update, then one
    update on each. Nothing waits for the device.

    `logprobs` is `make_logprob_fn` and `update` the train step of `objectives.gspo`, made for the same shapes. Metrics: means over the
    mini-batches of the update's and of `sampler_mismatch`; `first_ratio`, the ratio of the first mini-batch, which no update precedes and
    which is therefore exactly 1; the largest gap, all tokens, and the counters at the end.
    """
    mismatch, combined = jax.jit(sampler_mismatch), jax.jit(_combined)

    def step(state: TrainState, minibatches: list[Batch], learning_rate: float) -> tuple[TrainState, Metrics]:
        old = [logprobs(state.params, {name: batch[name] for name in ROW_FIELDS}) for batch in minibatches]
        collected = []
        for batch, old_logprob in zip(minibatches, old, strict=True):
            state, metrics = update(state, batch | {"old_logprob": old_logprob}, learning_rate)
            with jax.set_mesh(mesh):
                collected.append(metrics | mismatch(old_logprob, batch["sampler_logprob"], batch["weights"]))
        with jax.set_mesh(mesh):
            return state, combined(collected)

    return step


def numbers(start: int) -> Generator[int, None, None]:
    """Yield the steps from `start` on, for `drawn_step`."""
    yield from count(start)


def drawn_step(draw: Draw, logprobs: LogprobFunction, step: RolloutStep) -> Callable[[TrainState, int, float], tuple[TrainState, Metrics]]:
    """Return a step that draws its rollout batch from the weights that it is about to train; the metrics of both are joined."""

    def drawn(state: TrainState, number: int, learning_rate: float) -> tuple[TrainState, Metrics]:
        minibatches, figures = draw(number, state.params, logprobs)
        state, metrics = step(state, minibatches, learning_rate)
        return state, metrics | {name: jnp.float32(value) for name, value in figures.items()}

    return drawn


def _combined(collected: Sequence[Metrics]) -> Metrics:
    together = {name: jnp.stack([metrics[name] for metrics in collected]) for name in collected[0]}
    means = {name: jnp.mean(values) for name, values in together.items()}
    counters = {name: together[name][-1] for name in _COUNTERS}
    first = {"first_ratio": together["ratio"][0]}
    return means | counters | first | {"tokens": jnp.sum(together["tokens"]), "sampler_gap_max": jnp.max(together["sampler_gap_max"])}
