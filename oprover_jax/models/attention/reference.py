"""Reference attention in plain einsums: runs everywhere, keeps all scores, and is the baseline for comparing kernels."""

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from oprover_jax.models.attention.mask import MASKED, Mask
from oprover_jax.sharding import spec


def reference_attention(
    q: Float[Array, "B S H d"], k: Float[Array, "B S K d"], v: Float[Array, "B S K d"], mask: Mask
) -> Float[Array, "B S H d"]:
    """Grouped-query attention; scores and softmax in fp32. Over a split sequence, keys and values are gathered."""
    batch, length, heads, width = q.shape
    groups = heads // k.shape[2]
    # heads first and one product per key head: XLA's CPU backend copies operands whose batch axes do not lead
    k, v = (jax.reshard(x, spec("batch", None, "kv_heads", None)).transpose(0, 2, 1, 3) for x in (k, v))
    grouped = q.reshape(batch, length, k.shape[1], groups, width).transpose(0, 2, 3, 1, 4) * width**-0.5
    scores = jnp.einsum("bkgsd,bktd->bkgst", grouped, k, preferred_element_type=jnp.float32)
    bias = jnp.where(mask.dense(), 0.0, MASKED)
    weights = jax.nn.softmax(scores + bias[:, None, None], axis=-1).astype(v.dtype)
    mixed = jnp.einsum("bkgst,bktd->bkgsd", weights, v).transpose(0, 3, 1, 2, 4).reshape(q.shape)
    return checkpoint_name(mixed, "attention")
