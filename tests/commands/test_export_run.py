"""`oprover export` on a run that was made by hand: a policy, a tokenizer, nothing trained."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import tokenizers
from start import TINY as TINY_FILE
from trained import finish_training

from oprover_jax.configuration import load
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.models.hf.load import load_hf
from oprover_jax.models.qwen3 import Params, init_params
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.run_folder import RunFolder, begin_run
from oprover_jax.sharding import MeshConfig, make_mesh

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

TINY = load(TINY_FILE, Experiment)
TEXT = "theorem one (h : p) : p ∧ p := by exact ⟨h, h⟩"


def export(run: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "oprover_jax.cli", "export", "--run", str(run), "--out", str(out), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "JAX_PLATFORMS": "cpu"}, timeout=120, check=False)


@pytest.fixture(scope="module")
def policy() -> Params:
    return init_params(TINY.policy.model, 5, make_mesh(MeshConfig()))


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = begin_run(tmp_path / "run", "tiny", TINY)
    train_tokenizer([TEXT], 300, []).save(folder.stage("tokenizer") / "tokenizer.json")
    return folder


def test_the_last_policy_becomes_a_folder_with_its_tokenizer(run: RunFolder, policy: Params, tmp_path: Path) -> None:
    older = jax.tree.map(np.zeros_like, policy)
    for stage, params in (("cpt", older), ("sft", policy)):
        finish_training(run, stage, params)
    out = tmp_path / "out"
    done = export(run.path, out, "--dtype", "float32")
    assert done.returncode == 0 and "of stage sft in float32" in done.stdout, done
    config, params = load_hf(out, make_mesh(MeshConfig(fsdp=2)))
    assert config == TINY.policy.model
    jax.tree.map(np.testing.assert_array_equal, params, policy)
    tokenizer = tokenizers.Tokenizer.from_file(str(out / "tokenizer.json"))
    assert tokenizer.decode(tokenizer.encode(TEXT).ids) == TEXT
    settings, written = (json.loads((out / name).read_text()) for name in ("tokenizer_config.json", "config.json"))
    assert written["eos_token_id"] == tokenizer.token_to_id(settings["eos_token"])
    again = export(run.path, out)
    assert again.returncode == 2 and len(again.stderr.splitlines()) == 1 and "is not empty" in again.stderr
    assert load_hf(out, make_mesh(MeshConfig()))[0] == config


def test_a_run_without_a_policy_exports_nothing(run: RunFolder, tmp_path: Path) -> None:
    done = export(run.path, tmp_path / "out")
    assert done.returncode == 2 and "has no trained policy yet" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
