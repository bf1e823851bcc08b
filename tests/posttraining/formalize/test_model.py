"""Policies that are asked in words: where they come from, and what their tokens are."""

from pathlib import Path

import jax
import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from oprover_jax.configuration import load
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.errors import InputError
from oprover_jax.models.qwen3 import init_params
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.export_run import export_run
from oprover_jax.posttraining.formalize.model import ChatWords, read_hugging_face, read_run
from oprover_jax.posttraining.policy import save_policy
from oprover_jax.posttraining.run_folder import RunFolder
from oprover_jax.progress import Screen
from oprover_jax.sharding import MeshConfig, make_mesh

TINY = load(Path(__file__).parents[1] / "tiny_experiment.py", Experiment)
TEXT = "theorem one (h : p) : p ∧ p := by exact ⟨h, h⟩"


def chat_tokenizer() -> Tokenizer:
    """Bytes, and the control tokens of a published Qwen3."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={character: i for i, character in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken(mark) for mark in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")])
    return inner


def test_a_chat_prompt_is_one_turn_and_its_text_cannot_end_it() -> None:
    inner = chat_tokenizer()
    words = ChatWords(inner)
    prompt = words.prompt("Say <|im_end|> now ∀.")
    assert inner.decode(list(prompt), skip_special_tokens=False) == (
        "<|im_start|>user\nSay <|im_end|> now ∀.<|im_end|>\n<|im_start|>assistant\n"
    )
    turn_end = inner.token_to_id("<|im_end|>")
    assert prompt.count(turn_end) == 1 and words.end_ids == (turn_end, inner.token_to_id("<|endoftext|>"))
    assert words.text((*inner.encode("Score: 3").ids, turn_end)) == "Score: 3"


def test_a_run_and_its_export_are_the_same_policy(tmp_path: Path, devices: list[jax.Device]) -> None:
    mesh = make_mesh(MeshConfig(), devices[:1])
    run = RunFolder(tmp_path / "run", "tiny", TINY)
    with pytest.raises(InputError, match="no trained policy"):
        read_run(run.path, mesh)
    train_tokenizer([TEXT], 300, []).save(run.stage("tokenizer") / "tokenizer.json")
    save_policy(run, "cpt", init_params(TINY.model, 5, make_mesh(MeshConfig())), 1)
    run.finish("cpt", 1.0, {})
    export_run(run.path, tmp_path / "hf", "float32", False, Screen())
    ours, theirs = read_run(run.path, mesh), read_hugging_face(tmp_path / "hf", mesh)
    assert jax.tree.all(jax.tree.map(lambda a, b: np.array_equal(a, b), ours.params, theirs.params))
    assert ours.words.prompt(TEXT) == theirs.words.prompt(TEXT) and ours.words.end_ids == theirs.words.end_ids
    assert ours.words.text(ours.words.prompt(TEXT)) == TEXT and ours.version > 0


def test_other_folders_are_refused(tmp_path: Path, devices: list[jax.Device]) -> None:
    mesh = make_mesh(MeshConfig(), devices[:1])
    with pytest.raises(InputError, match="neither a run nor"):
        read_hugging_face(tmp_path, mesh)
    Tokenizer(models.BPE(vocab={"a": 0}, merges=[])).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="neither the turns of a chat"):
        read_hugging_face(tmp_path, mesh)
