"""Splash attention: JAX's sparse flash attention for TPU (Pallas). Scores never reach HBM, and blocks above the diagonal are skipped."""

import math
from collections.abc import Callable
from functools import partial

import jax
from jax.experimental.pallas.ops.tpu import splash_attention as splash
from jax.sharding import NamedSharding
from jaxtyping import Array, Float, Int

from oprover_jax.models.attention.checks import check_length, check_platform
from oprover_jax.models.attention.mask import Mask
from oprover_jax.sharding import current_mesh, mesh_axes, spec


def block_sizes(queries: int, keys: int) -> splash.BlockSizes:
    """Return tile sizes for `queries` on a device and `keys` of a whole row, both multiples of 128: for each the largest power of two that
    divides the length, up to a limit.

    1024 queries against 1024 keys do 1024 FLOPs for each byte they read, more than the 170 of a v5p or the 560 of a v6e, and a causal
    row of 8192 computes 56% of its scores where 50% would suffice; scores are computed for 512 keys at a time. With 2048 queries the kernel
    needs 24 MiB of VMEM, of which the compiler grants 16 on v5p.

    The fused backward does 5 products instead of 7, but writes one gradient of the queries per block of keys. It gets blocks of 2048
    keys and serves up to four of them: 8192 keys. Longer rows (a 32k row would keep 16 such gradients) use the separate kernels.
    """
    block_q, block_kv, compute = math.gcd(queries, 1024), math.gcd(keys, 1024), math.gcd(keys, 512)
    fused_kv = math.gcd(keys, 2048)
    fused = keys // fused_kv <= 4
    return splash.BlockSizes(
        block_q=block_q,
        block_kv=block_kv,
        block_kv_compute=compute,
        block_q_dkv=block_q,
        block_kv_dkv=fused_kv if fused else block_kv,
        block_kv_dkv_compute=compute,
        block_q_dq=None if fused else block_q,
        block_kv_dq=None if fused else block_kv,
        use_fused_bwd_kernel=fused,
    )


def splash_attention(
    q: Float[Array, "B S H d"], k: Float[Array, "B S K d"], v: Float[Array, "B S K d"], mask: Mask, *, interpret: bool = False
) -> Float[Array, "B S H d"]:
    """Grouped-query attention on a TPU mesh, scores and softmax in fp32. Over a split sequence, keys and values are gathered and
    their gradients scattered. Raises InputError on other devices (except with `interpret`, which emulates the kernel for tests) and
    if a device's part of a row is not a multiple of 128."""
    mesh, context = current_mesh(), mesh_axes("sequence")
    _, length, heads, width = q.shape
    parts = math.prod(mesh.shape[axis] for axis in context)
    if not interpret:
        check_platform("splash", "tpu")
    check_length("splash", length, parts)
    queries = length // parts
    # the rows of the mask's tables stay with their queries, so that the diagonal is where it belongs; without one all parts are equal
    visible = splash.CausalMask((length, length)) if mask.causal else splash.FullMask((queries, length))
    kernel = splash.make_splash_mha(
        splash.MultiHeadMask([visible] * heads),
        block_sizes=block_sizes(queries, length),
        head_shards=1,
        q_seq_shards=parts if mask.causal else 1,
        residual_checkpoint_name="attention",
        interpret=interpret,
    )
    tables = kernel.manual_sharding_spec(NamedSharding(mesh, spec(None, "sequence" if mask.causal else None)))
    layouts = [spec("batch", "sequence", name, None) for name in ("q_heads", "kv_heads", "kv_heads")]
    ids = spec("batch", "sequence")

    # Pallas kernels do not say over which mesh axes their outputs vary, hence no check_vma
    @partial(jax.shard_map, in_specs=(tables, *layouts, ids), out_specs=layouts[0], check_vma=False)
    def local(kernel: Callable[..., Array], q: Array, k: Array, v: Array, segment_ids: Int[Array, "b s"]) -> Float[Array, "b s h d"]:
        k, v, key_ids = (jax.lax.all_gather(x, context, axis=1, tiled=True) for x in (k, v, segment_ids))
        q, k, v = (x.transpose(0, 2, 1, 3) for x in (q * width**-0.5, k, v))
        return jax.vmap(kernel)(q, k, v, splash.SegmentIds(segment_ids, key_ids)).transpose(0, 2, 1, 3)

    return local(jax.reshard(kernel, tables), q, k, v, mask.segment_ids)
