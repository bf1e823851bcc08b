"""How large the corpus is, which difficulties each part holds, and which families only the benchmark knows."""

from dataclasses import dataclass

from oprover_jax.synthetic.families import DIFFICULTIES, FAMILIES, LIGHT, UNSEEN


@dataclass(frozen=True)
class SyntheticConfig:
    """Sizes are aims: small families give what they have. Weights are shares by difficulty 1, 2, ...; the rest have none.

    `light_families` get `light_weight` of the share of other families. `unseen_share` of the benchmark is from families (2 of 3) and
    from difficulties (1 of 3) that neither public part nor pool holds.
    """

    seed: int = 0
    public: int = 800
    pool: int = 3000
    benchmark: int = 240
    public_weights: tuple[float, ...] = (4.0, 3.0, 2.0)
    pool_weights: tuple[float, ...] = (2.0, 3.0, 4.0, 4.0, 3.0)
    benchmark_weights: tuple[float, ...] = (1.0,) * 5
    families: tuple[str, ...] = tuple(FAMILIES)
    unseen_families: tuple[str, ...] = tuple(sorted(UNSEEN))
    unseen_share: float = 0.25
    light_families: tuple[str, ...] = tuple(sorted(LIGHT))
    light_weight: float = 0.5
    textbook: bool = True

    def __post_init__(self) -> None:
        if min(self.public, self.pool, self.benchmark) < 1:
            raise ValueError(f"public={self.public}, pool={self.pool}, benchmark={self.benchmark}: each must be at least 1")
        for name in ("public_weights", "pool_weights", "benchmark_weights"):
            weights = getattr(self, name)
            if len(weights) >= len(DIFFICULTIES) or min(weights, default=-1) < 0 or sum(weights) <= 0:
                raise ValueError(f"{name}={weights}: give 1 to {len(DIFFICULTIES) - 1} shares, none negative; the last depth stays unseen")
        for name, known in (("families", FAMILIES), ("unseen_families", self.families), ("light_families", FAMILIES)):
            unknown = set(getattr(self, name)) - set(known)
            if unknown:
                raise ValueError(f"{name} names {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
        if self.light_weight <= 0:
            raise ValueError(f"light_weight={self.light_weight}; it must be above 0")
        if not 0 <= self.unseen_share < 1:
            raise ValueError(f"unseen_share={self.unseen_share}; it must be from 0 to below 1")
        if not self.seen_families:
            raise ValueError(f"families={self.families} are all unseen_families; leave some for the public part and the pool")

    @property
    def seen_families(self) -> tuple[str, ...]:
        return tuple(name for name in self.families if name not in self.unseen_families)
