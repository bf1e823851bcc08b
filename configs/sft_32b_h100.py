"""SFT of Qwen3-32B on 64 H100 (80 GB each, eight machines of 8): fsdp 16 x tensor 4, 64 packed rows of 16,384 tokens in 4 micro-batches.

Not tested on these GPUs. Attention is `pallas_gpu`, because cuDNN attention limits the number of segments per row. All numbers of the stage
are ours.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import sft


def experiment() -> TrainingJob:
    return sft("32B", MeshConfig(fsdp=16, tensor=4), attention="pallas_gpu")
