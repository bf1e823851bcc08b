"""Export: byte for byte what was loaded, whole or not at all, and never over something else."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
from joined import joined
from safetensors import safe_open
from safetensors.numpy import load_file
from tiny_qwen3 import MESHES, put

from oprover_jax.errors import InputError
from oprover_jax.models.hf.export import export_hf, tokenizer_files
from oprover_jax.models.hf.load import load_hf
from oprover_jax.sharding import MeshConfig, make_mesh

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

RECORDED = Path(__file__).with_name("recorded")


def stored(folder: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Every tensor of a folder: dtype, shape, bytes."""
    found = {}
    for file in folder.glob("*.safetensors"):
        found |= {name: (str(x.dtype), x.shape, x.tobytes()) for name, x in load_file(file).items()}
    return found


@pytest.mark.parametrize("name", ["tied", "untied"])
@pytest.mark.parametrize("mesh", ["1", "2x2x2"])
def test_a_folder_loaded_and_exported_is_the_same_byte_for_byte(name: str, mesh: str, tmp_path: Path) -> None:
    config, params = load_hf(RECORDED / name, make_mesh(MESHES[mesh]))
    export_hf(config, params, tmp_path / "fp32", dtype="float32", max_file_bytes=9000)
    assert stored(tmp_path / "fp32") == stored(RECORDED / name)
    half, again = tmp_path / "half", tmp_path / "again"
    export_hf(config, params, half)
    export_hf(*load_hf(half, make_mesh(MESHES[mesh])), again)
    assert stored(again) == stored(half)
    assert (half / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()
    for tensor, (dtype, shape, content) in stored(RECORDED / name).items():
        rounded = np.frombuffer(content, np.float32).astype(ml_dtypes.bfloat16).tobytes()
        assert dtype == "float32" and stored(half)[tensor] == ("bfloat16", shape, rounded)


@pytest.mark.parametrize("tied", [True, False])
def test_our_weights_come_back_as_they_were(tied: bool, config, weights, tmp_path: Path) -> None:
    mesh = make_mesh(MESHES["4x2"])
    weights = weights if tied else weights | {"head": weights["embedding"][::-1].copy()}
    config = type(config)(**(vars(config) | {"tie_embeddings": tied}))
    told: list[tuple[str, int]] = []

    def on_write(*tensor: str | int) -> None:
        assert jax.sharding.get_abstract_mesh().empty
        told.append(tensor)

    export_hf(config, put(weights, config, mesh), tmp_path / "x", dtype="float32", on_write=on_write)
    assert jax.sharding.get_abstract_mesh().empty
    found, params = load_hf(tmp_path / "x", make_mesh(MeshConfig()))
    assert found == config
    jax.tree.map(np.testing.assert_array_equal, params, weights)
    assert len(told) == 11 * config.num_layers + 2 + (not tied) and sum(count for _, count in told) == 4 * config.parameters


def test_files_are_split_at_the_size_and_indexed(tmp_path: Path) -> None:
    config, params = load_hf(RECORDED / "untied", make_mesh(MeshConfig()))
    export_hf(config, params, tmp_path / "x", max_file_bytes=8000)
    files = sorted(path.name for path in (tmp_path / "x").glob("*.safetensors"))
    assert files == [f"model-{i:05}-of-00003.safetensors" for i in (1, 2, 3)]
    assert all((tmp_path / "x" / file).stat().st_size < 8000 + 3000 for file in files)
    index = json.loads((tmp_path / "x" / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 2 * config.parameters
    for file in files:
        with safe_open(tmp_path / "x" / file, framework="numpy") as opened:
            assert opened.metadata() == {"format": "pt"}
            assert set(opened.keys()) == {name for name, place in index["weight_map"].items() if place == file}


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    config, params = load_hf(RECORDED / "tied", make_mesh(MeshConfig()))
    taken, file, foreign = tmp_path / "taken", tmp_path / "file", tmp_path / "foreign"
    shutil.copytree(RECORDED / "untied", taken)
    file.write_text("mine")
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="taken is not empty"):
        export_hf(config, params, taken)
    with pytest.raises(InputError, match="file is a file"):
        export_hf(config, params, file, overwrite=True)
    with pytest.raises(InputError, match=r"foreign has no config\.json"):
        export_hf(config, params, foreign, overwrite=True)
    assert stored(taken) == stored(RECORDED / "untied") and file.read_text() == (foreign / "thesis.tex").read_text() == "mine"
    export_hf(config, params, taken, dtype="float32", overwrite=True, extra_files=tokenizer_files(RECORDED / "tied"))
    assert stored(taken) == stored(RECORDED / "tied")
    assert sorted(path.name for path in taken.iterdir()) == ["config.json", "generation_config.json", "model.safetensors"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "foreign", "taken"]
    assert tokenizer_files(foreign) == {}


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    config, params = load_hf(RECORDED / "tied", make_mesh(MeshConfig()))
    old = Path(shutil.copytree(RECORDED / "untied", tmp_path / "old"))

    def fail(name: str, _: int) -> None:
        if "layers.2" in name:
            raise OSError("no space left on device")

    for folder in (old, tmp_path / "new"):
        with pytest.raises(OSError, match="no space"):
            export_hf(config, params, folder, overwrite=True, on_write=fail)
    assert stored(old) == stored(RECORDED / "untied") and [path.name for path in tmp_path.iterdir()] == ["old"]


KILLED = """
import sys, time
from pathlib import Path
from oprover_jax.models.hf.export import export_hf
from oprover_jax.models.hf.load import load_hf
from oprover_jax.sharding import MeshConfig, make_mesh

def linger(name, count):
    if name == "model.norm.weight":
        print("almost", flush=True)
        time.sleep(600)

export_hf(*load_hf(Path(sys.argv[1]), make_mesh(MeshConfig())), Path(sys.argv[2]), on_write=linger)
"""


def test_a_killed_export_leaves_nothing_that_looks_whole_and_the_next_one_clears_up(tmp_path: Path) -> None:
    out, command = tmp_path / "out", [sys.executable, "-c", KILLED, str(RECORDED / "tied"), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"JAX_PLATFORMS": "cpu"}) as process:
        assert process.stdout is not None and process.stdout.readline() == "almost\n"
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    assert not list(tmp_path.rglob("config.json"))
    config, params = load_hf(RECORDED / "tied", make_mesh(MeshConfig()))
    export_hf(config, params, out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_processes_each_read_their_half_and_export_the_whole(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("two_processes.py")), str(RECORDED / "untied"), str(tmp_path / "out")]
    with joined(command) as processes:
        said = [process.communicate(timeout=120) for process in processes]
    tensors = stored(RECORDED / "untied")
    whole = sum(len(content) for name, (_, _, content) in tensors.items() if "norm" in name)
    split = sum(len(content) for _, _, content in tensors.values()) - whole
    assert [process.returncode for process in processes] == [0, 0], said
    for process in (0, 1):
        assert json.loads((tmp_path / f"out.read{process}").read_text()) == {"split": split // 2, "whole": whole}
    assert stored(tmp_path / "out") == tensors
