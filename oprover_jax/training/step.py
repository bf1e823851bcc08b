"""Train step: a pure function from (state, batch, learning rate) to (state, metrics), compiled once per objective and shape.

Gradients are sums over micro-batches and are divided once, by the global denominator, so that packing, accumulation and
the mesh change nothing. A step whose loss or gradient is not finite, whose gradient norm is a spike, or whose batch trains nothing
moves no weight and is counted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Num

from oprover_jax.models.qwen3 import Params

__all__ = [
    "SPIKE_WINDOW",
    "Batch",
    "LossFunction",
    "LossTerms",
    "Metrics",
    "TrainState",
    "TrainStep",
    "abstract_state",
    "init_state",
    "make_train_step",
    "split_batch",
    "train_step",
]

Batch = dict[str, Array]
Metrics = dict[str, Num[Array, ""]]
Fraction = tuple[Float[Array, ""], Float[Array, ""]]
LossTerms = tuple[Float[Array, ""], Float[Array, ""], dict[str, Fraction]]
LossFunction = Callable[[Params, Batch], LossTerms]

SPIKE_WINDOW = 64  # gradient norms whose median is the reference for spikes


@partial(
    jax.tree_util.register_dataclass, data_fields=["step", "skipped", "params", "opt_state", "in_a_row", "recent_norms"], meta_fields=[]
)
@dataclass(frozen=True)
class TrainState:
    """State of training: `step` batches taken, `skipped` steps among them and `in_a_row` consecutive skipped steps up to now
    (int32 scalars), fp32 weights, optimizer state, and the last SPIKE_WINDOW finite gradient norms (NaN until there are that many).
    The leaves are arrays, or the result of a tree map over them (shapes, layouts)."""

    step: Any
    skipped: Any
    params: Params
    opt_state: Any
    in_a_row: Any
    recent_norms: Any


TrainStep = Callable[[TrainState, Batch, float], tuple[TrainState, Metrics]]


def init_state(params: Params, optimizer: optax.GradientTransformation, mesh: Mesh) -> TrainState:
    """Return a state at step 0 with a copy of `params` (the train step donates its state; the caller's arrays stay valid)."""
    with jax.set_mesh(mesh):
        return jax.jit(partial(_init_state, optimizer))(params)


def _init_state(optimizer: optax.GradientTransformation, params: Params) -> TrainState:
    zero = jnp.zeros((), jnp.int32)
    no_norms = jnp.full(SPIKE_WINDOW, jnp.nan, jnp.float32)
    return TrainState(zero, zero, jax.tree.map(jnp.copy, params), optimizer.init(params), zero, no_norms)


def abstract_state(params: Params, optimizer: optax.GradientTransformation, mesh: Mesh | AbstractMesh) -> TrainState:
    """Return what `init_state` would make of `abstract_params`, as ShapeDtypeStructs with shardings on `mesh`, for compiling, restoring,
    or counting with `bytes_per_device`. Nothing is allocated."""
    with jax.sharding.use_abstract_mesh(mesh if isinstance(mesh, AbstractMesh) else mesh.abstract_mesh):
        described = jax.eval_shape(partial(_init_state, optimizer), params)

    def on_mesh(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        spec = leaf.sharding.spec if leaf.sharding is not None else PartitionSpec()  # a new counter: replicated
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=NamedSharding(mesh, spec))

    return jax.tree.map(on_mesh, described)


def make_train_step(
    loss_fn: LossFunction, optimizer: optax.GradientTransformation, mesh: Mesh, grad_accum_steps: int = 1, spike_factor: float = 0.0
) -> TrainStep:
    """Return the compiled `train_step` on `mesh`. It consumes the state that it is given.

    Compilation happens at the first call of each batch shape, and every later stage that calls the same function shares it:
    the learning rate, and with it schedule and length of a stage, is an argument.
    """
    if grad_accum_steps < 1:
        raise ValueError(f"accumulation is {grad_accum_steps}; give at least 1 micro-batch")
    compiled = jax.jit(partial(train_step, loss_fn, optimizer, grad_accum_steps, spike_factor), donate_argnums=0)

    def step(state: TrainState, batch: Batch, learning_rate: float) -> tuple[TrainState, Metrics]:
        with jax.set_mesh(mesh):
            return compiled(state, batch, jnp.float32(learning_rate))

    return step


def train_step(
    loss_fn: LossFunction,
    optimizer: optax.GradientTransformation,
    grad_accum_steps: int,
    spike_factor: float,
    state: TrainState,
    batch: Batch,
    learning_rate: Float[Array, ""],
) -> tuple[TrainState, Metrics]:
    """Perform one update, to be traced under `jax.set_mesh`.

    A gradient norm above `spike_factor` times the median of the last SPIKE_WINDOW finite ones is a spike: the step moves nothing. The norm
    still enters the window, so that a lasting change of level becomes the new median. There is no limit before the window is
    full, and none at all if `spike_factor` is 0. The window is part of the state: a resumed run decides like an undisturbed one.

    Metrics: those of `loss_fn` divided over the whole batch, `objective` (what was minimised), `gradient_norm` before
    clipping, `tokens` (positions that hold one), `skipped` (steps so far that moved nothing) and `skipped_in_a_row` (up to this one).
    """
    grads, total, denominator, fractions = _accumulate(loss_fn, state.params, split_batch(batch, grad_accum_steps))
    safe = jnp.where(denominator > 0, denominator, 1.0)
    grads = jax.tree.map(lambda g: g / safe, grads)
    objective, norm = total / safe, optax.tree.norm(grads)
    sound = jnp.isfinite(objective) & jnp.isfinite(norm) & (denominator > 0)
    # the median of a window with a NaN is NaN, and nothing is greater than that
    usable = sound & ~(norm > spike_factor * jnp.median(state.recent_norms)) if spike_factor else sound

    updates, opt_state = _update(optimizer, grads, state.opt_state, state.params)
    params = jax.tree.map(lambda p, u: p + learning_rate * u, state.params, updates)
    keep = partial(jax.tree.map, lambda new, old: jnp.where(usable, new, old))
    skipped, in_a_row = state.skipped + jnp.where(usable, 0, 1), jnp.where(usable, 0, state.in_a_row + 1)
    recent_norms = jnp.where(sound, jnp.concatenate([state.recent_norms[1:], norm[None]]), state.recent_norms)
    metrics = {name: value / jnp.where(weight > 0, weight, 1.0) for name, (value, weight) in fractions.items()}
    metrics |= {"objective": objective, "gradient_norm": norm, "skipped": skipped, "skipped_in_a_row": in_a_row}
    metrics["tokens"] = jnp.sum(batch["segment_ids"] > 0).astype(jnp.float32)
    params, opt_state = keep(params, state.params), keep(opt_state, state.opt_state)
    return TrainState(state.step + 1, skipped, params, opt_state, in_a_row, recent_norms), metrics


def split_batch(batch: Batch, parts: int) -> Batch:
    """Reshape [B, ...] to [parts, B / parts, ...]: micro-batch i takes rows i, i + parts, ..., so that no row leaves its device."""

    def split(name: str, array: Array) -> Array:
        if array.shape[0] % parts:
            rows = f"batch field {name} has {array.shape[0]} rows"
            raise ValueError(f"{rows}, which cannot be split into {parts} micro-batches; make it a multiple")
        return jnp.swapaxes(array.reshape(array.shape[0] // parts, parts, *array.shape[1:]), 0, 1)

    return {name: split(name, array) for name, array in batch.items()}


def _accumulate(
    loss_fn: LossFunction, params: Params, micro_batches: Batch
) -> tuple[Params, Float[Array, ""], Float[Array, ""], dict[str, Fraction]]:
    """Return sums over micro-batches of gradient, loss, denominator and the metrics' fractions."""

    def loss(params: Params, batch: Batch) -> tuple[Float[Array, ""], tuple[Float[Array, ""], dict[str, Fraction]]]:
        total, denominator, fractions = loss_fn(params, batch)
        return total, (denominator, fractions)

    def one(batch: Batch) -> tuple[Params, Any]:
        (total, rest), grads = jax.value_and_grad(loss, has_aux=True)(params, batch)
        return grads, (total, rest)

    def add(grads: Params, batch: Batch) -> tuple[Params, Any]:
        more, sums = one(batch)
        return jax.tree.map(jnp.add, grads, more), sums

    parts = len(next(iter(micro_batches.values())))
    if parts == 1:  # avoids a second set of gradients
        grads, (total, (denominator, fractions)) = one({name: array[0] for name, array in micro_batches.items()})
        return grads, total, denominator, fractions
    grads, sums = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), micro_batches)
    total, (denominator, fractions) = jax.tree.map(lambda x: jnp.sum(x, axis=0), sums)
    return grads, total, denominator, fractions


def _update(optimizer: optax.GradientTransformation, grads: Params, opt_state: Any, params: Params) -> tuple[Params, Any]:
    """Run the optimizer with the layout of its results given: Muon's products contract sharded axes inside optax."""
    layout = jax.tree.map(lambda x: jax.typeof(x).sharding, (params, opt_state))
    return jax.sharding.auto_axes(optimizer.update, out_sharding=layout)(grads, opt_state, params)
