"""Group Sequence Policy Optimization (arXiv 2507.18071v2, section 4): a ratio, a clip and an advantage per sequence; no KL term."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Num

PPO_SIZE_CLIP = 0.1

Metric = tuple[Float[Array, ""], Float[Array, ""]]


@dataclass(frozen=True)
class GSPOConfig:
    """Clips of the sequence ratio below and above 1; the published ones (section 5.1) by default."""

    clip_low: float = 3e-4
    clip_high: float = 4e-4

    def __post_init__(self) -> None:
        for name in ("clip_low", "clip_high"):
            value = getattr(self, name)
            if not 0 < value < PPO_SIZE_CLIP:
                raise ValueError(
                    f"GSPOConfig.{name} is {value}; a sequence ratio is a mean over tokens and stays near 1, where a clip of PPO's size "
                    f"never acts, so give one above 0 and below {PPO_SIZE_CLIP}, such as 3e-4"
                )


def gspo_loss(
    logprob: Float[Array, "B S"],
    old_logprob: Float[Array, "B S"],
    mask: Num[Array, "B S"] | Bool[Array, "B S"],
    advantages: Float[Array, "B"],
    config: GSPOConfig,
) -> tuple[Float[Array, ""], Float[Array, ""], dict[str, Metric]]:
    """One attempt per row. s_i = exp(mean over masked tokens of logprob - old_logprob); the loss of a row is
    -min(s_i A_i, clip(s_i, 1 - clip_low, 1 + clip_high) A_i), so that all tokens of an attempt weigh the same.

    Returns (sum over rows, number of rows with a masked token, metrics as (sum, denominator)). `old_logprob` is the trainer's own,
    recomputed with the same shapes: on policy the ratio is then exactly 1. A row with an empty mask contributes nothing.
    Metrics: `ratio` (mean of s_i), `clip_fraction` (rows whose clipped term was taken), `approx_kl` (per token, in nats: the k3 estimate of
    KL(old || current), mean of r - 1 - log r).
    """
    counted = mask.astype(bool)
    log_ratio = jnp.where(counted, logprob.astype(jnp.float32) - old_logprob.astype(jnp.float32), 0.0)
    length = jnp.sum(counted, axis=-1).astype(jnp.float32)
    present = (length > 0).astype(jnp.float32)
    ratio = jnp.exp(jnp.sum(log_ratio, axis=-1) / jnp.maximum(length, 1.0))
    advantages = advantages.astype(jnp.float32)
    free = ratio * advantages
    clipped = jnp.clip(ratio, 1.0 - config.clip_low, 1.0 + config.clip_high) * advantages
    rows = jnp.sum(present)
    metrics = {
        "ratio": (jnp.sum(ratio * present), rows),
        "clip_fraction": (jnp.sum((clipped < free) * present), rows),
        "approx_kl": (jnp.sum(jnp.expm1(log_ratio) - log_ratio), jnp.sum(length)),
    }
    return -jnp.sum(jnp.minimum(free, clipped) * present), rows, metrics


def group_advantages(rewards: Float[np.ndarray, "G N"], valid: Bool[np.ndarray, "G N"] | None = None) -> Float[np.ndarray, "G N"]:
    """(r - mean) / std of each group (row) over its valid attempts, with the population's std; an attempt without a verdict is not
    valid. Invalid attempts and groups whose rewards are all equal get 0: drop or resample such groups, they teach nothing."""
    valid = np.ones(rewards.shape, bool) if valid is None else valid
    count = np.maximum(valid.sum(axis=1, keepdims=True), 1)
    mean = np.where(valid, rewards, 0.0).sum(axis=1, keepdims=True) / count
    centred = np.where(valid, rewards - mean, 0.0)
    std = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)
    # equality is asked of the rewards themselves: rounding leaves a std near 1e-17 for three rewards of 0.8
    spread = np.where(valid, rewards, -np.inf).max(axis=1, keepdims=True) > np.where(valid, rewards, np.inf).min(axis=1, keepdims=True)
    return np.where(spread, centred / np.where(spread, std, 1.0), 0.0)
