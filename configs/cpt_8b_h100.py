"""CPT of Qwen3-8B on 16 H100 (80 GB each, two machines of 8): fsdp 8 x tensor 2, a row of 8,192 tokens on each pair.

Not run on these chips. By arithmetic: 6.1 GB of weights and moments a GPU; an update of 65,536 tokens is 3.5 PFLOP, 0.22 s at the GPUs'
peak, so that half of it is 9,400 tokens/s a GPU. Attention is `pallas_gpu`: cuDNN's bounds the segments of a row, and packed rows may
hold more.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import cpt


def experiment() -> TrainingJob:
    return cpt("8B", MeshConfig(fsdp=8, tensor=2), attention="pallas_gpu")
