"""Policies for whoever asks them: of a run, or of a Hugging Face folder."""

from pathlib import Path

import jax
import numpy as np
import pytest
from start import TINY as TINY_FILE
from tokenizers import Tokenizer, models
from trained import finish_training

from oprover_jax.commands.export import export_run
from oprover_jax.configuration import load
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.errors import InputError
from oprover_jax.models.qwen3 import init_params
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.policy import open_policy
from oprover_jax.posttraining.run_folder import begin_run
from oprover_jax.progress import ProgressConsole
from oprover_jax.sharding import MeshConfig, make_mesh

TINY = load(TINY_FILE, Experiment)
TEXT = "theorem one (h : p) : p ∧ p := by exact ⟨h, h⟩"


def test_a_run_and_its_export_are_the_same_policy(tmp_path: Path, devices: list[jax.Device]) -> None:
    mesh = make_mesh(MeshConfig(), devices[:1])
    run = begin_run(tmp_path / "run", "tiny", TINY)
    with pytest.raises(InputError, match="no trained policy"):
        open_policy(run.path, mesh)
    train_tokenizer([TEXT], 300, []).save(run.stage("tokenizer") / "tokenizer.json")
    finish_training(run, "cpt", init_params(TINY.policy.model, 5, make_mesh(MeshConfig())))
    export_run(run.path, tmp_path / "hf", "float32", False, ProgressConsole())
    ours, theirs = open_policy(run.path, mesh), open_policy(tmp_path / "hf", mesh)
    assert jax.tree.all(jax.tree.map(lambda a, b: np.array_equal(a, b), ours.params, theirs.params))
    assert ours.codec.said(TEXT) == theirs.codec.said(TEXT) and ours.codec.end_ids == theirs.codec.end_ids
    assert ours.codec.decode(ours.codec.said(TEXT)) == TEXT and ours.version > 0


def test_other_folders_are_refused(tmp_path: Path, devices: list[jax.Device]) -> None:
    mesh = make_mesh(MeshConfig(), devices[:1])
    with pytest.raises(InputError, match="is neither a run folder nor"):
        open_policy(tmp_path, mesh)
    Tokenizer(models.BPE(vocab={"a": 0}, merges=[])).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="eos_token_id"):
        open_policy(tmp_path, mesh)
