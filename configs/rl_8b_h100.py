"""GSPO of Qwen3-8B on 16 H100 (80 GB each, two machines of 8): fsdp 8 x tensor 2, one attempt of up to 32,768 tokens on each pair.

Not tested on these chips. Estimated: an update of 64 attempts, in 8 micro-batches, is 156 PFLOP if all rows are full, 10 s at the
GPUs' peak; a row's layer inputs, which full remat keeps, are 9.7 GB per GPU.
"""

from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.recipes import rl


def experiment() -> TrainingJob:
    return rl("8B", MeshConfig(fsdp=8, tensor=2), attention="pallas_gpu")
