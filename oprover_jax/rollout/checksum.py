"""Checksum of weights that is independent of the mesh and sensitive to every bit and its position."""

import hashlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from jaxtyping import Array, Float, UInt32

from oprover_jax.models.qwen3 import Params

_PRIME = 2_654_435_761


def checksum(params: Params, stored_as: str = "float32") -> str:
    """Return 16 hexadecimal digits computed from names, shapes and bits of all weights.

    With `stored_as` "bfloat16", return the checksum of the weights after a round trip through bfloat16. The bits of each weight are
    multiplied by odd numbers that depend on the position and summed modulo 2^32: exact in any order of summation, and sensitive to swaps.
    """
    flat = traverse_util.flatten_dict(params, sep=".")
    parts = []
    for name in sorted(flat):
        weight = flat[name]
        with jax.set_mesh(weight.sharding.mesh):
            parts.append((name, weight.shape, int(jax.device_get(_sum(weight, stored_as)))))
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


@partial(jax.jit, static_argnums=1)
def _sum(weight: Float[Array, "..."], stored_as: str) -> UInt32[Array, ""]:
    bits = jax.lax.bitcast_convert_type(weight.astype(stored_as).astype(jnp.float32), jnp.uint32)
    for axis, size in enumerate(weight.shape):
        factors = (np.arange(size, dtype=np.uint64) * 2 * _PRIME + 2 * axis + 1).astype(np.uint32)  # odd factors lose no bits
        bits = bits * factors.reshape([-1 if i == axis else 1 for i in range(bits.ndim)])
    return jax.reshard(jnp.sum(bits, dtype=jnp.uint32), jax.P())
