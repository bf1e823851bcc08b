"""Attention by a small mask specification, with implementations chosen by name."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from oprover_jax.sharding import spec

MASKED = -1e30


@dataclass(frozen=True)
class Mask:
    """Which keys a query sees: those of its own segment and, if `causal`, none that stands later in its row."""

    segment_ids: Int[Array, "B S"]
    causal: bool = True

    def dense(self) -> Bool[Array, "B S S"]:
        """[batch, query, key]; keys cover the whole row on every device, queries stay split over it."""
        keys = jax.reshard(self.segment_ids, spec("batch", None))
        visible = self.segment_ids[:, :, None] == keys[:, None, :]
        if not self.causal:
            return visible
        index = jnp.arange(self.segment_ids.shape[1])
        earlier = jax.reshard(index, spec("sequence"))[:, None] >= index[None, :]
        return visible & earlier[None]


def reference_attention(
    q: Float[Array, "B S H d"], k: Float[Array, "B S K d"], v: Float[Array, "B S K d"], mask: Mask
) -> Float[Array, "B S H d"]:
    """Grouped-query attention in plain einsums; scores and softmax in fp32. Over a split sequence, keys and values are gathered."""
    batch, length, heads, width = q.shape
    groups = heads // k.shape[2]
    # heads first and one product per key head: XLA's CPU backend copies operands whose batch axes do not lead
    k, v = (jax.reshard(x, spec("batch", None, "kv_heads", None)).transpose(0, 2, 1, 3) for x in (k, v))
    grouped = q.reshape(batch, length, k.shape[1], groups, width).transpose(0, 2, 3, 1, 4) * width**-0.5
    scores = jnp.einsum("bkgsd,bktd->bkgst", grouped, k, preferred_element_type=jnp.float32)
    bias = jnp.where(mask.dense(), 0.0, MASKED)
    weights = jax.nn.softmax(scores + bias[:, None, None], axis=-1).astype(v.dtype)
    return jnp.einsum("bkgst,bktd->bkgsd", weights, v).transpose(0, 3, 1, 2, 4).reshape(q.shape)


Attention = Callable[[Float[Array, "B S H d"], Float[Array, "B S K d"], Float[Array, "B S K d"], Mask], Float[Array, "B S H d"]]

IMPLEMENTATIONS: dict[str, Attention] = {"reference": reference_attention}
