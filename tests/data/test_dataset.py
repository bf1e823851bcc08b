"""Rows come back bit for bit; a dataset is there whole or not at all; what is not whole is named when it is opened."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.data.dataset import INDEX, open_rows, read_index, write_packed, write_rows
from oprover_jax.data.encoding import decode_row, encode_row, layout_of
from oprover_jax.data.rows import Example, Row, document, row_of
from oprover_jax.errors import InputError

ids = st.integers(0, 2**31 - 1)
weights = st.sampled_from([0.0, 1.0]) | st.floats(0, 10, width=32)
examples = st.lists(st.lists(st.tuples(ids, weights), min_size=2, max_size=6), max_size=5)


@settings(max_examples=60, deadline=None)
@given(examples, st.integers(0, 9))
def test_stored_rows_come_back_bit_for_bit(found: list[list[tuple[int, float]]], spare: int) -> None:
    made = [Example(np.array([i for i, _ in one], np.int32), np.array([0.0, *(w for _, w in one[1:])], np.float32)) for one in found]
    length = max(1, sum(one.positions for one in made) + spare)
    row = row_of(made, length)
    row |= {"sampler_logprob": np.linspace(-1, 0, length, dtype=np.float32), "advantages": np.asarray(np.float32(0.5))}
    back = decode_row(encode_row(row), length, layout_of(row))
    assert back.keys() == row.keys()
    assert all(back[name].tobytes() == row[name].tobytes() and back[name].dtype == row[name].dtype for name in row)


def test_what_is_no_row_is_not_stored() -> None:
    row = row_of([document([1, 2, 3])], 4)
    for name, value in {"positions": [0, 2, 0, 0], "targets": [5, 3, 0, 0], "tokens": [1, 2, 7, 0], "segment_ids": [0, 1, 1, 0]}.items():
        with pytest.raises(ValueError, match="do not form a row"):
            encode_row(row | {name: np.array(value, np.int32)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """10 rows in shards of 4."""
    index = write_packed(tmp_path / "rows", [document([i, i + 1, i + 2, i + 3, i + 4]) for i in range(1, 11)], 4, "drop", shard_rows=4)
    assert [shard.rows for shard in index.shards] == [4, 4, 2] and index.rows == 10 and index.fill == 1.0 and index.largest_id == 14
    return tmp_path / "rows"


def rows_of(folder: Path) -> list[Row]:
    return list(open_rows(folder).all())


def test_rows_are_numbered_over_the_shards(folder: Path) -> None:
    assert [row["tokens"][0] for row in rows_of(folder)] == list(range(1, 11))


def test_the_same_rows_are_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "again", rows_of(folder), shard_rows=4)
    before, after = ({p.name: p.read_bytes() for p in where.iterdir()} for where in (folder, tmp_path / "again"))
    assert before == after


def test_a_failed_write_leaves_the_old_dataset(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    short, long = row_of([document([1, 2])], 8), row_of([document([1, 2])], 9)
    with pytest.raises(ValueError, match="row 1 has 9 positions, but the first has 8"):
        write_rows(folder, [short, long])
    with pytest.raises(ValueError, match="row 1 has different fields"):
        write_rows(folder, [short, short | {"more": np.zeros(8, np.float32)}])
    with pytest.raises(ValueError, match=r"rows-00001\.array_record: rows have different lengths"):
        write_rows(folder, [short] * 4 + [long], shard_rows=4)  # the first row of the next shard
    with pytest.raises(ValueError, match="no rows"):
        write_rows(folder, [])
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows"]


def test_a_torn_missing_or_foreign_shard_is_named_when_the_dataset_is_opened(folder: Path, tmp_path: Path) -> None:
    shard = folder / "rows-00001.array_record"
    whole = shard.read_bytes()
    for size in (0, len(whole) // 2, len(whole) - 1):
        shard.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"rows-00001\.array_record is torn: it has [\d,]+ bytes, expected [\d,]+"):
            open_rows(folder)
    write_packed(tmp_path / "other", [document([i, i + 1, i + 2, i + 3, i + 9]) for i in range(1, 11)], 4, "drop", shard_rows=4)
    shutil.copy(tmp_path / "other" / shard.name, shard)
    assert shard.stat().st_size == len(whole)
    with pytest.raises(InputError, match=r"rows-00001\.array_record does not match index\.json"):
        open_rows(folder)
    shard.unlink()
    with pytest.raises(InputError, match=r"rows-00001\.array_record is missing"):
        open_rows(folder)
    shard.write_bytes(whole)
    assert len(rows_of(folder)) == 10


def test_an_index_that_does_not_fit_is_named(folder: Path) -> None:
    index = folder / INDEX
    whole = msgspec.json.decode(index.read_bytes())
    index.write_bytes(msgspec.json.encode(whole | {"version": 2}))
    with pytest.raises(InputError, match="has version 2, but this program reads version 3"):
        read_index(folder)
    index.write_bytes(msgspec.json.encode(whole)[:-9])
    with pytest.raises(InputError, match=r"has a torn index\.json"):
        read_index(folder)
    index.write_bytes(msgspec.json.encode({"version": 3}))
    with pytest.raises(InputError, match=r"has a torn index\.json"):
        read_index(folder)
    index.unlink()
    with pytest.raises(InputError, match=r"is not a rows dataset, because it has no index\.json"):
        open_rows(folder)
