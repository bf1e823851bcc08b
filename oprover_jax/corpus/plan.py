"""How many statements each family gives to each part of the corpus at each difficulty."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from oprover_jax.corpus.config import CorpusConfig
from oprover_jax.corpus.families import DIFFICULTIES

Cell = tuple[str, int]

PARTS = ("benchmark", "public", "pool")
SPARE = 1.03  # drawn beyond the size asked for, in place of proofs that the kernel refuses


def demand(config: CorpusConfig) -> Counter[Cell]:
    """How many statements of (family, difficulty) would be used at most, with room for smaller families to be made up for."""
    every = [(family, difficulty) for family in (*config.seen_families, *config.unseen_families) for difficulty in DIFFICULTIES]
    planned = quotas(config, dict.fromkeys(every, 10**9))
    usable = {cell for part in planned.values() for cell in part} | {cell for cell in every if cell[0] not in config.unseen_families}
    return Counter({cell: sum(part[cell] for part in planned.values()) * 3 // 2 + 2 for cell in usable})


def quotas(config: CorpusConfig, capacity: Mapping[Cell, int]) -> dict[str, Counter[Cell]]:
    """Part -> how many statements of (family, difficulty), where `capacity` says how many there are.

    The benchmark takes no more than a quarter of a cell that others use too, the public part no more than half of the rest.
    """
    wanted = {part: round(getattr(config, part) * SPARE) for part in PARTS}
    strange = round(wanted["benchmark"] * config.unseen_share) if config.unseen_families else 0
    families = strange * 2 // 3
    seen, unseen = config.seen_families, config.unseen_families
    quarter = {cell: -(-count // 4) for cell, count in capacity.items()}
    deepest: list[tuple[Cell, float]] = [((family, max(DIFFICULTIES)), 1.0) for family in seen]
    benchmark = _spread(_cells(config, seen, config.benchmark_weights), wanted["benchmark"] - strange, quarter, config.seed)
    benchmark += _spread(_cells(config, unseen, config.benchmark_weights), families, capacity, config.seed)
    benchmark += _spread(deepest, strange - families, capacity, config.seed)
    rest = {cell: count - benchmark[cell] for cell, count in capacity.items()}
    half = {cell: -(-count // 2) for cell, count in rest.items()}
    public = _spread(_cells(config, seen, config.public_weights), wanted["public"], half, config.seed)
    rest = {cell: count - public[cell] for cell, count in rest.items()}
    pool = _spread(_cells(config, seen, config.pool_weights), wanted["pool"], rest, config.seed)
    return {"benchmark": benchmark, "public": public, "pool": pool}


def _cells(config: CorpusConfig, families: Sequence[str], weights: Sequence[float]) -> list[tuple[Cell, float]]:
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
