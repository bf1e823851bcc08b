"""CPT of Qwen3-32B on 64 H100 (80 GB each, eight machines of 8) as published: 15,498 steps of 512 rows of 8,192 tokens, 65B in total.

fsdp 16 x tensor 4, a row in flight on each four. Not tested on these chips. Estimated: 6.1 GB of weights and moments per GPU; an update is
912 PFLOP, 14 s at the GPUs' peak, so at 50% of peak the whole stage takes 5.2 days. Attention is `pallas_gpu`,
because cuDNN attention limits the number of segments per row, and packed rows may exceed it.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import cpt


def experiment() -> TrainingJob:
    return cpt("32B", MeshConfig(fsdp=16, tensor=4), attention="pallas_gpu")
