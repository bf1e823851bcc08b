"""Attention with a small mask specification and implementations selected by name, without fallback from one to another."""

from collections.abc import Callable

from jaxtyping import Array, Float

from oprover_jax.models.attention.cudnn import cudnn_attention
from oprover_jax.models.attention.mask import MASKED, Mask
from oprover_jax.models.attention.pallas_gpu import pallas_gpu_attention
from oprover_jax.models.attention.reference import reference_attention
from oprover_jax.models.attention.splash import splash_attention

__all__ = ["IMPLEMENTATIONS", "MASKED", "Attention", "Mask"]

# (q, k, v, mask) -> mixed values. Scores are scaled by head_dim**-0.5; query heads share key heads in consecutive groups. A result that
# is worth keeping for the backward pass has the checkpoint name "attention" (see remat.py).
Attention = Callable[[Float[Array, "B S H d"], Float[Array, "B S K d"], Float[Array, "B S K d"], Mask], Float[Array, "B S H d"]]

IMPLEMENTATIONS: dict[str, Attention] = {
    "reference": reference_attention,
    "splash": splash_attention,
    "cudnn": cudnn_attention,
    "pallas_gpu": pallas_gpu_attention,
}
