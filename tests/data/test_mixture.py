import numpy as np
import pytest

from oprover_jax.data.mixture import mix
from oprover_jax.data.rows import Example, document


def corpus(seed: int, count: int, longest: int) -> list[Example]:
    rng = np.random.default_rng(seed)
    return [document(rng.integers(1, 100, rng.integers(2, longest)).tolist()) for _ in range(count)]


SOURCES = {"lean": corpus(0, 50, 20), "code": corpus(1, 400, 200), "math": corpus(2, 30, 60)}
WEIGHTS = {"lean": 3.0, "code": 2.0, "math": 4.0}


def test_shares_are_the_asked_ones_at_every_point() -> None:
    mixture = mix(SOURCES, WEIGHTS, 100_000, seed=0)
    taken = dict.fromkeys(SOURCES, 0)
    total = 0
    for name, example in zip(mixture.sources, mixture.examples):
        taken[name] += len(example.ids)
        total += len(example.ids)
        for other, weight in WEIGHTS.items():
            assert abs(taken[other] - total * weight / 9) <= 2 * 200
    assert total >= 100_000 and taken == mixture.tokens
    for name, weight in WEIGHTS.items():
        assert mixture.shares[name] == pytest.approx(weight / 9, abs=0.005)


def test_each_pass_takes_every_example_once() -> None:
    mixture = mix(SOURCES, WEIGHTS, 100_000, seed=0)
    passes = [e for name, e in zip(mixture.sources, mixture.examples) if name == "math"]
    size = len(SOURCES["math"])
    assert mixture.epochs["math"] > 3
    first, second = passes[:size], passes[size : 2 * size]
    assert {id(e) for e in first} == {id(e) for e in second} == {id(e) for e in SOURCES["math"]}
    assert [id(e) for e in first] != [id(e) for e in second]


def test_order_is_a_function_of_the_seed() -> None:
    def ids(seed: int) -> list[int]:
        return [id(e) for e in mix(SOURCES, WEIGHTS, 5_000, seed).examples]

    assert ids(3) == ids(3) != ids(4)


def test_impossible_mixtures_are_refused() -> None:
    with pytest.raises(ValueError, match="name the same ones"):
        mix(SOURCES, {"lean": 1.0}, 10, 0)
    with pytest.raises(ValueError, match="'math' of the mixture has weight 0"):
        mix(SOURCES, {**WEIGHTS, "math": 0.0}, 10, 0)
    with pytest.raises(ValueError, match="'lean' of the mixture is empty"):
        mix({**SOURCES, "lean": []}, WEIGHTS, 10, 0)
