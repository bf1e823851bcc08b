"""The whole recipe for Qwen3-8B: trainer on one host with 4 v5p chips, policy on SGL-JAX servers, proofs checked by Lean services.

Give the addresses: `--set 'engine.urls=["http://HOST:30000", ...]'`, and Lean with `--lean.backend remote --lean.urls http://HOST:8000`.
`oprover iterate --plan --config configs/iterate_8b_v5p.py` says what it costs. Not tested on these chips.
"""

from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.recipes import iterate
from oprover_jax.sharding import MeshConfig


def experiment() -> Experiment:
    return iterate("8B", MeshConfig(fsdp=4), "v5p:2x2x1", states=44, group_size=8, iterations=3)  # 44 x 8: published
