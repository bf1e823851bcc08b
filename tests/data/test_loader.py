from collections import Counter
from contextlib import ExitStack, closing
from functools import cache
from itertools import islice
from pathlib import Path

import jax
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.data import loader
from oprover_jax.data.dataset import MIXTURE, folders_of, open_rows, write_packed
from oprover_jax.data.loader import Batches, Held, Share, checksum, from_folders, from_rows, shares
from oprover_jax.data.mixture import mix
from oprover_jax.data.rows import Row, document, pad_row
from oprover_jax.errors import InputError
from oprover_jax.sharding import MeshConfig, ShardingError, make_mesh, named

ROWS = 10


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """10 full rows in shards of 4, of which row i begins with token i."""
    path = tmp_path_factory.mktemp("one") / "rows"
    write_packed(path, [document([i, i + 1, i + 2, i + 3, i + 4]) for i in range(1, ROWS + 1)], 4, "drop", shard_rows=4)
    return str(path)


def firsts(batch: Row) -> list[int]:
    return np.asarray(batch["tokens"])[:, 0].tolist()


def one(path: str, batch_rows: int, seed: int) -> Batches:
    return from_folders({path: 1.0}, batch_rows, seed)


def test_batches_are_a_function_of_seed_and_step(path: str) -> None:
    order = [firsts(one(path, 4, 7).at(n)) for n in range(12)]
    data = one(path, 4, 7)
    assert [firsts(data.at(n)) for n in reversed(range(12))] == order[::-1]
    assert [firsts(one(path, 4, 8).at(n)) for n in range(12)] != order


def test_every_epoch_takes_each_row_once_in_a_new_order(path: str) -> None:
    data = one(path, 4, 7)  # 10 rows in batches of 4: epochs end inside a batch
    seen = [row for n in range(10) for row in firsts(data.at(n))]
    epochs = [seen[i : i + ROWS] for i in range(0, 40, ROWS)]
    assert all(Counter(epoch) == Counter(range(1, ROWS + 1)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


@cache
def mixture() -> Batches:
    """Batches of 12 rows out of three sources in memory, of 5, 30 and 7 rows."""
    sources = [[pad_row(document([100 * place + i, 1]), 4) for i in range(count)] for place, count in enumerate((5, 30, 7), start=1)]
    return Batches(tuple(Held(rows) for rows in sources), mix([3.0, 2.0, 5.0], [1.0] * 3), 12, 3)


def test_each_source_of_a_mixture_has_its_share_and_epochs_of_its_own() -> None:
    seen = [row for n in range(50) for row in firsts(mixture().at(n))]
    for place, count in enumerate((5, 30, 7), start=1):
        own = [row for row in seen if row // 100 == place]
        assert abs(len(own) / len(seen) - (0.3, 0.2, 0.5)[place - 1]) < 1 / len(seen)
        epochs = [tuple(own[i : i + count]) for i in range(0, len(own) - count + 1, count)]
        assert all(Counter(epoch) == Counter(range(100 * place, 100 * place + count)) for epoch in epochs)
        assert len(epochs) >= 4 and len(set(epochs)) > len(epochs) / 2


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([1, 2, 3, 4, 6, 12]), st.sampled_from([1, 2, 3, 4, 6, 12]), st.integers(0, 10**9), st.integers(0, 5))
def test_hosts_together_read_the_batch_whatever_their_number_and_wherever_they_begin(first: int, then: int, start: int, after: int) -> None:
    """`first` hosts up to a step and `then` hosts from there on are one host all along."""
    data = mixture()

    def read(hosts: int, step: int, count: int) -> list[list[int]]:
        slices = np.split(np.arange(12), hosts)
        with ExitStack() as opened:
            streams = [islice(opened.enter_context(closing(data.local(mine.tolist(), step))), count) for mine in slices]
            return [[row for part in parts for row in firsts(part)] for parts in zip(*streams, strict=True)]

    undisturbed = [firsts(data.at(step)) for step in range(start, start + after + 2)]
    assert read(first, start, after) + read(then, start + after, 2) == undisturbed


@pytest.mark.parametrize("start", [0, 3, 10_000_000])
@pytest.mark.parametrize("mesh", [MeshConfig(), MeshConfig(dcn=2, fsdp=2, context=2), MeshConfig(fsdp=4, tensor=2)])
def test_the_stream_resumes_at_any_step_on_any_mesh(path: str, start: int, mesh: MeshConfig) -> None:
    data = one(path, 8, 1)
    stream = data.stream(make_mesh(mesh), start)
    for step, batch in enumerate(islice(stream, 3), start):
        expected = data.at(step)
        assert batch.keys() == expected.keys()
        for name, array in batch.items():
            assert np.array_equal(np.asarray(array), expected[name])
            assert array.addressable_shards[0].data.shape == (8 // (mesh.dcn * mesh.fsdp), 4 // mesh.context)
    stream.close()


def test_rows_in_memory_may_hold_a_number_per_row() -> None:
    rows = [{**pad_row(document([i, i + 1]), 4), "advantages": np.float32(i)} for i in range(1, 9)]
    batch = next(from_rows(rows, 8, 0).stream(make_mesh(MeshConfig(fsdp=8))))
    assert batch["advantages"].shape == (8,)
    assert np.array_equal(np.asarray(batch["advantages"]), np.asarray(batch["tokens"])[:, 0].astype(np.float32))


def test_shares_are_of_tokens_and_are_reported(tmp_path: Path) -> None:
    full, half = [document([1] * 9)] * 20, [document([1] * 5)] * 6
    write_packed(tmp_path / "full", full, 8, "drop")
    write_packed(tmp_path / "half", [*half[:1], document([1] * 7)], 8, "drop")  # rows of 4 and 6 positions
    weights = {str(tmp_path / "full"): 1.0, str(tmp_path / "half"): 1.0}
    data = from_folders(weights, 13, 0)
    found = shares(data, weights, 100)
    assert {name: share.tokens for name, share in found.items()} == pytest.approx({"full": 0.5, "half": 0.5}, abs=1e-3)
    assert found["full"] == Share(found["full"].tokens, 500 / 20) and found["half"].epochs == 800 / 2
    tokens = {"full": 0, "half": 0}
    for n in range(100):
        used = (data.at(n)["segment_ids"] > 0).sum(axis=1)
        tokens["full"] += used[used == 8].sum()
        tokens["half"] += used[used < 8].sum()
    assert tokens["half"] / sum(tokens.values()) == pytest.approx(found["half"].tokens, abs=1e-3)


def test_a_packed_folder_is_its_mixture_and_other_weights_are_other_data(path: str, tmp_path: Path) -> None:
    assert folders_of(path) == {path: 1.0} and folders_of({path: 2.0}) == {path: 2.0}
    (tmp_path / MIXTURE).write_bytes(msgspec.json.encode({"a": 1.0, "b": 2.5}))
    assert folders_of(str(tmp_path)) == {str(tmp_path / "a"): 1.0, str(tmp_path / "b"): 2.5}
    (tmp_path / MIXTURE).write_bytes(b'{"a"')
    with pytest.raises(InputError, match=r"mixture\.json is torn"):
        folders_of(str(tmp_path))
    assert checksum({path: 1.0}) == checksum({path: 1.0}) != checksum({path: 2.0})


def test_what_cannot_be_mixed_or_laid_out_is_refused(path: str) -> None:
    with pytest.raises(ShardingError, match="batch is 6"):
        next(one(path, 6, 0).stream(make_mesh(MeshConfig(fsdp=4))))
    with pytest.raises(ValueError, match="seed"):
        Batches((open_rows(path),), mix([1.0], [1.0]), 4, -1)
    with pytest.raises(ValueError, match="no rows"):
        from_rows([], 4, 0)
    with pytest.raises(InputError, match=r"has weight -1\.0"):
        from_folders({path: -1.0}, 4, 0)


def test_each_process_reads_only_its_rows(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = make_mesh(MeshConfig(fsdp=4, tensor=2))
    second_half = set(mesh.devices.reshape(4, 2)[2:].flat)
    whole_map = jax.sharding.NamedSharding.devices_indices_map
    monkeypatch.setattr(
        jax.sharding.NamedSharding,
        "addressable_devices_indices_map",
        lambda self, shape: {d: i for d, i in whole_map(self, shape).items() if d in second_half},
    )
    sharding = named((8, 4), ("batch", "sequence"), mesh)
    assert loader._local_rows(sharding, (8, 4)) == [4, 5, 6, 7]
    data = mixture()
    read: list[int] = []

    class Watched(Held):
        def read(self, number: int, rows: Row, at: int) -> None:
            super().read(number, rows, at)
            read.append(int(rows["tokens"][at][0]))

    watched = Batches(tuple(Watched(source.rows) for source in data.sources), data.mixture, 12, 3)
    with closing(watched.local([6, 7, 8], prefetch=1)) as stream:
        part = next(stream)
    assert firsts(part) == firsts(data.at(0))[6:9]
    expected = [row for step in range(9) for row in firsts(data.at(step))[6:9]]
    assert len(read) >= 3 and read == expected[: len(read)]  # a thread reads ahead
