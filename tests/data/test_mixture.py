import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.data.mixture import PERIOD, mix

MILLION = 1_000_000
weights = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=6)


@settings(max_examples=12, deadline=None)
@given(weights, st.integers(0, 3))
def test_any_million_tokens_hold_the_asked_shares(asked: list[float], seed: int) -> None:
    """Rows of 2,048 positions, full to between 90% and 100% by source; windows begin at every row, also across the period's end."""
    tokens = np.random.default_rng(seed).uniform(0.9, 1.0, len(asked)) * 2048
    mixture = mix(asked, tokens.tolist())
    order = np.tile(mixture.order, -(-PERIOD // len(mixture.order)) + 1)
    taken = np.cumsum(np.eye(len(asked))[order] * tokens, axis=0)
    total = taken.sum(axis=1)
    starts = np.arange(0, len(mixture.order))
    ends = np.searchsorted(total, total[starts] + MILLION)
    got = (taken[ends] - taken[starts]) / (total[ends] - total[starts])[:, None]
    assert np.abs(got - np.array(asked) / sum(asked)).max() < 0.005


@settings(max_examples=12, deadline=None)
@given(weights)
def test_each_source_is_within_one_row_of_its_share_at_every_point(asked: list[float]) -> None:
    mixture = mix(asked, [1.0] * len(asked))
    taken = np.cumsum(np.eye(len(asked))[mixture.order], axis=0)
    due = np.arange(1, len(mixture.order) + 1)[:, None] * (mixture.counts / len(mixture.order))
    assert np.abs(taken - due).max() < 1
    np.testing.assert_array_equal(taken[-1], mixture.counts)
    np.testing.assert_allclose(mixture.counts / len(mixture.order), np.array(asked) / sum(asked), atol=1 / PERIOD)


def test_a_row_of_the_endless_order_is_known_without_those_before_it() -> None:
    mixture = mix([3.0, 1.0, 1.5], [1.0, 0.9, 1.0])
    seen = [0, 0, 0]
    for row in range(PERIOD + 100):
        source, number = mixture.at(row)
        assert number == seen[source]
        seen[source] += 1
        if row % 999 == 0:
            assert mixture.taken(row + 1) == seen
    far = 10**12 * PERIOD + 5
    assert mixture.at(far)[1] == 10**12 * int(mixture.counts[mixture.at(far)[0]]) + mixture.at(5)[1]


def test_impossible_mixtures_are_refused() -> None:
    with pytest.raises(ValueError, match="one weight for each source"):
        mix([1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="source 1 of the mixture has weight 0"):
        mix([1.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="less than one row in 4096"):
        mix([1.0, 1e-6], [1.0, 1.0])
