"""Attention by a small mask specification, with implementations chosen by name. None of them ever stands in for another."""

from collections.abc import Callable

from jaxtyping import Array, Float

from oprover_jax.models.attention.cudnn import cudnn_attention
from oprover_jax.models.attention.mask import MASKED, Mask
from oprover_jax.models.attention.pallas_gpu import pallas_gpu_attention
from oprover_jax.models.attention.reference import reference_attention
from oprover_jax.models.attention.splash import splash_attention

__all__ = ["IMPLEMENTATIONS", "MASKED", "Attention", "Mask"]

# (q, k, v, mask) -> mixed values. Scores are scaled by head_dim**-0.5; query heads share key heads in consecutive groups. Where
# keeping a result would spare the backward pass to run it again, that carries the checkpoint name "attention" (see remat.py).
Attention = Callable[[Float[Array, "B S H d"], Float[Array, "B S K d"], Float[Array, "B S K d"], Mask], Float[Array, "B S H d"]]

IMPLEMENTATIONS: dict[str, Attention] = {
    "reference": reference_attention,
    "splash": splash_attention,
    "cudnn": cudnn_attention,
    "pallas_gpu": pallas_gpu_attention,
}
