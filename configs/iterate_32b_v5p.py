"""The whole recipe for Qwen3-32B: trainer on 64 v5p chips, policy on SGL-JAX servers, proofs checked by Lean services.

`oprover iterate` runs in one process, which cannot hold a policy of this size: until it spans hosts, run its stages by `oprover cpt`,
`sft` and `rl`. This file is for `oprover compile` and `oprover iterate --plan`. Rollout batches are the multiple of the chips nearest
to the published 336 x 4. Not tested on these chips.
"""

from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.recipes import iterate
from oprover_jax.sharding import MeshConfig


def experiment() -> Experiment:
    return iterate("32B", MeshConfig(fsdp=64), "v5p:4x4x4", states=320, group_size=4, iterations=2)
