"""How many statements each family gives to each part of the corpus at each difficulty."""

import random
from collections import Counter
from collections.abc import Sequence

from oprover_jax.corpus.config import CorpusConfig
from oprover_jax.corpus.families import DIFFICULTIES

Cell = tuple[str, int]


def quotas(config: CorpusConfig) -> dict[str, Counter[Cell]]:
    """Part ("benchmark", "public", "pool") -> how many statements of (family, difficulty)."""
    seen = config.seen_families
    unseen = round(config.benchmark * config.unseen_share) if config.unseen_families else 0
    strange = unseen * 2 // 3
    deepest = [(family, max(DIFFICULTIES)) for family in seen]
    weights = config.benchmark_weights
    benchmark = _spread(_cells(seen, weights), config.benchmark - unseen, config.seed)
    benchmark += _spread(_cells(config.unseen_families, weights), strange, config.seed)
    benchmark += _spread([(cell, 1.0) for cell in deepest], unseen - strange, config.seed)
    return {
        "benchmark": benchmark,
        "public": _spread(_cells(seen, config.public_weights), config.public, config.seed),
        "pool": _spread(_cells(seen, config.pool_weights), config.pool, config.seed),
    }


def _cells(families: Sequence[str], weights: Sequence[float]) -> list[tuple[Cell, float]]:
    return [((family, difficulty), weight) for family in families for difficulty, weight in enumerate(weights, start=1) if weight]


def _spread(cells: Sequence[tuple[Cell, float]], total: int, seed: int) -> Counter[Cell]:
    """`total` shared out in proportion to weight; what is left over by largest remainder, ties broken by the seed."""
    if not cells or total <= 0:
        return Counter()
    whole = sum(weight for _, weight in cells)
    exact = {cell: total * weight / whole for cell, weight in cells}
    given = Counter({cell: int(share) for cell, share in exact.items()})
    order = list(exact)
    random.Random(f"{seed}/spread").shuffle(order)
    order.sort(key=lambda cell: exact[cell] - int(exact[cell]), reverse=True)
    given.update(order[: total - sum(given.values())])
    return given
