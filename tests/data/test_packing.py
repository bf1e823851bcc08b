import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.data.packing import pack, pack_examples
from oprover_jax.data.rows import Example, Row, document, prompted


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 32), max_size=200), st.integers(32, 64), st.integers(1, 50))
def test_every_item_once_and_no_bin_overfull(lengths: list[int], capacity: int, window: int) -> None:
    bins = pack(lengths, capacity, window)
    assert sorted(i for items in bins for i in items) == list(range(len(lengths)))
    assert all(0 < sum(lengths[i] for i in items) <= capacity for items in bins)
    assert bins == pack(lengths, capacity, window)


def segments(rows: list[Row]) -> list[tuple[list[int], list[float]]]:
    """(ids, weights of the targets) of every segment, after a look at its positions and targets."""
    found = []
    for row in rows:
        for segment in range(1, row["segment_ids"].max() + 1):
            inside = row["segment_ids"] == segment
            assert row["positions"][inside].tolist() == list(range(inside.sum()))
            assert row["tokens"][inside][1:].tolist() == row["targets"][inside][:-1].tolist()
            ids = [int(row["tokens"][inside][0]), *row["targets"][inside].tolist()]
            found.append((ids, row["weights"][inside].tolist()))
    return found


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 30), min_size=1, max_size=40), st.integers(0, 1000))
def test_rows_hold_every_example_whole(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    examples = [document(rng.integers(1, 100, size).tolist()) for size in sizes]
    rows, report = pack_examples(examples, 29, "drop")
    assert sorted(ids for ids, _ in segments(rows)) == sorted(e.ids.tolist() for e in examples)
    assert report.dropped == report.continued == 0 and report.examples == len(sizes)
    assert report.positions == sum(size - 1 for size in sizes)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 60), min_size=1, max_size=20), st.integers(1, 29), st.integers(0, 1000))
def test_of_a_document_that_goes_on_every_target_stays_one(sizes: list[int], length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = [rng.permutation(100)[:size] + 100 * i for i, size in enumerate(sizes)]  # every id is there once
    weights = [np.array([0, *rng.uniform(0, 2, size - 1)], np.float32) for size in sizes]
    examples = [Example(one.astype(np.int32), weight) for one, weight in zip(ids, weights)]
    rows, report = pack_examples(examples, length, "continue")
    trained = {(a, b, w) for found, ws in segments(rows) for a, b, w in zip(found[:-1], found[1:], ws, strict=True)}
    assert trained == {(int(a), int(b), float(w)) for e in examples for a, b, w in zip(e.ids, e.ids[1:], e.weights[1:])}
    assert report.positions == sum(e.positions for e in examples) and report.dropped == 0
    assert report.continued == sum(e.positions > length for e in examples)


def test_fill_on_a_long_tailed_mix_of_lengths() -> None:
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(6.5, 0.9, 20_000).astype(int), 16, 8192).tolist()
    bins = pack(lengths, 8192)
    assert sum(lengths) / (len(bins) * 8192) > 0.99


def test_what_is_too_long_is_dropped_whole_and_counted() -> None:
    rows, report = pack_examples([prompted(range(1, 31), [7]), prompted([1], [2]), prompted(range(1, 21), [50])], 10, "drop")
    assert (report.examples, report.rows, report.dropped, report.dropped_ids, report.trained) == (3, 1, 2, 31 + 21, 1)
    assert [ids for ids, _ in segments(rows)] == [[1, 2]]


def test_an_item_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="item 1 has length 9"):
        pack([3, 9], 8)
