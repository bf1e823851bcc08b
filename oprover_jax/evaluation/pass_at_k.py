"""Unbiased pass@k and bootstrap intervals."""

from collections.abc import Sequence
from math import comb

import numpy as np


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Return the probability that k of n rollouts, drawn without replacement, include at least one of the `correct` accepted ones.

    The value is 1 - C(n - correct, k) / C(n, k), an unbiased estimate for any n >= k.

    Raises:
      ValueError: Not 0 <= correct <= n or not 1 <= k <= n.
    """
    if not (0 <= correct <= n and 1 <= k <= n):
        raise ValueError(f"pass@{k} of {correct} accepted out of {n} rollouts is not defined; give 1 <= k <= n and 0 <= correct <= n")
    return 1.0 - comb(n - correct, k) / comb(n, k)


def bootstrap_interval(values: Sequence[float], seed: int, draws: int = 2000, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean under resampling of statements.

    Args:
      values: One value per statement.
      seed: Random seed.
      draws: Number of resamples.
      level: Coverage of the interval.
    """
    data = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    means = data[rng.integers(0, len(data), size=(draws, len(data)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
