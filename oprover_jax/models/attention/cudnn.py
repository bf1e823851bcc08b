"""cuDNN's fused attention over packed rows, for NVIDIA Hopper and later; `bench/attention.py --check` compares it on a GPU."""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp

# `jax.nn.dot_product_attention` knows no segments; its own implementation does
from jax._src.cudnn import fused_attention_stablehlo as fused
from jaxtyping import Array, Float, Int

from oprover_jax.errors import InputError
from oprover_jax.models.attention.checks import check_platform
from oprover_jax.models.attention.mask import Mask
from oprover_jax.models.attention.whole_rows import over_whole_rows

MAX_SEGMENTS = 64


def cudnn_attention(
    q: Float[Array, "B S H d"],
    k: Float[Array, "B S K d"],
    v: Float[Array, "B S K d"],
    mask: Mask,
    *,
    max_segments: int = MAX_SEGMENTS,
) -> Float[Array, "B S H d"]:
    """Grouped-query attention in bfloat16 on a GPU mesh, scores and softmax in fp32. Each segment of a row, including its padding, must be
    one run of equal ids. The kernel's statistics take batch x max_segments x heads x length floats, so the number of runs in a row is
    bounded: the outputs of a row with more runs are NaN. Raises InputError on other devices and in other dtypes."""
    check_platform("cudnn", "gpu")
    if q.dtype != jnp.bfloat16:
        raise InputError(f"attention 'cudnn' computes in bfloat16 but was given {q.dtype}; set dtype='bfloat16'")
    kernel = partial(packed_attention, causal=mask.causal, max_segments=max_segments)
    # in jax 0.10.2 the offsets of keys are wrong unless there are as many key heads as query heads (jax-ml/jax#39521); here there are
    return over_whole_rows(kernel, q, k, v, mask.segment_ids)


def packed_attention(
    q: Float[Array, "b S h d"],
    k: Float[Array, "b S h d"],
    v: Float[Array, "b S h d"],
    segment_ids: Int[Array, "b S"],
    causal: bool,
    max_segments: int,
    kernel: Callable[..., Array] = fused.dot_product_attention,
) -> Float[Array, "b S h d"]:
    """Attend to one device's part: whole rows, with as many key heads as query heads. Raises InputError if 32 bits cannot count its
    elements. `kernel` is cuDNN's; tests pass a substitute where there is no GPU."""
    if q.size >= 2**31:
        raise InputError(
            f"attention 'cudnn' counts elements in 32 bits but a device's queries are {q.size}; lower the rows of a micro-batch"
        )
    starts, lengths, runs = segment_runs(segment_ids, max_segments)
    mixed = kernel(
        q,
        k,
        v,
        q_seqlen=lengths,
        kv_seqlen=lengths,
        q_offsets=starts,
        kv_offsets=starts,
        scale=q.shape[-1] ** -0.5,
        mask_type=fused.MaskType.PADDING_CAUSAL if causal else fused.MaskType.PADDING,
    )
    return jnp.where((runs > max_segments)[:, None, None, None], jnp.nan, mixed)


def segment_runs(segment_ids: Int[Array, "b S"], limit: int) -> tuple[Int[Array, "b limit_1"], Int[Array, "b limit"], Int[Array, "b"]]:
    """Return the runs of equal ids in each row: starts and lengths of the first `limit` of them, and their number. Unused entries
    are -1, as cuDNN's interface requires; starts have one more entry, which is never used."""
    length = segment_ids.shape[1]
    changes = jnp.pad(segment_ids[:, 1:] != segment_ids[:, :-1], ((0, 0), (1, 0)), constant_values=True)
    at = jnp.sort(jnp.where(changes, jnp.arange(length)[None], length), axis=1)[:, : limit + 1]
    at = jnp.pad(at, ((0, 0), (0, max(limit + 1 - length, 0))), constant_values=length).astype(jnp.int32)
    used = at[:, :-1] < length
    lengths = jnp.where(used, at[:, 1:] - at[:, :-1], -1)
    starts = jnp.pad(jnp.where(used, at[:, :-1], -1), ((0, 0), (0, 1)), constant_values=-1)
    return starts, lengths, changes.sum(axis=1)
