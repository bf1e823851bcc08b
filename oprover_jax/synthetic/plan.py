"""How many statements each family gives to each part of the corpus at each difficulty."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from oprover_jax.synthetic.config import SyntheticConfig
from oprover_jax.synthetic.families import DIFFICULTIES

Cell = tuple[str, int]

SPARE = 1.03  # drawn beyond the size asked for, in place of proofs that the kernel refuses


def demand(config: SyntheticConfig) -> Counter[Cell]:
    """How many statements of (family, difficulty) would be used at most, with room for smaller families to be made up for."""
    plenty = {(family, difficulty): 10**9 for family in (*config.seen_families, *config.unseen_families) for difficulty in DIFFICULTIES}
    planned = [held_out_quota(config, plenty), *pool_quotas(config, plenty)]
    usable = {cell for part in planned for cell in part} | {cell for cell in plenty if cell[0] not in config.unseen_families}
    return Counter({cell: sum(part[cell] for part in planned) * 3 // 2 + 2 for cell in usable})


def held_out_quota(config: SyntheticConfig, forms: Mapping[Cell, int]) -> Counter[Cell]:
    """How many statements of (family, difficulty) the benchmark takes, where `forms` says how many there are that say different things.

    It takes no more than a quarter of a cell that others use too.
    """
    wanted = round(config.benchmark * SPARE)
    strange = round(wanted * config.unseen_share) if config.unseen_families else 0
    families = strange * 2 // 3
    quarter = {cell: -(-count // 4) for cell, count in forms.items()}
    deepest: list[tuple[Cell, float]] = [((family, max(DIFFICULTIES)), 1.0) for family in config.seen_families]
    quota = _spread(_cells(config, config.seen_families, config.benchmark_weights), wanted - strange, quarter, config.seed)
    quota += _spread(_cells(config, config.unseen_families, config.benchmark_weights), families, forms, config.seed)
    return quota + _spread(deepest, strange - families, forms, config.seed)


def pool_quotas(config: SyntheticConfig, capacity: Mapping[Cell, int]) -> tuple[Counter[Cell], Counter[Cell]]:
    """How many statements of (family, difficulty) the public part takes, no more than half of a cell's `capacity`, and the pool."""
    seen = config.seen_families
    half = {cell: -(-count // 2) for cell, count in capacity.items()}
    public = _spread(_cells(config, seen, config.public_weights), round(config.public * SPARE), half, config.seed)
    rest = {cell: count - public[cell] for cell, count in capacity.items()}
    return public, _spread(_cells(config, seen, config.pool_weights), round(config.pool * SPARE), rest, config.seed)


def _cells(config: SyntheticConfig, families: Sequence[str], weights: Sequence[float]) -> list[tuple[Cell, float]]:
    light = dict.fromkeys(config.light_families, config.light_weight)
    return [
        ((family, difficulty), weight * light.get(family, 1.0))
        for family in families
        for difficulty, weight in enumerate(weights, start=1)
        if weight
    ]


def _spread(cells: Sequence[tuple[Cell, float]], total: int, capacity: Mapping[Cell, int], seed: int) -> Counter[Cell]:
    """`total` shared out in proportion to weight, no cell above its capacity; what cannot be divided goes to random cells."""
    given: Counter[Cell] = Counter()
    open_cells = [(cell, weight) for cell, weight in cells if capacity.get(cell, 0) > 0]
    rng = random.Random(f"{seed}/spread")
    while total > 0 and open_cells:
        whole = sum(weight for _, weight in open_cells)
        shares = {cell: min(int(total * weight / whole), capacity[cell] - given[cell]) for cell, weight in open_cells}
        if not any(shares.values()):
            shares = dict.fromkeys(rng.sample([cell for cell, _ in open_cells], min(total, len(open_cells))), 1)
        given.update(shares)
        total -= sum(shares.values())
        open_cells = [(cell, weight) for cell, weight in open_cells if given[cell] < capacity[cell]]
    return given
