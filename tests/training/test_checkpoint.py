import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
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

pytestmark = pytest.mark.multiprocess


def state(mesh_config: MeshConfig, spec: PartitionSpec, offset: float = 0.0) -> TrainState:
    mesh = make_mesh(mesh_config)
    weight = jax.device_put(np.arange(64, dtype=np.float32).reshape(8, 8) + np.float32(offset), NamedSharding(mesh, spec))
    scalar = jax.device_put(jnp.int32(int(offset)), NamedSharding(mesh, PartitionSpec()))
    window = jax.device_put(np.full(4, np.nan, np.float32), NamedSharding(mesh, PartitionSpec()))
    return TrainState(scalar, scalar, {"layers": {"w": weight}}, (jnp.zeros((), jnp.int32), {"mu": weight}), scalar, window)


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


def test_every_so_many_steps_one_stays_for_good(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, keep=1, keep_every=4) as checkpoints:
        for step in range(1, 11):
            checkpoints.save(step, state(*OTHER, offset=step), {"step": step})
    assert sorted(int(p.name) for p in tmp_path.iterdir()) == [4, 8, 10]


READER = """
import sys
import jax
import numpy as np
jax.config.update("jax_platforms", "cpu")
from pathlib import Path
from oprover_jax.errors import InputError
from oprover_jax.training.checkpoint import restore
abstract = {"b": jax.numpy.zeros(64), "w": {"x": jax.numpy.zeros((256, 64))}}
for torn in map(Path, sys.argv[1:]):
    try:
        found = restore(torn, 1, abstract)
    except InputError as error:
        assert str(torn / "1") in str(error) and "\\n" not in str(error), error
        print("refused")
    else:
        assert all((np.asarray(leaf) == 3).all() for leaf in jax.tree.leaves(found)), torn
        print("whole")
"""


def test_a_truncated_file_is_found_whichever_it_is(tmp_path: Path) -> None:
    """Any file of a committed checkpoint is cut in half: it is an error that names the folder, or no value differs. They are read in a
    process of its own, as Orbax leaves reads behind when one of them fails."""
    save(tmp_path / "whole", 1, {"b": jnp.full(64, 3.0), "w": {"x": jnp.full((256, 64), 3.0)}}, {})
    files = [path.relative_to(tmp_path / "whole") for path in sorted((tmp_path / "whole").rglob("*")) if path.is_file()]
    for number, name in enumerate(files):
        torn = tmp_path / f"torn-{number}"
        shutil.copytree(tmp_path / "whole", torn)
        with (torn / name).open("r+b") as file:
            file.truncate((torn / name).stat().st_size // 2)
    folders = [str(tmp_path / f"torn-{number}") for number in range(len(files))]
    done = subprocess.run([sys.executable, "-c", READER, *folders], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout.split()
    assert len(said) == len(files) and said.count("refused") >= 3, dict(zip(files, said))


SAVER = """
import sys
import numpy as np
import jax
jax.config.update("jax_platforms", "cpu")
from pathlib import Path
from oprover_jax.training.checkpoint import Checkpoints
with Checkpoints(Path(sys.argv[1]), keep=2) as checkpoints:
    for step in range(1, 10_000):
        checkpoints.save(step, {f"w{i}": jax.numpy.full((256, 1024), step, np.float32) for i in range(8)}, {"step": step})
"""


def test_killed_while_it_saves(tmp_path: Path) -> None:
    """A process that does nothing but save is killed again and again: what counts as the latest is always whole."""
    abstract = {f"w{i}": jax.numpy.zeros((256, 1024), np.float32) for i in range(8)}
    process = subprocess.Popen([sys.executable, "-c", SAVER, str(tmp_path)], cwd=Path(__file__).parents[2])
    try:
        while (latest(tmp_path) or 0) < 3 and process.poll() is None:
            time.sleep(0.01)
        for _ in range(12):  # stopped and looked at: as if it had been killed here
            os.kill(process.pid, signal.SIGSTOP)
            assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])  # every thread of it has stopped
            copy = tmp_path.with_name("copy")
            shutil.copytree(tmp_path, copy)
            step = latest(copy)
            assert step is not None and step >= 1
            assert all((np.asarray(x) == step).all() for x in restore(copy, step, abstract).values())
            assert read_extra(copy, step) == {"step": step}
            shutil.rmtree(copy)
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(0.03)
    finally:
        process.kill()
        process.wait()
    with Checkpoints(tmp_path, keep=2) as checkpoints:  # the next start clears away what was half written
        checkpoints.save(20_000, abstract, {"step": 20_000})
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 2 and "20000" in left


def test_another_model_is_refused_by_the_name_of_the_weight(tmp_path: Path) -> None:
    saved = state(*OTHER)
    save(tmp_path, 1, saved, {})
    smaller = replace(saved, params={"layers": {"w": saved.params["layers"]["w"][:4]}})
    with pytest.raises(InputError, match=r"params\.layers\.w has shape \[8, 8\], expected \[4, 8\]"):
        restore(tmp_path, 1, smaller)
    more = replace(saved, params={"layers": {**saved.params["layers"], "b": saved.step}})
    with pytest.raises(InputError, match=r"params\.layers\.b is missing"):
        restore(tmp_path, 1, more)
    less = replace(saved, params={})
    with pytest.raises(InputError, match=r"has params\.layers\.w, which the model lacks"):
        restore(tmp_path, 1, less)
