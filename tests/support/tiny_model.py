"""A tiny Qwen3 with a tokenizer of its own, as a folder that every server loads."""

from pathlib import Path

import jax

from oprover_jax.data.tokenizer import exported_tokenizer, load_tokenizer, train_tokenizer
from oprover_jax.models.hf.export import export_hf
from oprover_jax.models.qwen3 import Params, Qwen3Config, init_params

TEXT = "theorem one (h : p) : p ∧ p := by\n  exact ⟨h, h⟩"
CONFIG = Qwen3Config(vocab_size=288, num_layers=2, hidden_size=16, num_heads=4, num_kv_heads=2, head_dim=8, intermediate_size=32)


def tiny_params(config: Qwen3Config, mesh: jax.sharding.Mesh, seed: int, sharpness: float = 20.0) -> Params:
    """Weights whose logits are far apart, so that another history gives other tokens."""
    params = init_params(config, seed, mesh)
    with jax.set_mesh(mesh):
        return {name: sharpness * value if name in ("embedding", "head") else value for name, value in params.items()}


def write_tiny_model(folder: Path, mesh: jax.sharding.Mesh, seed: int, config: Qwen3Config = CONFIG, sharpness: float = 20.0) -> Params:
    """Writes the folder in fp32; the weights that it holds."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.parent / f"{folder.name}.tokenizer.json"
    train_tokenizer([TEXT] * 4, 280, ["<state>"]).save(path)
    params = tiny_params(config, mesh, seed, sharpness)
    end_id = load_tokenizer(path).end_id
    export_hf(config, params, folder, dtype="float32", extra_files=exported_tokenizer(path, 64), end_id=end_id)
    return params
