"""Decoding with a slotted KV cache: prefill prompts, insert them into slots, decode one token for every slot at once.

All shapes are fixed, so each function compiles once per prompt bucket. Donate the cache to `jit`: `insert` and `decode` write into
it in place. Slots are split over dcn and fsdp, key heads over tensor. Everything runs under `jax.set_mesh`.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from oprover_jax.models.attention import IMPLEMENTATIONS, MASKED, Mask
from oprover_jax.models.qwen3 import Params, Qwen3Config, run_layers
from oprover_jax.sharding import check_divides, current_mesh, mesh_axes, named, spec

KEY_AXES = ("layers", "batch", "kv_heads", "head_dim", None)
VALUE_AXES = ("layers", "batch", "kv_heads", None, "head_dim")
BLOCK = 64  # positions that a decoding step reads at a time


class KVCache(NamedTuple):
    """Keys (rotated) and values of every slot, in the compute dtype, in the layout that decoding multiplies, so that no step transposes."""

    k: Float[Array, "L slots K d T"]
    v: Float[Array, "L slots K T d"]


def init_cache(config: Qwen3Config, slots: int, max_len: int, mesh: Mesh) -> KVCache:
    """Return an empty cache on `mesh`. Raises ShardingError if slots or key heads do not divide."""
    outer, d = (config.num_layers, slots, config.num_kv_heads), config.head_dim

    def empty(shape: tuple[int, ...], axes: tuple[str | None, ...]) -> Array:
        return jnp.zeros(shape, config.dtype, device=named(shape, axes, mesh, "KV cache"))

    return KVCache(empty((*outer, d, max_len), KEY_AXES), empty((*outer, max_len, d), VALUE_AXES))


def prefill(
    config: Qwen3Config, params: Params, tokens: Int[Array, "B P"], lengths: Int[Array, "B"]
) -> tuple[Float[Array, "B D"], Float[Array, "L B K d P"], Float[Array, "L B K P d"]]:
    """Read prompts of `lengths` tokens (at least 1), padded on the right to P. Returns the final-normed hidden state of each last
    token, from which the first new token is drawn, and the keys and values of all layers (arbitrary past a prompt's length)."""
    check_divides(tokens.shape, ("batch", "sequence"), current_mesh(), "prompts")
    tokens, lengths = jax.reshard(tokens, spec("batch", "sequence")), jax.reshard(lengths, spec("batch"))
    index = jax.reshard(jnp.arange(tokens.shape[1]), spec("sequence"))[None]
    positions = jnp.broadcast_to(index, tokens.shape, out_sharding=spec("batch", "sequence"))
    attention, mask = IMPLEMENTATIONS[config.attention], Mask((index < lengths[:, None]).astype(jnp.int32))
    hidden, (k, v) = run_layers(config, params, tokens, positions, lambda _, q, k, v: (attention(q, k, v, mask), (k, v)))
    is_last = (index == lengths[:, None] - 1).astype(hidden.dtype)
    last = jnp.einsum("bs,bsD->bD", is_last, hidden, out_sharding=spec("batch", None))
    k, v = k.transpose(0, 1, 3, 4, 2), v.transpose(0, 1, 3, 2, 4)
    return last, jax.reshard(k, spec(*KEY_AXES)), jax.reshard(v, spec(*VALUE_AXES))


def insert(
    cache: KVCache, k: Float[Array, "L B K d P"], v: Float[Array, "L B K P d"], rows: Int[Array, "N"], slots: Int[Array, "N"]
) -> KVCache:
    """Copy prefilled row `rows[i]` into slot `slots[i]`, for each i; one row may be copied to many slots (a group shares its prompt's
    prefill). A slot number past the last is skipped, so that N can stay fixed. Real slots must be distinct."""
    everywhere = KVCache._make((spec("layers", None, "kv_heads", "head_dim", None), spec("layers", None, "kv_heads", None, "head_dim")))
    layout = KVCache._make((spec(*KEY_AXES), spec(*VALUE_AXES)))

    @jax.shard_map(in_specs=(layout, everywhere, spec(None), spec(None)), out_specs=layout)
    def write(cache: KVCache, fresh: KVCache, rows: Array, slots: Array) -> KVCache:
        here, length = cache.k.shape[1], fresh.k.shape[-1]
        local = slots - jax.lax.axis_index(mesh_axes("batch")) * here
        local = jnp.where((local >= 0) & (local < here), local, here)
        return KVCache(
            cache.k.at[:, local, :, :, :length].set(fresh.k[:, rows], mode="drop"),
            cache.v.at[:, local, :, :length].set(fresh.v[:, rows], mode="drop"),
        )

    fresh = KVCache(*(jax.reshard(x, where) for x, where in zip((k, v), everywhere)))
    return write(cache, fresh, jax.reshard(rows, spec(None)), jax.reshard(slots, spec(None)))


def decode(
    config: Qwen3Config, params: Params, cache: KVCache, token: Int[Array, "slots"], position: Int[Array, "slots"], block: int = BLOCK
) -> tuple[Float[Array, "slots D"], KVCache]:
    """Decode one step for every slot: write the key and value of `token` at `position`, and attend to all positions up to it. Returns
    the final-normed hidden states and the cache, which is read `block` positions at a time: the work grows with the largest position, not
    with the cache. Nothing is written at positions past its end."""
    slots = cache.k.shape[1]
    check_divides((slots,), ("batch",), current_mesh(), "slots")
    token, position = (jax.reshard(x, spec("batch")) for x in (token, position))
    attend = partial(_attend_to_cache, cache=cache, position=position, block=block)
    hidden, fresh = run_layers(config, params, token[:, None], position[:, None], attend, jnp.arange(config.num_layers))
    return hidden[:, 0], _write(cache, KVCache(*fresh), position)


def _attend_to_cache(
    layer: Int[Array, ""],
    q: Float[Array, "slots 1 H d"],
    k: Float[Array, "slots 1 K d"],
    v: Float[Array, "slots 1 K d"],
    cache: KVCache,
    position: Int[Array, "slots"],
    block: int,
) -> tuple[Float[Array, "slots 1 H d"], tuple[Float[Array, "slots K d"], Float[Array, "slots K d"]]]:
    """Attend, in one layer, to the cache below `position` and to the new key itself, which is written later, for all layers at once.

    The cache is read `block` positions at a time, up to the longest slot; a layer's whole share would first be copied out of the stack.
    A running maximum and sum make the softmax (online softmax, arXiv 1805.02867, algorithm 3). Masked positions add exact zeros to a slot's
    sums, so its result has the same bits however long the other slots are.
    """
    queries, keys = spec("batch", None, "q_heads", "head_dim"), spec("batch", None, "kv_heads", "head_dim")
    layout = KVCache._make((spec(*KEY_AXES), spec(*VALUE_AXES)))

    @jax.shard_map(in_specs=(layout, queries, keys, keys, spec("batch"), spec()), out_specs=queries)
    def attend(cache: KVCache, q: Array, k: Array, v: Array, position: Array, layer: Array) -> Array:
        slots, _, heads, width = q.shape
        kv_heads, length = k.shape[2], cache.k.shape[-1]
        size = min(block, length)
        grouped = q[:, 0].reshape(slots, kv_heads, heads // kv_heads, width) * width**-0.5
        top = jnp.einsum("skgd,skd->skg", grouped, k[:, 0], preferred_element_type=jnp.float32)
        mixed = jnp.broadcast_to(v[:, 0, :, None].astype(jnp.float32), grouped.shape)

        def read(number: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            top, total, mixed = carry
            start = jnp.minimum(number * size, length - size)  # the last block may overlap the one before
            keys = jax.lax.dynamic_slice(cache.k, (layer, 0, 0, 0, start), (1, slots, kv_heads, width, size))[0]
            values = jax.lax.dynamic_slice(cache.v, (layer, 0, 0, start, 0), (1, slots, kv_heads, size, width))[0]
            index = start + jnp.arange(size)[None]
            seen = (index >= number * size) & (index < position[:, None])
            scores = jnp.einsum("skgd,skdt->skgt", grouped, keys, preferred_element_type=jnp.float32)
            scores = scores + jnp.where(seen, 0.0, MASKED)[:, None, None]
            higher = jnp.maximum(top, jnp.max(scores, axis=-1))
            weights, fade = jnp.exp(scores - higher[..., None]), jnp.exp(top - higher)
            fresh = jnp.einsum("skgt,sktd->skgd", weights.astype(values.dtype), values, preferred_element_type=jnp.float32)
            return higher, total * fade + jnp.sum(weights, axis=-1), mixed * fade[..., None] + fresh

        blocks = (jnp.minimum(jnp.max(position), length) + size - 1) // size
        _, total, mixed = jax.lax.fori_loop(0, blocks, read, (top, jnp.ones_like(top), mixed))
        return (mixed / total[..., None]).astype(v.dtype).reshape(slots, 1, heads, width)

    return attend(cache, q, k, v, position, layer), (k[:, 0], v[:, 0])


def _write(cache: KVCache, fresh: KVCache, position: Int[Array, "slots"]) -> KVCache:
    """Write every slot's new entry ([L, slots, K, d]) at its own position; drop it if the position is past the end."""
    layout = KVCache._make((spec(*KEY_AXES), spec(*VALUE_AXES)))
    entry = KVCache._make([spec("layers", "batch", "kv_heads", "head_dim")] * 2)

    @jax.shard_map(in_specs=(layout, entry, spec("batch")), out_specs=layout)
    def write(cache: KVCache, fresh: KVCache, position: Array) -> KVCache:
        slots = jnp.arange(cache.k.shape[1])
        k, v = (x.swapaxes(0, 1) for x in fresh)  # indexed axes that are apart come first
        return KVCache(
            cache.k.at[:, slots, :, :, position].set(k, mode="drop", unique_indices=True),
            cache.v.at[:, slots, :, position].set(v, mode="drop", unique_indices=True),
        )

    return write(cache, fresh, position)
