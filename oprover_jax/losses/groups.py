"""Host-side part of GSPO, from the rewards of groups of attempts: advantages, and the selection of trained attempts.

Arrays are [G, N]: G groups of N attempts each. `valid` is False for an attempt without a verdict, whose reward is meaningless.
"""

import numpy as np
from jaxtyping import Bool, Float, Num

from oprover_jax.losses.gspo import GSPOConfig


def informative_groups(rewards: Float[np.ndarray, "G N"], valid: Bool[np.ndarray, "G N"]) -> Bool[np.ndarray, "G"]:
    """Return the groups whose valid rewards are not all equal; the advantages of all others are 0."""
    # compare the rewards themselves: rounding leaves a std near 1e-17 for three rewards of 0.8
    return np.where(valid, rewards, -np.inf).max(axis=1) > np.where(valid, rewards, np.inf).min(axis=1)


def group_advantages(
    rewards: Float[np.ndarray, "G N"],
    valid: Bool[np.ndarray, "G N"] | None = None,
    penalty: Float[np.ndarray, "G N"] | None = None,
) -> Float[np.ndarray, "G N"]:
    """Return (r - mean) / std of each group (row) over its valid attempts, with the population's std (arXiv 2507.18071v2, section 4.1).

    Invalid attempts and groups whose rewards are all equal get 0. `penalty` is subtracted from the rewards first (k1 in the reward:
    `kl_weight * k1(...)`). It never makes a group informative that is not so by its rewards: a standard score would amplify the noise of
    the penalty to size 1.
    """
    valid = np.ones(rewards.shape, bool) if valid is None else valid
    spread = informative_groups(rewards, valid)
    if penalty is not None:
        rewards = rewards - penalty
        spread &= informative_groups(rewards, valid)
    count = np.maximum(valid.sum(axis=1, keepdims=True), 1)
    mean = np.where(valid, rewards, 0.0).sum(axis=1, keepdims=True) / count
    centred = np.where(valid, rewards - mean, 0.0)
    std = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)
    return np.where(spread[:, None], centred / np.where(spread[:, None], std, 1.0), 0.0)


def k1(
    policy_logprob: Float[np.ndarray, "B S"], reference_logprob: Float[np.ndarray, "B S"], mask: Num[np.ndarray, "B S"]
) -> Float[np.ndarray, "B"]:
    """Return log p(attempt) - log q(attempt) in nats; its mean over attempts of the policy p is KL(p || q) of whole attempts.

    A sum, since GSPO's gradient already includes the division by the length: the penalty then acts like k2 in the loss, by the KL
    per token.
    """
    return np.where(mask != 0, policy_logprob - reference_logprob, 0.0).sum(axis=1)


def trained_attempts(
    rewards: Float[np.ndarray, "G N"], valid: Bool[np.ndarray, "G N"], truncated: Bool[np.ndarray, "G N"], config: GSPOConfig
) -> Bool[np.ndarray, "G N"]:
    """Return the attempts that the loss sees. The rows of the others keep their place with weight 0, so that the shape of a batch, and with
    it the program, stays. They are also excluded from the denominator: the mean is over the remaining attempts.

    Excluded are invalid attempts; with `mask_truncated` those that ended by length, whose rewards stay in the group's mean and std (DAPO's
    overlong filtering masks the loss alone: arXiv 2503.14476, section 3.4); with `filter_groups` groups whose rewards are all equal (DAPO's
    dynamic sampling, section 3.2, without drawing replacements). Unfiltered, such groups count in the denominator with loss 0.
    """
    trained = valid
    if config.mask_truncated:
        trained = trained & ~truncated
    if config.filter_groups:
        trained = trained & informative_groups(rewards, valid)[:, None]
    return trained
