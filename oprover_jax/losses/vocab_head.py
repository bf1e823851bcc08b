"""Chunked vocabulary head: log-probability, entropy and normaliser of given targets, without ever materialising full logits.

The vocabulary is processed `chunk` rows at a time, forward and again backward, by a running log-sum-exp. Only that part of the
head is gathered over fsdp, and only its gradient exists before it is scattered again: neither head nor gradient is ever whole on a
device, and both move over the links as often as any other weight (gathered twice, scattered once).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from oprover_jax.models.attention import MASKED
from oprover_jax.sharding import AXES, check_divides, current_mesh, mesh_axes, spec

VOCAB_AXES = mesh_axes("vocab")
STORAGE_AXES = mesh_axes("embed")
SUMMED_AXES = tuple(axis for axis in (*mesh_axes("batch"), *mesh_axes("sequence")) if axis not in STORAGE_AXES)

CHUNK = 66 * 128  # whole tiles; 18 chunks cover Qwen3's vocabulary except for 128 rows


class Scores(NamedTuple):
    """Scores of each target, in fp32: its log-probability, the entropy of its distribution (both in nats), and the
    log-normaliser, whose square the z-loss penalises."""

    logprob: Float[Array, "B S"]
    entropy: Float[Array, "B S"]
    log_normalizer: Float[Array, "B S"]


class _Settings(NamedTuple):
    chunk: int
    temperature: float
    dtype: str


def token_logprobs(
    hidden: Float[Array, "B S D"],
    head: Float[Array, "V D"],
    targets: Int[Array, "B S"],
    *,
    chunk: int = CHUNK,
    temperature: float = 1.0,
    dtype: str = "float32",
) -> Scores:
    """Return the scores of `targets` under softmax(hidden @ head.T / temperature).

    At most [B S / devices, chunk] logits exist on a device. `dtype` is that of the factors of the products, which are summed in fp32, and
    that in which the head and its gradient travel over fsdp: for RL "float32", since a sequence ratio is clipped at 3e-4, below
    bfloat16's noise; "bfloat16" is a sixth of the work on a TPU and suffices for CPT and SFT. Runs under `jax.set_mesh`; head and gradient
    stay split over tensor (vocabulary) and fsdp (width).
    """
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; give at least 1 row of the vocabulary")
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; give a number above 0 (greedy sampling is scored at 1)")
    if dtype not in ("float32", "bfloat16"):
        raise ValueError(f"dtype of the head is {dtype!r}; choose 'float32' or 'bfloat16'")
    mesh = current_mesh()
    check_divides(targets.shape, ("batch", "sequence"), mesh, "targets")
    check_divides(head.shape, ("vocab", "embed"), mesh, "vocabulary head")
    hidden = jax.reshard(hidden, spec("batch", "sequence", None))
    head = jax.reshard(head.astype(jnp.float32), spec("vocab", "embed"))
    return _scores(_Settings(chunk, temperature, dtype), hidden, head, jax.reshard(targets, spec("batch", "sequence")))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scores(settings: _Settings, hidden: Array, head: Array, targets: Array) -> Scores:
    tokens = spec("batch", "sequence")
    layout = (spec("batch", "sequence", None), spec("vocab", "embed"), tokens)
    forward = jax.shard_map(partial(_forward, settings), in_specs=layout, out_specs=(tokens,) * 3, axis_names=set(AXES))
    return Scores(*forward(hidden, head, targets))


def _scores_forward(settings: _Settings, hidden: Array, head: Array, targets: Array) -> tuple[Scores, tuple[Any, ...]]:
    scores = _scores(settings, hidden, head, targets)
    return scores, (hidden, head, targets, scores.entropy, scores.log_normalizer)


def _scores_backward(settings: _Settings, saved: tuple[Any, ...], cotangents: Scores) -> tuple[Array, Array, None]:
    tokens, wide, weights = spec("batch", "sequence"), spec("batch", "sequence", None), spec("vocab", "embed")
    layout = (wide, weights, *(tokens,) * 6)
    backward = jax.shard_map(partial(_backward, settings), in_specs=layout, out_specs=(wide, weights), axis_names=set(AXES))
    on_hidden, on_head = backward(*saved, *cotangents)
    return on_hidden, on_head, None


_scores.defvjp(_scores_forward, _scores_backward)


class _Part(NamedTuple):
    """One chunk of the vocabulary on one device."""

    start: Int[Array, ""]  # its first row on this device
    rows: Float[Array, "c D"]
    logits: Float[Array, "N c"]  # already divided by the temperature
    hit: Array  # [N, c]: the column is the token's target


def _part(settings: _Settings, hidden: Float[Array, "N D"], head: Float[Array, "v d"], targets: Int[Array, "N"], number: Array) -> _Part:
    """Return chunk `number` of this device's vocabulary. The last chunk is as long as the others and starts earlier, so that all have one
    shape; columns that an earlier chunk contains are masked."""
    chunk = min(settings.chunk, head.shape[0])
    start = jnp.minimum(number * chunk, head.shape[0] - chunk)
    mine = jax.lax.dynamic_slice_in_dim(head, start, chunk).astype(settings.dtype)
    rows = jax.lax.all_gather(mine, STORAGE_AXES, axis=1, tiled=True)
    logits = jnp.einsum("ND,cD->Nc", hidden.astype(settings.dtype), rows, **_product(settings)) / settings.temperature
    row = start + jnp.arange(chunk)
    fresh = (row >= number * chunk)[None]
    column = (row + jax.lax.axis_index(VOCAB_AXES) * head.shape[0])[None]
    return _Part(start, rows, jnp.where(fresh, logits, MASKED), (column == targets[:, None]) & fresh)


def _product(settings: _Settings) -> dict:
    precision = jax.lax.Precision.HIGHEST if settings.dtype == "float32" else jax.lax.Precision.DEFAULT
    return {"precision": precision, "preferred_element_type": jnp.float32}


def _numbers(settings: _Settings, head: Array) -> Array:
    return jnp.arange(-(-head.shape[0] // min(settings.chunk, head.shape[0])))


def _varying(shape: tuple[int, ...], value: float = 0.0) -> Array:
    """Return the start of a sum that differs between devices."""
    return jax.lax.pcast(jnp.full(shape, value, jnp.float32), AXES, to="varying")


def _forward(
    settings: _Settings, hidden: Float[Array, "b s D"], head: Float[Array, "v d"], targets: Int[Array, "b s"]
) -> tuple[Array, ...]:
    """Score one device's tokens against its part of the vocabulary: a running maximum and, relative to it, the sums of e^l and l e^l."""
    shape, hidden, targets = targets.shape, hidden.reshape(targets.size, -1), targets.reshape(-1)

    def step(carry: tuple[Array, ...], number: Array) -> tuple[tuple[Array, ...], None]:
        top, total, weighted, target = carry
        part = _part(settings, hidden, head, targets, number)
        new_top = jnp.maximum(top, part.logits.max(axis=-1))
        shifted = part.logits - new_top[:, None]
        exponentials = jnp.exp(shifted)
        total, weighted = _relative_to(new_top, top, total, weighted)
        target = target + jnp.sum(jnp.where(part.hit, part.logits, 0.0), axis=-1)
        return (new_top, total + exponentials.sum(-1), weighted + (exponentials * shifted).sum(-1), target), None

    start = (_varying(targets.shape, MASKED), *(_varying(targets.shape) for _ in range(3)))
    (top, total, weighted, target), _ = jax.lax.scan(step, start, _numbers(settings, head))
    whole_top = jax.lax.pmax(top, VOCAB_AXES)
    total, weighted, target = jax.lax.psum((*_relative_to(whole_top, top, total, weighted), target), VOCAB_AXES)
    log_normalizer = whole_top + jnp.log(total)
    scores = (target - log_normalizer, jnp.log(total) - weighted / total, log_normalizer)
    return tuple(x.reshape(shape) for x in scores)


def _relative_to(new_top: Array, top: Array, total: Array, weighted: Array) -> tuple[Array, Array]:
    """Return the sums of e^(l - top) and (l - top) e^(l - top), with another maximum in place of `top`."""
    fall = top - new_top
    return total * jnp.exp(fall), (weighted + total * fall) * jnp.exp(fall)


def _backward(
    settings: _Settings,
    hidden: Float[Array, "b s D"],
    head: Float[Array, "v d"],
    targets: Int[Array, "b s"],
    entropy: Float[Array, "b s"],
    log_normalizer: Float[Array, "b s"],
    *cotangents: Float[Array, "b s"],
) -> tuple[Float[Array, "b s D"], Float[Array, "v d"]]:
    """Return the gradients of hidden states and head. For logit j: log p has 1[j is the target] - p_j, entropy H has
    -p_j (log p_j + H), and the log-normaliser has p_j."""
    flat = hidden.reshape(targets.size, -1)
    column = [x.reshape(-1, 1) for x in (entropy, log_normalizer, *cotangents)]
    entropy, log_normalizer, on_logprob, on_entropy, on_normalizer = column

    def step(carry: tuple[Array, Array], number: Array) -> tuple[tuple[Array, Array], None]:
        on_hidden, on_head = carry
        part = _part(settings, flat, head, targets.reshape(-1), number)
        log_p = part.logits - log_normalizer
        on_logits = jnp.where(part.hit, on_logprob, 0.0) - jnp.exp(log_p) * (on_logprob - on_normalizer + on_entropy * (log_p + entropy))
        on_logits = (on_logits / settings.temperature).astype(settings.dtype)
        on_hidden = on_hidden + jnp.einsum("Nc,cD->ND", on_logits, part.rows, **_product(settings))
        on_rows = jnp.einsum("Nc,ND->cD", on_logits, flat.astype(settings.dtype), **_product(settings)).astype(settings.dtype)
        mine = jax.lax.psum_scatter(on_rows, STORAGE_AXES, scatter_dimension=1, tiled=True).astype(jnp.float32)
        sofar = jax.lax.dynamic_slice_in_dim(on_head, part.start, mine.shape[0])
        return (on_hidden, jax.lax.dynamic_update_slice_in_dim(on_head, sofar + mine, part.start, axis=0)), None

    start = (_varying(flat.shape), _varying(head.shape))
    (on_hidden, on_head), _ = jax.lax.scan(step, start, _numbers(settings, head))
    on_hidden = jax.lax.psum(on_hidden, VOCAB_AXES).reshape(hidden.shape).astype(hidden.dtype)
    return on_hidden, jax.lax.psum(on_head, SUMMED_AXES)
