"""Our Qwen3 beside the real one, in both directions. Run by `make test-transformers`, which gives `transformers` its own environment.

Not one of the tests that every run collects: torch brings gigabytes with it. Those compare with what was recorded here.
"""

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from parity import check_parity
from tiny_qwen3 import put

from oprover_jax.data.tokenizer import load_tokenizer, train_tokenizer
from oprover_jax.models.hf.export import export_hf
from oprover_jax.models.hf.load import load_hf
from oprover_jax.sharding import MeshConfig, make_mesh

pytestmark = pytest.mark.live

HERE = Path(__file__).parent
PYTHON = Path(os.environ.get("TRANSFORMERS_PYTHON", HERE.parents[2] / ".venv-transformers" / "bin" / "python"))
MESHES = {"1": MeshConfig(), "2x2": MeshConfig(fsdp=2, tensor=2)}


def transformers(*arguments: object) -> str:
    command = [str(PYTHON), str(HERE / "transformers_reference.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models that transformers makes now, as the recorded ones were made."""
    folder = tmp_path_factory.mktemp("made")
    print(transformers("make", folder))
    return folder


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("name", ["tied", "untied"])
def test_a_folder_written_by_transformers_is_read_by_us(name: str, mesh: str, made: Path) -> None:
    on = make_mesh(MESHES[mesh])
    error = check_parity(*load_hf(made / name, on), on, made / name / "expected.npz")
    print(f"transformers -> us, {name}, mesh {mesh}: relative error {error:.2e}, greedy continuation equal")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_folder_exported_by_us_is_loaded_by_transformers(tied: bool, dtype: str, config, weights, tmp_path: Path) -> None:
    config = dataclasses.replace(config, tie_embeddings=tied)
    if not tied:
        weights = weights | {"head": np.random.default_rng(3).normal(0, 0.3, weights["embedding"].shape).astype(np.float32)}
    mesh, out = make_mesh(MESHES["2x2"]), tmp_path / "out"
    export_hf(config, put(weights, config, mesh), out, dtype=dtype, max_file_bytes=8000)
    transformers("judge", out, tmp_path / "said.npz")
    held = put(weights, config, mesh) if dtype == "float32" else load_hf(out, mesh)[1]
    error = check_parity(config, held, mesh, tmp_path / "said.npz")
    print(f"us -> transformers, {'tied' if tied else 'untied'}, {dtype}: relative error {error:.2e}, greedy continuation equal")


@pytest.mark.parametrize("name", ["tied", "untied"])
def test_what_is_recorded_is_what_transformers_says(name: str, tmp_path: Path) -> None:
    transformers("judge", HERE / "recorded" / name, tmp_path / "said.npz")
    with np.load(tmp_path / "said.npz") as now, np.load(HERE / "recorded" / name / "expected.npz") as recorded:
        np.testing.assert_array_equal(now["tokens"], recorded["tokens"])
        np.testing.assert_allclose(now["logits"], recorded["logits"], rtol=0, atol=1e-5)
        print(f"recorded by {json.loads(str(recorded['versions']))}, now {json.loads(str(now['versions']))}")


def test_the_tokenizer_of_a_run_is_loaded_by_transformers(tmp_path: Path) -> None:
    from oprover_jax.data.tokenizer import exported_tokenizer

    text = "theorem one (h : p) : p ∧ p := by\n  exact ⟨h, h⟩"
    train_tokenizer([text], 300, ["<state>"]).save(tmp_path / "tokenizer.json")
    ours, beside = load_tokenizer(tmp_path / "tokenizer.json"), exported_tokenizer(tmp_path / "tokenizer.json", 64)
    for name, content in beside.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "text").write_text(text)
    said = json.loads(transformers("tokenize", tmp_path, tmp_path / "text"))
    assert said == {"ids": ours.encode(text), "eos": ours.end_id, "pad": 0}
