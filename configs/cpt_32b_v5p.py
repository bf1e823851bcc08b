"""CPT of Qwen3-32B on 64 v5p chips (95 GiB each), 1-D FSDP, a row of 8,192 tokens on each.

Not tested on these chips. Estimated: 6.1 GB of weights and moments per chip; an update of 524,288 tokens is 114 PFLOP, 3.9 s at the chips'
peak, so 50% of peak is 1,050 tokens/s per chip.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import cpt


def experiment() -> TrainingJob:
    return cpt("32B", MeshConfig(fsdp=64), "v5p:4x4x4")
