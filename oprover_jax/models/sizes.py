"""Published dense Qwen3 models by name (Qwen3 technical report, arXiv 2505.09388, table 1, and their config.json on Hugging Face)."""

from oprover_jax.errors import InputError
from oprover_jax.models.qwen3 import Qwen3Config

_VOCAB = 151_936

PUBLISHED = {
    "0.6B": Qwen3Config(_VOCAB, num_layers=28, hidden_size=1024, num_heads=16, num_kv_heads=8, head_dim=128, intermediate_size=3072),
    "1.7B": Qwen3Config(_VOCAB, num_layers=28, hidden_size=2048, num_heads=16, num_kv_heads=8, head_dim=128, intermediate_size=6144),
    "4B": Qwen3Config(_VOCAB, num_layers=36, hidden_size=2560, num_heads=32, num_kv_heads=8, head_dim=128, intermediate_size=9728),
    "8B": Qwen3Config(
        _VOCAB, num_layers=36, hidden_size=4096, num_heads=32, num_kv_heads=8, head_dim=128, intermediate_size=12_288, tie_embeddings=False
    ),
    "14B": Qwen3Config(
        _VOCAB, num_layers=40, hidden_size=5120, num_heads=40, num_kv_heads=8, head_dim=128, intermediate_size=17_408, tie_embeddings=False
    ),
    "32B": Qwen3Config(
        _VOCAB, num_layers=64, hidden_size=5120, num_heads=64, num_kv_heads=8, head_dim=128, intermediate_size=25_600, tie_embeddings=False
    ),
}
"""Sizes only; settings of the computation (dtype, remat, attention) keep their defaults; `dataclasses.replace` sets them."""


def published(name: str) -> Qwen3Config:
    """Return the configuration of Qwen3-`name`. Raises InputError for an unknown name."""
    if name not in PUBLISHED:
        raise InputError(f"unknown dense Qwen3 size {name!r}; choose one of {', '.join(PUBLISHED)}")
    return PUBLISHED[name]
