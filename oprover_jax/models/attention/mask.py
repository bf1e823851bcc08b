"""Which keys a query sees, as a small specification: no implementation but the reference ever makes an array of it."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from oprover_jax.sharding import spec

MASKED = -1e30


@dataclass(frozen=True)
class Mask:
    """A query sees the keys of its own segment and, if `causal`, none that stands later in its row. Padding is segment 0 and, like
    any segment, sees itself: no row of the softmax is ever empty."""

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
