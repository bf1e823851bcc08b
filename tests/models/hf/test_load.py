"""Reading a model folder: only the local parts, every stored dtype, and nothing at all of a folder in which anything is wrong."""

import dataclasses
import json
import shutil
from collections import Counter
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_qwen3 import MESHES

from oprover_jax.errors import InputError
from oprover_jax.models.hf.load import load_hf
from oprover_jax.models.qwen3 import abstract_params
from oprover_jax.sharding import MeshConfig, make_mesh

RECORDED = Path(__file__).with_name("recorded")
Q = "model.layers.1.self_attn.q_proj.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a model that transformers wrote, to be spoiled."""
    return Path(shutil.copytree(RECORDED / "tied", tmp_path / "model"))


def change(folder: Path, spoil) -> None:
    tensors = load_file(folder / "model.safetensors")
    spoil(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("name", MESHES)
def test_each_byte_is_read_once_and_laid_out_as_described(name: str) -> None:
    mesh, read = make_mesh(MESHES[name]), Counter()
    config, params = load_hf(RECORDED / "untied", mesh, on_read=lambda tensor, count: read.update({tensor: count}))
    stored = {}
    for file in (RECORDED / "untied").glob("*.safetensors"):
        stored |= load_file(file)
    assert read == {tensor: array.nbytes for tensor, array in stored.items()}
    jax.tree.map(
        lambda a, p: np.testing.assert_equal((p.shape, p.dtype, p.sharding), (a.shape, a.dtype, a.sharding)),
        abstract_params(config, mesh),
        params,
    )
    np.testing.assert_array_equal(params["layers"]["attention"]["q"][1].reshape(16, 32).T, stored[Q])


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
def test_half_precision_becomes_fp32_exactly(dtype, folder: Path) -> None:
    change(folder, lambda tensors: tensors.update({name: array.astype(dtype) for name, array in tensors.items()}))
    _, params = load_hf(folder, make_mesh(MeshConfig(fsdp=2)))
    stored = load_file(folder / "model.safetensors")
    assert params["embedding"].dtype == np.float32
    np.testing.assert_array_equal(params["embedding"], stored["model.embed_tokens.weight"].astype(np.float32))
    np.testing.assert_array_equal(params["layers"]["mlp"]["up"][2], stored["model.layers.2.mlp.up_proj.weight"].astype(np.float32).T)


def test_a_stored_copy_of_the_tied_matrix_is_passed_over_and_another_one_refused(folder: Path) -> None:
    """Qwen3-0.6B and 1.7B are published so."""
    change(folder, lambda tensors: tensors.update({"lm_head.weight": tensors["model.embed_tokens.weight"].copy()}))
    assert "head" not in load_hf(folder, make_mesh(MeshConfig()))[1]
    change(folder, lambda tensors: tensors["lm_head.weight"].__setitem__((63, 15), 1.5))
    with pytest.raises(InputError, match=r"lm_head\.weight differs from model\.embed_tokens\.weight"):
        load_hf(folder, make_mesh(MeshConfig()))


def test_expected_sizes_keep_their_compute_settings() -> None:
    mesh = make_mesh(MeshConfig())
    found, _ = load_hf(RECORDED / "tied", mesh)
    wanted = dataclasses.replace(found, dtype="bfloat16", remat="full")
    assert load_hf(RECORDED / "tied", mesh, expected=wanted)[0] == wanted
    with pytest.raises(InputError, match=r"config\.json: hidden_size is 16, expected 32 \(hidden_size\)"):
        load_hf(RECORDED / "tied", mesh, expected=dataclasses.replace(found, hidden_size=32))


def rename(old: str, new: str):
    return lambda tensors: tensors.update({new: tensors.pop(old)})


SPOILT = {
    "a missing tensor": (lambda t: t.pop(Q), f"tensor {Q} is missing, expected [32, 16]"),
    "an unexpected tensor": (lambda t: t.update({"extra": t[Q][:1]}), "tensor extra [1, 16] is unexpected"),
    "a tensor by another name": (rename(Q, "q"), f"tensor {Q} is missing"),
    "a wrong shape": (lambda t: t.update({Q: t[Q].T.copy()}), f"tensor {Q} has shape [16, 32], expected [32, 16]"),
    "a wrong dtype": (lambda t: t.update({Q: t[Q].astype(np.int8)}), f'tensor {Q} has dtype "I8", expected one of F32, F16, BF16'),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_wrong_tensor_is_refused_before_anything_is_allocated(kind: str, folder: Path) -> None:
    spoil, said = SPOILT[kind]
    change(folder, spoil)
    check_refused(folder, said, MeshConfig())


def check_refused(folder: Path, said: str, mesh: MeshConfig) -> None:
    """In one sentence, before a weight is read or an array is made (the error's frames would hold it)."""
    arrays = len(jax.live_arrays())
    with pytest.raises(InputError) as caught:
        load_hf(folder, make_mesh(mesh), on_read=lambda *_: pytest.fail("a weight was read"))
    assert len(jax.live_arrays()) == arrays
    message = str(caught.value)
    assert said in message and "\n" not in message, message


def test_other_faults_of_a_folder_are_refused_before_anything_is_allocated(folder: Path) -> None:
    check_refused(folder, "kv_heads is 2, which does not divide over mesh axes tensor 4", MeshConfig(tensor=4))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 32}))
    check_refused(folder, "mlp.gate_proj.weight has shape [24, 16], expected [32, 16]", MeshConfig())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    check_refused(folder, "tensor lm_head.weight is missing, expected [64, 16]", MeshConfig())
    (folder / "config.json").write_text(json.dumps(config))
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-1])
    check_refused(folder, f"but the file has {len(whole) - 1}", MeshConfig())
    (folder / "model.safetensors").unlink()
    check_refused(folder, "contains neither model.safetensors nor model.safetensors.index.json", MeshConfig())


def test_an_index_must_agree_with_its_files(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(RECORDED / "untied", tmp_path / "model"))
    index, last = folder / "model.safetensors.index.json", "model-00003-of-00003.safetensors"
    good = json.loads(index.read_text())
    places = good["weight_map"]
    moved = next(name for name, file in places.items() if file == last)

    def check(weight_map: object, said: str) -> None:
        index.write_text(json.dumps({"weight_map": weight_map}))
        check_refused(folder, said, MeshConfig())

    check(
        places | {moved: "model-00001-of-00003.safetensors"},
        f"{last}: unexpected tensor {moved}; model.safetensors.index.json lists model-00001",
    )
    check(
        {name: file for name, file in places.items() if name != moved},
        f"unexpected tensor {moved}; model.safetensors.index.json lists no such tensor",
    )
    check(places | {"ghost": last}, f"{last}: tensor ghost is missing, but model.safetensors.index.json lists it")
    check(places | {"ghost": "../elsewhere"}, "weight_map lists the file '../elsewhere'")
    check([], "Expected `object`, got `array` - at `$.weight_map`")
    check({name: file for name, file in places.items() if file != last}, "is missing, expected")
    index.write_text(json.dumps(good))
    shutil.copy(folder / last, folder / "model.safetensors")
    check_refused(folder, "contains both model.safetensors and model.safetensors.index.json", MeshConfig())
    (folder / "model.safetensors").unlink()
    (folder / last).unlink()
    check_refused(folder, f"{last} cannot be read (No such file", MeshConfig())
