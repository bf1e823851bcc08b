"""Group Sequence Policy Optimization (arXiv 2507.18071v2) as published, GSPO-token, and the options around them.

Decisions made on the host before the loss (advantages, which attempts are trained on) are in `groups`.
"""

import math
from dataclasses import dataclass

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Num

PPO_SIZE_CLIP = 0.1
LEVELS = ("sequence", "token")
KL_FORMS = ("none", "k2_loss", "k1_reward")

Metric = tuple[Float[Array, ""], Float[Array, ""]]


@dataclass(frozen=True)
class GSPOConfig:
    """Configuration of GSPO. The defaults are as published (section 5.1) and leave every option off.

    `clip_low` and `clip_high` bound the sequence ratio below and above 1. `level` "token" is GSPO-token (section 4.3), which takes an
    advantage for each token, or one for each attempt and is then equal to GSPO in value and gradient.

    `kl` keeps the policy near a reference, by `kl_weight` (0 only measures), in the two forms whose expected gradient is right on policy.
    With p the policy and q the reference, "k2_loss" adds the mean over tokens of (log p - log q)^2 / 2 to the loss of an attempt: the
    gradient of the KL divergence of each token, given its prefix. "k1_reward" subtracts the sum over tokens of log p - log q from the
    reward (`groups.k1`) before advantages are computed: the gradient of the divergence of whole attempts, divided by the group's std like
    rewards. k1 in the loss has an expected gradient of exactly 0 and k3 in the loss a biased one: neither is offered; k3 is the metric.

    `sampler_cap` weighs the loss of an attempt by min(w, cap), where w = exp(mean over tokens of old - sampler log-probability): the
    truncated importance weight of the old policy, which learns, against the policy that drew the attempt. It corrects differences between
    engine and trainer on the same weights, and those between a policy and the one before. `sampler_mask` sets the weight of attempts to 0
    whose w is outside [1 / mask, mask]: they are too far off policy to be corrected. They stay in the denominator. None disables either.
    `mask_truncated` and `filter_groups` are applied on the host, by
    `groups.trained_attempts`. `staleness` is how many versions older than the learning policy the policy that drew an attempt may be
    (0: on policy); older attempts are excluded beforehand, and are not part of their group.
    """

    clip_low: float = 3e-4
    clip_high: float = 4e-4
    level: str = "sequence"
    kl: str = "none"
    kl_weight: float = 0.0
    sampler_cap: float | None = None
    sampler_mask: float | None = None
    mask_truncated: bool = False
    filter_groups: bool = False
    staleness: int = 0

    def __post_init__(self) -> None:
        if self.staleness < 0:
            raise ValueError(f"GSPOConfig.staleness is {self.staleness}; give 0 (on policy) or by how many versions attempts may be older")
        for name in ("clip_low", "clip_high"):
            value = getattr(self, name)
            if not 0 < value < PPO_SIZE_CLIP:
                raise ValueError(
                    f"GSPOConfig.{name} is {value}; a sequence ratio is a mean over tokens and stays near 1, where a clip of PPO's size "
                    f"never acts, so give a value above 0 and below {PPO_SIZE_CLIP}, such as 3e-4"
                )
        if self.level not in LEVELS:
            raise ValueError(f"GSPOConfig.level is {self.level!r}; give 'sequence' (GSPO) or 'token' (GSPO-token)")
        if self.kl not in KL_FORMS:
            raise ValueError(
                f"GSPOConfig.kl is {self.kl!r}; give 'none', or 'k2_loss' or 'k1_reward', whose gradient is that of the KL divergence"
            )
        if not 0 <= self.kl_weight < math.inf:
            raise ValueError(f"GSPOConfig.kl_weight is {self.kl_weight}; give 0 (measure only) or a positive number such as 1e-3")
        if self.kl == "none" and self.kl_weight:
            raise ValueError(
                f"GSPOConfig.kl_weight is {self.kl_weight} but kl is 'none'; set kl to 'k2_loss' or 'k1_reward', or the weight to 0"
            )
        if self.sampler_cap is not None and not 1 < self.sampler_cap < math.inf:
            raise ValueError(
                f"GSPOConfig.sampler_cap is {self.sampler_cap}; it truncates weights that are 1 where engine and trainer agree, so give a "
                "number above 1, such as 2, or None to disable the correction"
            )
        if self.sampler_mask is not None and not 1 < self.sampler_mask < math.inf:
            raise ValueError(
                f"GSPOConfig.sampler_mask is {self.sampler_mask}; attempts whose weight is outside [1 / mask, mask] are masked, so give a "
                "number above 1, such as 2, or None to keep all"
            )


def gspo_loss(
    logprob: Float[Array, "B S"],
    old_logprob: Float[Array, "B S"],
    mask: Num[Array, "B S"] | Bool[Array, "B S"],
    advantages: Float[Array, "B"] | Float[Array, "B S"],
    config: GSPOConfig,
    reference_logprob: Float[Array, "B S"] | None = None,
    sampler_logprob: Float[Array, "B S"] | None = None,
) -> tuple[Float[Array, ""], Float[Array, ""], dict[str, Metric]]:
    """Return the GSPO loss of rows with one attempt each; all attempts, and all tokens of an attempt, have the same weight.

    With s_i = exp(mean over masked tokens of logprob - old_logprob), the loss of a row is
    -min(s_i A_i, clip(s_i, 1 - clip_low, 1 + clip_high) A_i); at token level it is the mean over tokens of the same with A_it and
    s_it = sg[s_i] p_it / sg[p_it], sg being the stopped gradient.

    Returns (sum over rows, number of rows with a masked token, metrics as (sum, denominator)). `old_logprob` is the trainer's own,
    recomputed with the same shapes: on policy the ratio is then exactly 1. A row with an empty mask contributes nothing.

    Metrics: `ratio` (mean of s_i), `clip_fraction` (rows, or at token level fractions of their tokens, whose clipped term was taken),
    `approx_kl` (per token, in nats: the k3 estimate of KL(old || current), mean of r - 1 - log r); with a KL `reference_kl` (k3 estimate of
    KL(current || reference)); with a sampler cap or mask `sampler_weight` (mean after both), `sampler_capped` (rows that were truncated)
    and `sampler_masked` (rows that were masked).

    Raises ValueError for a missing `reference_logprob` or `sampler_logprob` that `config` requires, and for advantages per token at
    sequence level.
    """
    counted = mask.astype(bool)
    length = jnp.sum(counted, axis=-1).astype(jnp.float32)
    present = (length > 0).astype(jnp.float32)
    rows, tokens = jnp.sum(present), jnp.sum(length)

    def gap(first: Float[Array, "B S"], second: Float[Array, "B S"]) -> Float[Array, "B S"]:
        return jnp.where(counted, first.astype(jnp.float32) - second.astype(jnp.float32), 0.0)

    def mean(x: Float[Array, "B S"] | Bool[Array, "B S"]) -> Float[Array, "B"]:
        return jnp.sum(x, axis=-1) / jnp.maximum(length, 1.0)

    advantages = advantages.astype(jnp.float32)
    log_ratio = gap(logprob, old_logprob)
    ratio = jnp.exp(mean(log_ratio))
    if config.level == "token":
        per_token = jnp.where(counted, advantages if advantages.ndim == 2 else advantages[:, None], 0.0)
        token_ratio = lax.stop_gradient(ratio)[:, None] * jnp.exp(log_ratio - lax.stop_gradient(log_ratio))
        surrogate, clipped = (mean(x) for x in _clipped(token_ratio, per_token, config))
    elif advantages.ndim == 2:
        raise ValueError("GSPOConfig.level is 'sequence' but advantages have one value for each token; set it to 'token'")
    else:
        surrogate, clipped = _clipped(ratio, advantages, config)
    loss = -surrogate
    metrics = {
        "ratio": (jnp.sum(ratio * present), rows),
        "clip_fraction": (jnp.sum(clipped * present), rows),
        "approx_kl": (jnp.sum(_k3(log_ratio)), tokens),
    }
    if config.kl != "none":
        if reference_logprob is None:
            raise ValueError(f"GSPOConfig.kl is {config.kl!r} but no reference was given; add the batch field reference_logprob")
        drift = gap(logprob, reference_logprob)
        metrics["reference_kl"] = (jnp.sum(_k3(-drift)), tokens)
        if config.kl == "k2_loss":
            loss += config.kl_weight * mean(drift**2 / 2)
    if config.sampler_cap is not None or config.sampler_mask is not None:
        if sampler_logprob is None:
            raise ValueError("GSPOConfig.sampler_cap and sampler_mask need the sampler's values; add the batch field sampler_logprob")
        weight, capped, masked = _sampler_weight(mean(gap(old_logprob, sampler_logprob)), config)
        metrics["sampler_capped"] = (jnp.sum(capped * present), rows)
        metrics["sampler_masked"] = (jnp.sum(masked * present), rows)
        metrics["sampler_weight"] = (jnp.sum(weight * present), rows)
        loss *= weight
    return jnp.sum(loss * present), rows, metrics


def sampler_mismatch(
    old_logprob: Float[Array, "B S"], sampler_logprob: Float[Array, "B S"], mask: Num[Array, "B S"]
) -> dict[str, Float[Array, ""]]:
    """Return how far engine and trainer differ on the same weights, over the masked tokens of a batch, in nats: `sampler_gap` (mean of
    |old - sampler|), `sampler_gap_max`, `sampler_kl` (k3 estimate of KL(sampler || old)). Monitor it whether or not it is corrected."""
    counted = mask.astype(bool)
    gap = jnp.where(counted, old_logprob - sampler_logprob, 0.0)
    tokens = jnp.maximum(jnp.sum(counted), 1)
    size = jnp.abs(gap)
    return {"sampler_gap": jnp.sum(size) / tokens, "sampler_gap_max": jnp.max(size), "sampler_kl": jnp.sum(_k3(gap)) / tokens}


def _sampler_weight(log_weight: Float[Array, "B"], config: GSPOConfig) -> tuple[Float[Array, "B"], Bool[Array, "B"], Bool[Array, "B"]]:
    """Return the weight of each attempt, and whether it was truncated or masked. A masked one does not count as truncated."""
    bound = math.inf if config.sampler_mask is None else math.log(config.sampler_mask)
    masked = jnp.abs(log_weight) > bound
    weight = jnp.exp(log_weight)
    cap = math.inf if config.sampler_cap is None else config.sampler_cap
    weighed = jnp.ones_like(weight) if config.sampler_cap is None else jnp.minimum(weight, cap)
    return jnp.where(masked, 0.0, weighed), (weight > cap) & ~masked, masked


def _clipped(
    ratio: Float[Array, "..."], advantages: Float[Array, "..."], config: GSPOConfig
) -> tuple[Float[Array, "..."], Bool[Array, "..."]]:
    """Return (the smaller of the free and the clipped term, whether the clipped one was taken)."""
    free = ratio * advantages
    clipped = jnp.clip(ratio, 1.0 - config.clip_low, 1.0 + config.clip_high) * advantages
    return jnp.minimum(free, clipped), clipped < free


def _k3(log_ratio: Float[Array, "B S"]) -> Float[Array, "B S"]:
    """Return r - 1 - log r of tokens drawn from the denominator of r: never negative, its mean is the KL divergence from it."""
    return jnp.expm1(log_ratio) - log_ratio
