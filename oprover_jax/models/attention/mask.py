"""Specification of which keys a query sees; only the reference implementation materialises it as an array."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from oprover_jax.sharding import spec

MASKED = -1e30


@dataclass(frozen=True)
class Mask:
    """Mask by segment: a query sees the keys of its own segment and, if `causal`, none that follow it in its row. Padding is segment 0 and,
    like any segment, sees itself: no row of the softmax is ever empty."""

    segment_ids: Int[Array, "B S"]
    causal: bool = True

    def dense(self) -> Bool[Array, "B S S"]:
        """Return the mask as [batch, query, key]; keys cover the whole row on every device, queries stay split over it."""
        keys = jax.reshard(self.segment_ids, spec("batch", None))
        visible = self.segment_ids[:, :, None] == keys[:, None, :]
        if not self.causal:
            return visible
        index = jnp.arange(self.segment_ids.shape[1])
        earlier = jax.reshard(index, spec("sequence"))[:, None] >= index[None, :]
        return visible & earlier[None]
