"""CPT of Qwen3-32B on 64 v5p chips (95 GiB each) as published: 15,498 steps of 512 rows of 8,192 tokens, 65B in total.

1-D FSDP, a row in flight on each chip. Not tested on these chips. Estimated: 6.1 GB of weights and moments per chip; an update is
912 PFLOP, 31 s at the chips' peak, so at 50% of peak the whole stage takes 11 days.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import cpt


def experiment() -> TrainingJob:
    return cpt("32B", MeshConfig(fsdp=64), "v5p:4x4x4")
