import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.data.packing import decode_row, encode_row, layout_of, pack, pack_examples, sidecar, write_packed, write_rows
from oprover_jax.data.rows import Example, document, prompted, row_of


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 32), max_size=200), st.integers(32, 64), st.integers(1, 50))
def test_every_item_once_and_no_bin_overfull(lengths: list[int], capacity: int, window: int) -> None:
    bins = pack(lengths, capacity, window)
    assert sorted(i for items in bins for i in items) == list(range(len(lengths)))
    assert all(0 < sum(lengths[i] for i in items) <= capacity for items in bins)
    assert bins == pack(lengths, capacity, window)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 30), min_size=1, max_size=40), st.integers(0, 1000))
def test_rows_hold_every_example_whole(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    examples = [document(rng.integers(1, 100, size).tolist()) for size in sizes]
    rows, report = pack_examples(examples, 29)
    found = []
    for row in rows:
        for segment in range(1, row["segment_ids"].max() + 1):
            inside = row["segment_ids"] == segment
            assert row["positions"][inside].tolist() == list(range(inside.sum()))
            found.append([int(row["tokens"][inside][0]), *row["targets"][inside].tolist()])
            assert row["tokens"][inside][1:].tolist() == row["targets"][inside][:-1].tolist()
    assert sorted(found) == sorted(e.ids.tolist() for e in examples)
    assert report.cut_examples == report.cut_ids == 0
    assert report.positions == sum(size - 1 for size in sizes)


def test_fill_on_a_long_tailed_mix_of_lengths() -> None:
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(6.5, 0.9, 20_000).astype(int), 16, 8192).tolist()
    bins = pack(lengths, 8192)
    assert sum(lengths) / (len(bins) * 8192) > 0.99


def test_what_is_cut_is_counted() -> None:
    rows, report = pack_examples([document(range(1, 31)), document([1, 2]), prompted(range(1, 21), [50])], 10)
    assert (report.cut_examples, report.cut_ids) == (2, 19 + 10)
    assert report.trained == 10 + 1  # the cut prompt has lost its attempt
    assert report.examples == 3 and report.rows == len(rows) == 3


def test_an_item_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="item 1 has length 9"):
        pack([3, 9], 8)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=15))
def test_stored_rows_come_back_bit_for_bit(weights: list[float]) -> None:
    example = Example(np.arange(len(weights) + 1, dtype=np.int32) * 2**20, np.array([0, *weights], np.float32))
    row = row_of([example], 16) | {"sampler_logprob": np.linspace(-1, 0, 16, dtype=np.float32), "advantages": np.float32(0.5).reshape(())}
    back = decode_row(encode_row(row), layout_of(row))
    assert all(np.array_equal(back[name], row[name]) and back[name].dtype == row[name].dtype for name in row)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.array_record"
    report = write_packed(path, [document([1, 2, 3])] * 5, 8)
    before = path.read_bytes()
    assert json.loads(sidecar(path).read_text())["rows"] == report.rows == 2
    with pytest.raises(ValueError, match="one length"):
        write_rows(path, [row_of([document([1, 2])], 8), row_of([document([1, 2])], 9)])
    with pytest.raises(ValueError, match="row 1 has other fields"):
        write_rows(path, [row_of([document([1, 2])], 8), row_of([document([1, 2])], 8) | {"more": np.zeros(8, np.float32)}])
    with pytest.raises(ValueError, match="no rows"):
        write_rows(path, [])
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rows.array_record", "rows.array_record.json"]
