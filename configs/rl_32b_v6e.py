"""GSPO of Qwen3-32B on 128 v6e chips (31 GiB each): FSDP over 64, an attempt of up to 32,768 tokens on each pair of chips.

Not tested on these chips; `oprover compile` reports its memory use. A whole row's layer inputs, which full remat keeps, are 21.5 GB: with
the weights too much for one chip, so rows are split over two (context parallelism). Estimated: an update of 64 attempts is
619 PFLOP if all rows are full, 5 s at the chips' peak.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import rl


def experiment() -> TrainingJob:
    return rl("32B", MeshConfig(fsdp=64, context=2), "v6e:8x16")
