import json
from collections import Counter
from itertools import islice
from pathlib import Path

import jax
import numpy as np
import pytest

from oprover_jax.data.loader import Batches, from_file, from_rows, open_rows
from oprover_jax.data.packing import sidecar, write_packed
from oprover_jax.data.rows import Row, document, pad_row
from oprover_jax.errors import InputError
from oprover_jax.sharding import MeshConfig, ShardingError, make_mesh, named

ROWS = 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rows.array_record"
    assert write_packed(path, [document([i, i + 1, i + 2, i + 3, i + 4]) for i in range(1, ROWS + 1)], 4).rows == ROWS
    return path


def firsts(batch: Row) -> list[int]:
    return np.asarray(batch["tokens"])[:, 0].tolist()


def test_batches_are_a_function_of_seed_and_step(path: Path) -> None:
    order = [firsts(from_file(path, 4, 7).at(n)) for n in range(12)]
    data = from_file(path, 4, 7)
    assert [firsts(data.at(n)) for n in reversed(range(12))] == order[::-1]
    assert [firsts(from_file(path, 4, 8).at(n)) for n in range(12)] != order


def test_every_epoch_takes_each_row_once_in_a_new_order(path: Path) -> None:
    data = from_file(path, 4, 7)  # 10 rows in batches of 4: epochs end inside a batch
    seen = [row for n in range(10) for row in firsts(data.at(n))]
    epochs = [seen[i : i + ROWS] for i in range(0, 40, ROWS)]
    assert all(Counter(epoch) == Counter(range(1, ROWS + 1)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


@pytest.mark.parametrize("start", [0, 3, 10_000_000])
@pytest.mark.parametrize("mesh", [MeshConfig(), MeshConfig(dcn=2, fsdp=2, context=2), MeshConfig(fsdp=4, tensor=2)])
def test_the_stream_resumes_at_any_step_on_any_mesh(path: Path, start: int, mesh: MeshConfig) -> None:
    data = from_file(path, 8, 1)
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


def test_a_batch_that_does_not_divide_the_mesh_is_refused(path: Path) -> None:
    with pytest.raises(ShardingError, match="batch is 6"):
        next(from_file(path, 6, 0).stream(make_mesh(MeshConfig(fsdp=4))))
    with pytest.raises(ValueError, match="seed"):
        Batches(open_rows(path), 4, -1)
    with pytest.raises(ValueError, match="no rows"):
        from_rows([], 4, 0)


def test_a_torn_or_missing_file_is_named_when_opened(path: Path) -> None:
    whole = path.read_bytes()
    for size in (0, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"rows\.array_record is missing or torn; write it again"):
            open_rows(path)
    path.unlink()
    with pytest.raises(InputError, match="missing or torn"):
        open_rows(path)
    path.write_bytes(whole)
    described = json.loads(sidecar(path).read_text())
    sidecar(path).write_text(json.dumps(described | {"rows": 11}))
    with pytest.raises(InputError, match="holds 10 rows and 11 were written"):
        open_rows(path)
    sidecar(path).write_text(json.dumps(described | {"version": 1}))
    with pytest.raises(InputError, match="has version 1 and this program reads 2"):
        open_rows(path)
    sidecar(path).unlink()
    with pytest.raises(InputError, match="no description"):
        open_rows(path)


def test_each_process_reads_only_its_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = make_mesh(MeshConfig(fsdp=4, tensor=2))
    second_half = set(mesh.devices.reshape(4, 2)[2:].flat)
    whole_map = jax.sharding.NamedSharding.devices_indices_map
    monkeypatch.setattr(
        jax.sharding.NamedSharding,
        "addressable_devices_indices_map",
        lambda self, shape: {d: i for d, i in whole_map(self, shape).items() if d in second_half},
    )
    from oprover_jax.data import loader

    sharding = named((8, 4), ("batch", "sequence"), mesh)
    assert loader._local_rows(sharding, (8, 4)) == [4, 5, 6, 7]
