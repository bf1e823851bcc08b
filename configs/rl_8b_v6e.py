"""GSPO of Qwen3-8B on 16 v6e chips (31 GiB each): 1-D FSDP, one attempt of up to 32,768 tokens on each.

Not tested on these chips; `oprover compile` reports its memory use. Estimated: an update of 64 attempts, in 4 micro-batches, is
156 PFLOP if all rows are full, 11 s at the chips' peak.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import rl


def experiment() -> TrainingJob:
    return rl("8B", MeshConfig(fsdp=16), "v6e:4x4")
