"""Our training step on the CPU, as bench/train_step.py runs those of its peers: a process of its own, fp32, AdamW, random tokens."""

import argparse
import json
import os
import resource
import time

os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import numpy as np

from oprover_jax.data.rows import document, pad_row
from oprover_jax.models.qwen3 import Qwen3Config, init_params
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.objectives import cross_entropy
from oprover_jax.training.optimizer import OptimizerConfig, make_optimizer
from oprover_jax.training.step import init_state, make_train_step


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("vocab", "layers", "embed", "q_heads", "kv_heads", "head_dim", "mlp", "rows", "length", "steps"):
        parser.add_argument(f"--{name}", type=int, required=True)
    a = parser.parse_args()
    config = Qwen3Config(a.vocab, a.layers, a.embed, a.q_heads, a.kv_heads, a.head_dim, a.mlp)
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    optimizer = make_optimizer(OptimizerConfig())
    step = make_train_step(cross_entropy(config), optimizer, mesh)
    state = init_state(init_params(config, 0, mesh), optimizer, mesh)
    tokens = np.random.default_rng(0).integers(1, a.vocab, (a.rows, a.length + 1))
    rows = [pad_row(document(row.tolist()), a.length) for row in tokens]
    with jax.set_mesh(mesh):
        batch = {name: jax.numpy.asarray(np.stack([row[name] for row in rows])) for name in rows[0]}
    losses, seconds = [], []
    for _ in range(a.steps + 3):
        start = time.perf_counter()
        state, metrics = step(state, batch, 1e-3)
        losses.append(float(metrics["loss"]))
        jax.block_until_ready(state)
        seconds.append(time.perf_counter() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    version = f"jax {jax.__version__}"
    print(json.dumps({"version": version, "parameters": config.parameters, "seconds": min(seconds[3:]), "mib": memory, "loss": losses[-1]}))


if __name__ == "__main__":
    main()
