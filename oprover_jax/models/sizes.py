"""The published dense Qwen3 models by name (Qwen3 technical report, arXiv 2505.09388, table 1, and their config.json on Hugging Face)."""

from oprover_jax.errors import InputError
from oprover_jax.models.qwen3 import Qwen3Config

_VOCAB = 151_936

PUBLISHED = {
    "0.6B": Qwen3Config(_VOCAB, layers=28, embed=1024, q_heads=16, kv_heads=8, head_dim=128, mlp=3072),
    "1.7B": Qwen3Config(_VOCAB, layers=28, embed=2048, q_heads=16, kv_heads=8, head_dim=128, mlp=6144),
    "4B": Qwen3Config(_VOCAB, layers=36, embed=2560, q_heads=32, kv_heads=8, head_dim=128, mlp=9728),
    "8B": Qwen3Config(_VOCAB, layers=36, embed=4096, q_heads=32, kv_heads=8, head_dim=128, mlp=12_288, tie_embeddings=False),
    "14B": Qwen3Config(_VOCAB, layers=40, embed=5120, q_heads=40, kv_heads=8, head_dim=128, mlp=17_408, tie_embeddings=False),
    "32B": Qwen3Config(_VOCAB, layers=64, embed=5120, q_heads=64, kv_heads=8, head_dim=128, mlp=25_600, tie_embeddings=False),
}
"""Sizes only: what concerns the computation (dtype, remat, attention) is left at its default; `dataclasses.replace` sets it."""


def published(name: str) -> Qwen3Config:
    """The configuration of Qwen3-`name`. InputError for a name that is none of them."""
    if name not in PUBLISHED:
        raise InputError(f"there is no dense Qwen3-{name}; choose one of {', '.join(PUBLISHED)}")
    return PUBLISHED[name]
