"""Unbiased pass@k and its interval."""

from collections.abc import Sequence
from math import comb

import numpy as np


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Chance that k draws without replacement out of n rollouts, `correct` of them accepted, hold an accepted one.

    1 - C(n - c, k) / C(n, k); the estimate is unbiased for any n >= k.

    Raises:
      ValueError: unless 0 <= correct <= n and 1 <= k <= n.
    """
    if not (0 <= correct <= n and 1 <= k <= n):
        raise ValueError(f"pass@{k} of {correct} accepted out of {n} rollouts is not defined; give 1 <= k <= n and 0 <= correct <= n")
    return 1.0 - comb(n - correct, k) / comb(n, k)


def bootstrap_interval(values: Sequence[float], seed: int, draws: int = 2000, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the mean under resampling of statements: how far another benchmark of the same kind might differ."""
    data = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    means = data[rng.integers(0, len(data), size=(draws, len(data)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
