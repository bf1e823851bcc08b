import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.data.shuffle import permuted, scrambled


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(0, 2**64 - 1))
def test_every_row_once(size: int, key: int) -> None:
    assert sorted(permuted(i, size, key) for i in range(size)) == list(range(size))


def test_orders_are_as_different_as_random_ones() -> None:
    size, keys = 6, 1200
    orders = np.array([[permuted(i, size, scrambled(key)) for i in range(size)] for key in range(keys)])
    expected = keys / size
    counts = np.stack([np.bincount(orders[:, i], minlength=size) for i in range(size)])
    assert ((counts - expected) ** 2 / expected).sum() < 60  # chi-squared of 25 degrees of freedom: 60 has p = 1e-4
    pairs = np.bincount(orders[:, 0] * size + orders[:, 1], minlength=size**2)
    expected = keys / (size * (size - 1))
    assert ((pairs[pairs > 0] - expected) ** 2 / expected).sum() < 70 and (pairs > 0).sum() == size * (size - 1)


def test_a_far_row_of_many_is_found_at_once() -> None:
    size = 10**12 + 7
    places = [permuted(i, size, 5) for i in range(size - 100, size)]
    assert len(set(places)) == 100 and all(0 <= place < size for place in places)
    assert min(places) < size / 10 and max(places) > size * 9 / 10
