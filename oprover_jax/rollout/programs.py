"""Compiled programs of the in-process engine; the device holds the cache and one hidden state per slot, the host everything else."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Int

from oprover_jax.losses.vocab_head import token_logprobs
from oprover_jax.models import cache as kv
from oprover_jax.models.qwen3 import Params, Qwen3Config, head_matrix, hidden_states
from oprover_jax.rollout.sampling import draw
from oprover_jax.rollout.scheduler import SlotTable
from oprover_jax.sharding import gathered

REPLICATED = PartitionSpec(None, None)


class DeviceState(NamedTuple):
    """Device state, donated to each program that changes it. `hidden`, replicated, is the final hidden state of each slot's last token."""

    cache: Any
    hidden: Float[Array, "slots D"]


class Prefilled(NamedTuple):
    """Result of a prefill, for `insert`: last hidden states [B, D], and keys and values [L, B, P, heads, d]."""

    hidden: Float[Array, "B D"]
    keys: Array
    values: Array


class Drawn(NamedTuple):
    """Sampled tokens and log-probabilities [chunk, slots]; the first `counts[s]` of slot s are valid."""

    tokens: Int[Array, "chunk slots"]
    logprobs: Float[Array, "chunk slots"]
    counts: Int[Array, " slots"]


@partial(jax.jit, static_argnums=0)
def prefill(config: Qwen3Config, params: Params, tokens: Int[Array, "B P"], lengths: Int[Array, " B"]) -> Prefilled:
    """Run whole prompts; compiled once per shape of `tokens`."""
    return Prefilled(*kv.prefill(config, params, tokens, lengths))


@partial(jax.jit, static_argnums=0)
def score(config: Qwen3Config, params: Params, tokens: Int[Array, "B P"], lengths: Int[Array, " B"]) -> Float[Array, "B P"]:
    """Return the log-probability at temperature 1 of the token after each position, undefined from the last token of a prompt.

    Compiled once per shape of `tokens`.
    """
    index = jnp.arange(tokens.shape[1])[None]
    positions = jnp.broadcast_to(index, tokens.shape)
    hidden = hidden_states(config, params, tokens, positions, (index < lengths[:, None]).astype(jnp.int32))
    return token_logprobs(hidden, head_matrix(params), jnp.roll(tokens, -1, axis=1)).logprob


@partial(jax.jit, donate_argnums=0)
def insert(state: DeviceState, batch: Prefilled, rows: Int[Array, " N"], slots: Int[Array, " N"]) -> DeviceState:
    """Copy row `rows[i]` of a prefill into slot `slots[i]`, in place; slot numbers out of range are dropped."""
    hidden = state.hidden.at[slots].set(jax.reshard(batch.hidden, REPLICATED)[rows], mode="drop")
    return DeviceState(kv.insert(state.cache, batch.keys, batch.values, rows, slots), hidden)


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=4)
def decode(
    config: Qwen3Config, chunk: int, restricted: bool, params: Params, state: DeviceState, table: SlotTable
) -> tuple[DeviceState, Drawn]:
    """Sample up to `chunk` tokens for each active slot in one dispatch; stop early if no slot is active.

    `restricted` must be True if any slot uses top-p, top-k or min-p; see `draw`.
    """
    slots = table.active.shape[0]
    head = jax.reshard(head_matrix(params).astype(jnp.float32), gathered("vocab", "embed"))
    active, positions, remaining = (jnp.asarray(x) for x in (table.active, table.positions, table.remaining))
    drawn = Drawn(jnp.zeros((chunk, slots), jnp.int32), jnp.zeros((chunk, slots), jnp.float32), jnp.zeros(slots, jnp.int32))

    def unfinished(carry: tuple[Any, ...]) -> Array:
        step, _, _, active, _, _ = carry
        return (step < chunk) & jnp.any(active)

    def advance(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        step, state, drawn, active, positions, remaining = carry
        logits = jnp.einsum("sD,VD->sV", state.hidden.astype(jnp.float32), head, precision=jax.lax.Precision.HIGHEST)
        limits = (table.temperatures, table.top_ps, table.top_ks, table.min_ps)
        tokens, logprobs = draw(jax.reshard(logits, REPLICATED), table.seeds, table.samples, positions, *limits, restricted=restricted)
        drawn = Drawn(drawn.tokens.at[step].set(tokens), drawn.logprobs.at[step].set(logprobs), drawn.counts + active)
        remaining = remaining - active
        stopped = jnp.any(tokens[:, None] == table.stop_ids, axis=1)
        hidden, cache = kv.decode(config, params, state.cache, tokens, positions)
        state = DeviceState(cache, jax.reshard(hidden, REPLICATED))
        return step + 1, state, drawn, active & ~stopped & (remaining > 0), positions + active, remaining

    _, state, drawn, *_ = jax.lax.while_loop(unfinished, advance, (jnp.int32(0), state, drawn, active, positions, remaining))
    return state, drawn
