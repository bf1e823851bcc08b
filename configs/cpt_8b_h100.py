"""CPT of Qwen3-8B on 16 H100 (80 GB each, two machines of 8) as published: 15,498 steps of 512 rows of 8,192 tokens, 65B in total.

fsdp 8 x tensor 2, a row in flight on each pair. Not tested on these chips. Estimated: 6.1 GB of weights and moments per GPU; an update is
221 PFLOP, 14 s at the GPUs' peak, so at 50% of peak the whole stage takes 5.0 days. Attention is `pallas_gpu`,
because cuDNN attention limits the number of segments per row, and packed rows may exceed it.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import cpt


def experiment() -> TrainingJob:
    return cpt("8B", MeshConfig(fsdp=8, tensor=2), attention="pallas_gpu")
