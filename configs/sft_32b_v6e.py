"""SFT of Qwen3-32B on 64 v6e chips (31 GiB each): 1-D FSDP, 64 packed rows of 16,384 tokens, one on each chip.

Not tested on these chips; `oprover compile` reports its memory use. All numbers of the stage are ours.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import sft


def experiment() -> TrainingJob:
    return sft("32B", MeshConfig(fsdp=64), "v6e:8x8")
