"""Mixtures by weight in tokens: which example of which source comes next, deterministically.

The next example always comes from the source that lags furthest behind its share, so that the realised share stays
within one example of the asked one at every point of the order, not only at its end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from oprover_jax.data.rows import Example

__all__ = ["Mixture", "mix"]


@dataclass(frozen=True)
class Mixture:
    """An order of examples with what it holds: ids taken from each source, their share, and passes over each source."""

    examples: list[Example]
    sources: list[str]
    tokens: dict[str, int]
    epochs: dict[str, float]

    @property
    def shares(self) -> dict[str, float]:
        total = sum(self.tokens.values())
        return {name: count / total for name, count in self.tokens.items()}


def mix(sources: Mapping[str, Sequence[Example]], weights: Mapping[str, float], tokens: int, seed: int) -> Mixture:
    """An order of examples of at least `tokens` ids in which each source has its weight's share of the ids.

    A source that runs out is gone through again in a new order (`epochs` says how often). The order is a function of the
    sources, the weights and `seed`. Raises ValueError for sources and weights that do not match, an empty source, weights
    that are not positive, and a budget below 1.
    """
    if set(sources) != set(weights):
        raise ValueError(f"the mixture has sources {sorted(sources)} and weights for {sorted(weights)}; name the same ones in both")
    for name, examples in sources.items():
        if not examples:
            raise ValueError(f"source {name!r} of the mixture is empty; leave it out of the weights")
        if not weights[name] > 0:
            raise ValueError(f"source {name!r} of the mixture has weight {weights[name]}; give a positive one or leave it out")
    if tokens < 1 or not sources:
        raise ValueError(f"a mixture needs at least one source and a budget of at least 1 token, not {len(sources)} and {tokens}")
    total_weight = sum(weights.values())
    share = {name: weights[name] / total_weight for name in sorted(sources)}
    taken = dict.fromkeys(share, 0)
    drawn = dict.fromkeys(share, 0)
    orders = {name: _order(seed, rank, 0, len(sources[name])) for rank, name in enumerate(share)}
    order: list[tuple[str, int]] = []
    total = 0
    while total < tokens:
        name = max(share, key=lambda s: share[s] * (total + 1) - taken[s])
        epoch, at = divmod(drawn[name], len(sources[name]))
        if at == 0 and epoch:
            orders[name] = _order(seed, list(share).index(name), epoch, len(sources[name]))
        index = int(orders[name][at])
        order.append((name, index))
        drawn[name] += 1
        taken[name] += len(sources[name][index].ids)
        total += len(sources[name][index].ids)
    return Mixture(
        examples=[sources[name][index] for name, index in order],
        sources=[name for name, _ in order],
        tokens=taken,
        epochs={name: drawn[name] / len(sources[name]) for name in share},
    )


def _order(seed: int, source: int, epoch: int, size: int) -> np.ndarray:
    return np.random.default_rng((seed, source, epoch)).permutation(size)
