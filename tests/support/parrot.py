"""A policy whose next token is a function of the last one alone: it has its answers by heart, and nothing was trained."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import jax
import numpy as np

from oprover_jax.agent.template import ANSWER, FENCE, FENCE_END, PHRASES, PLAN
from oprover_jax.data.tokenizer import exported_tokenizer, train_tokenizer
from oprover_jax.models.hf.export import export_hf
from oprover_jax.models.qwen3 import Params, Qwen3Config, init_params

CONFIG = Qwen3Config(
    vocab_size=320, num_layers=1, hidden_size=16, num_heads=2, num_kv_heads=1, head_dim=4, intermediate_size=8, tie_embeddings=False
)
TACTICS = (" rfl", " simp")
TOKENIZER = train_tokenizer([f"by{tactic} done" for tactic in TACTICS] * 50, 300, PHRASES)
_SURE = 40.0


def parrot(mesh: jax.sharding.Mesh) -> Params:
    """Answers every prompt by one of TACTICS, each as likely as the other."""
    chains = [[_token(piece) for piece in (ANSWER, PLAN, " done", "\n", FENCE, "by", tactic, FENCE_END)] for tactic in TACTICS]
    return _following([[*chain, TOKENIZER.end_id] for chain in chains], mesh)


def write_parrot(folder: Path, mesh: jax.sharding.Mesh) -> None:
    """The same as transformers writes it."""
    path = folder.parent / "tokenizer.json"
    TOKENIZER.save(path)
    export_hf(CONFIG, parrot(mesh), folder, dtype="float32", extra_files=exported_tokenizer(path, 512), end_id=TOKENIZER.end_id)


def _token(piece: str) -> int:
    [token] = TOKENIZER.encode(piece)
    return token


def _following(chains: Sequence[Sequence[int]], mesh: jax.sharding.Mesh) -> Params:
    """Each token an axis of its own, which the layers pass on untouched and the head turns into the tokens that follow it."""
    params = init_params(CONFIG, 0, mesh)
    axis = {token: i for i, token in enumerate(dict.fromkeys(token for chain in chains for token in chain))}
    embedding, head = (
        np.zeros((CONFIG.vocab_size, CONFIG.hidden_size), np.float32),
        np.zeros((CONFIG.vocab_size, CONFIG.hidden_size), np.float32),
    )
    for token, i in axis.items():
        embedding[token, i] = 1.0
    for chain in chains:
        for token, following in pairwise(chain):
            head[following, axis[token]] = _SURE
    silent = jax.tree.map(lambda weight: np.zeros_like(weight) if weight.ndim > 2 else weight, params["layers"])
    made = params | {"embedding": embedding, "head": head, "layers": silent}
    return jax.tree.map(lambda value, like: jax.device_put(np.asarray(value), like.sharding), made, params)
