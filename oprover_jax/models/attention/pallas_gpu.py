"""JAX's flash attention for GPU, written in Pallas and compiled by Triton. It runs on any recent GPU, in any dtype, with any segments."""

import jax
from jax.experimental.pallas.ops.gpu.attention import mha
from jaxtyping import Array, Float, Int

from oprover_jax.models.attention.checks import check_length, check_platform
from oprover_jax.models.attention.mask import Mask
from oprover_jax.models.attention.whole_rows import over_whole_rows


def pallas_gpu_attention(
    q: Float[Array, "B S H d"], k: Float[Array, "B S K d"], v: Float[Array, "B S K d"], mask: Mask, *, interpret: bool = False
) -> Float[Array, "B S H d"]:
    """Grouped-query attention on a GPU mesh, scores and softmax in fp32. InputError on other devices (save with `interpret`, which
    emulates the kernel and is for tests) and where a row is no multiple of 128 positions."""
    if not interpret:
        check_platform("pallas_gpu", "gpu")
    check_length("pallas_gpu", q.shape[1])

    def kernel(q: Array, k: Array, v: Array, segment_ids: Int[Array, "b S"]) -> jax.Array:
        return mha(q, k, v, segment_ids, sm_scale=q.shape[-1] ** -0.5, causal=mask.causal, interpret=interpret)

    return over_whole_rows(kernel, q, k, v, mask.segment_ids)
