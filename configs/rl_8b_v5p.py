"""GSPO of Qwen3-8B on 16 v5p chips (95 GiB each): 1-D FSDP, one attempt of up to 32,768 tokens on each.

Not tested on these chips. Estimated: an update of 64 attempts, in 4 micro-batches, is 156 PFLOP if all rows are full, 21 s at the
chips' peak; a row's layer inputs, which full remat keeps, are 9.7 GB per chip. Context parallelism (`--set mesh.fsdp=4 --set
mesh.context=4`) would split them.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import rl


def experiment() -> TrainingJob:
    return rl("8B", MeshConfig(fsdp=16), "v5p:2x2x4")
