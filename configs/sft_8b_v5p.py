"""SFT of Qwen3-8B on 16 v5p chips (95 GiB each): 1-D FSDP, 64 packed rows of 16,384 tokens in 4 micro-batches.

Not tested on these chips; `oprover compile` reports its memory use. All numbers of the stage are ours.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import sft


def experiment() -> TrainingJob:
    return sft("8B", MeshConfig(fsdp=16), "v5p:2x2x4")
