import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from oprover_jax.errors import InputError
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.checkpoint import Checkpoints, latest, read_extra, restore, save
from oprover_jax.training.step import TrainState


def state(mesh_config: MeshConfig, spec: PartitionSpec, offset: float = 0.0) -> TrainState:
    mesh = make_mesh(mesh_config)
    weight = jax.device_put(np.arange(64, dtype=np.float32).reshape(8, 8) + np.float32(offset), NamedSharding(mesh, spec))
    scalar = jax.device_put(jnp.int32(int(offset)), NamedSharding(mesh, PartitionSpec()))
    return TrainState(scalar, scalar, {"layers": {"w": weight}}, (jnp.zeros((), jnp.int32), {"mu": weight}))


SAVED = (MeshConfig(fsdp=4, tensor=2), PartitionSpec("fsdp", "tensor"))
OTHER = (MeshConfig(fsdp=2), PartitionSpec(None, "fsdp"))


def test_restores_onto_another_mesh(tmp_path: Path) -> None:
    save(tmp_path, 7, state(*SAVED, offset=3), {"step": 7, "identity": "abc"})
    assert latest(tmp_path) == 7
    assert read_extra(tmp_path, 7) == {"step": 7, "identity": "abc"}
    target = state(*OTHER)
    found = restore(tmp_path, 7, target)
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(np.asarray(x), np.asarray(y)), found, state(*SAVED, offset=3))
    assert found.params["layers"]["w"].sharding == target.params["layers"]["w"].sharding


@pytest.mark.parametrize("lost", ["_CHECKPOINT_METADATA", "commit_success.txt", "state", "state/_METADATA"])
def test_a_torn_checkpoint_is_never_the_latest_and_is_replaced(tmp_path: Path, lost: str) -> None:
    save(tmp_path, 1, state(*OTHER, offset=1), {})
    with Checkpoints(tmp_path, keep=3) as checkpoints:
        checkpoints.save(2, state(*OTHER, offset=2), {})
    path = tmp_path / "2" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    (tmp_path / "3").mkdir()
    assert latest(tmp_path) == 1
    with Checkpoints(tmp_path, keep=3) as checkpoints:
        checkpoints.save(2, state(*OTHER, offset=5), {})
    assert latest(tmp_path) == 2
    assert int(restore(tmp_path, 2, state(*OTHER)).step) == 5


def test_only_the_newest_stay(tmp_path: Path) -> None:
    assert latest(tmp_path / "nowhere") is None
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        for step in (1, 2, 3, 10):
            checkpoints.save(step, state(*OTHER, offset=step), {"step": step})
    assert sorted(int(p.name) for p in tmp_path.iterdir()) == [3, 10]
    assert latest(tmp_path) == 10


def test_another_model_is_refused_by_the_name_of_the_weight(tmp_path: Path) -> None:
    saved = state(*OTHER)
    save(tmp_path, 1, saved, {})
    smaller = TrainState(saved.step, saved.skipped, {"layers": {"w": saved.params["layers"]["w"][:4]}}, saved.opt_state)
    with pytest.raises(InputError, match=r"params\.layers\.w has shape \[8, 8\] and the model wants \[4, 8\]"):
        restore(tmp_path, 1, smaller)
    more = TrainState(saved.step, saved.skipped, {"layers": {**saved.params["layers"], "b": saved.step}}, saved.opt_state)
    with pytest.raises(InputError, match=r"params\.layers\.b is missing"):
        restore(tmp_path, 1, more)
    less = TrainState(saved.step, saved.skipped, {}, saved.opt_state)
    with pytest.raises(InputError, match=r"holds params\.layers\.w, which the model has not"):
        restore(tmp_path, 1, less)
