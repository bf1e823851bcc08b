"""CPT of Qwen3-8B on 16 v6e chips (31 GiB each), 1-D FSDP, a row of 8,192 tokens on each.

Not tested on these chips. Estimated: 6.1 GB of weights and moments per chip; an update of 131,072 tokens is 6.9 PFLOP, 0.47 s at the
chips' peak, so 50% of peak is 8,700 tokens/s per chip.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import cpt


def experiment() -> TrainingJob:
    return cpt("8B", MeshConfig(fsdp=16), "v6e:4x4")
