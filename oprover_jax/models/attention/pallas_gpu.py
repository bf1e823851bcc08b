"""JAX's flash attention for GPU, in Pallas compiled by Triton, for any recent GPU, any dtype and any segments."""

import jax
from jax.experimental.pallas.ops.gpu.attention import mha
from jaxtyping import Array, Float, Int

from oprover_jax.models.attention.checks import check_length, check_platform
from oprover_jax.models.attention.mask import Mask
from oprover_jax.models.attention.whole_rows import over_whole_rows


def pallas_gpu_attention(
    q: Float[Array, "B S H d"], k: Float[Array, "B S K d"], v: Float[Array, "B S K d"], mask: Mask, *, interpret: bool = False
) -> Float[Array, "B S H d"]:
    """Grouped-query attention on a GPU mesh, scores and softmax in fp32. Raises InputError on other devices (except with `interpret`,
    which emulates the kernel for tests) and if the row length is not a multiple of 128 positions."""
    if not interpret:
        check_platform("pallas_gpu", "gpu")
    check_length("pallas_gpu", q.shape[1])

    def kernel(q: Array, k: Array, v: Array, segment_ids: Int[Array, "b S"]) -> jax.Array:
        return mha(q, k, v, segment_ids, sm_scale=q.shape[-1] ** -0.5, causal=mask.causal, interpret=interpret)

    return over_whole_rows(kernel, q, k, v, mask.segment_ids)
