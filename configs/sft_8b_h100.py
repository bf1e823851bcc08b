"""SFT of Qwen3-8B on 16 H100 (80 GB each, two machines of 8): fsdp 8 x tensor 2, 64 packed rows of 16,384 tokens in 8 micro-batches.

Not tested on these GPUs. Attention is `pallas_gpu`, because cuDNN attention limits the number of segments per row. All numbers of the stage
are ours.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import sft


def experiment() -> TrainingJob:
    return sft("8B", MeshConfig(fsdp=8, tensor=2), attention="pallas_gpu")
