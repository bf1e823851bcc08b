"""Our training step on the CPU, run by bench/train_step.py like its peers: in its own process, fp32, AdamW, random tokens."""

import os

os.environ["JAX_PLATFORMS"] = "cpu"

import contest
import jax
import numpy as np

from oprover_jax.data.rows import document, pad_row
from oprover_jax.models.qwen3 import Qwen3Config, init_params
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.objectives import cross_entropy
from oprover_jax.training.optimizer import OptimizerConfig, make_optimizer
from oprover_jax.training.step import init_state, make_train_step


def main() -> None:
    a = contest.arguments()
    # on the CPU, keeping a scan's residuals costs more than recomputing them from these three
    config = Qwen3Config(a.vocab, a.layers, a.embed, a.q_heads, a.kv_heads, a.head_dim, a.mlp, remat="save:qkv,gate,up")
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    optimizer = make_optimizer(OptimizerConfig())
    train_step = make_train_step(cross_entropy(config), optimizer, mesh)
    state = init_state(init_params(config, 0, mesh), optimizer, mesh)
    tokens = np.random.default_rng(0).integers(1, a.vocab, (a.rows, a.length + 1))
    rows = [pad_row(document(row.tolist()), a.length) for row in tokens]
    with jax.set_mesh(mesh):
        batch = {name: jax.numpy.asarray(np.stack([row[name] for row in rows])) for name in rows[0]}

    def step() -> float:
        nonlocal state
        state, metrics = train_step(state, batch, 1e-3)
        jax.block_until_ready(state)
        return float(metrics["loss"])

    contest.run(step, a.steps, version=f"jax {jax.__version__}", parameters=config.parameters)


if __name__ == "__main__":
    main()
