"""Token cross-entropy for CPT and SFT, as a sum and its denominator."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Num


def weighted_nll(logprob: Float[Array, "B S"], weights: Num[Array, "B S"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return (sum of -weight * log-probability in nats, sum of weights). Add both over micro-batches and hosts, then divide once. A token
    of weight 0 contributes exactly zero, whatever its log-probability."""
    weights = weights.astype(jnp.float32)
    return -jnp.sum(weights * jnp.where(weights != 0, logprob, 0.0)), jnp.sum(weights)
