"""Adapter that gives both GPU kernels whole rows and as many key heads as query heads, on any mesh."""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from oprover_jax.errors import InputError
from oprover_jax.sharding import current_mesh, mesh_axes, spec

Kernel = Callable[[Float[Array, "b S h d"], Float[Array, "b S h d"], Float[Array, "b S h d"], Int[Array, "b S"]], Float[Array, "b S h d"]]


def over_whole_rows(
    kernel: Kernel, q: Float[Array, "B S H d"], k: Float[Array, "B S K d"], v: Float[Array, "B S K d"], segment_ids: Int[Array, "B S"]
) -> Float[Array, "B S H d"]:
    """Run `kernel(q, k, v, segment_ids)` on each device, on whole rows and repeated key heads. If the sequence is split, devices trade
    positions for heads before it and back after it (DeepSpeed Ulysses, arXiv 2309.14509, section 3). Raises InputError if the query heads
    of a device do not divide over the context devices."""
    mesh, context = current_mesh(), mesh_axes("sequence")
    parts = math.prod(mesh.shape[axis] for axis in context)
    here, groups = q.shape[2] // math.prod(mesh.shape[axis] for axis in mesh_axes("q_heads")), q.shape[2] // k.shape[2]
    if here % parts:
        raise InputError(f"{here} query heads on a device do not divide over {parts} context devices; lower the mesh axis context")
    layouts = [spec("batch", "sequence", name, None) for name in ("q_heads", "kv_heads", "kv_heads")]

    # Pallas kernels do not say over which mesh axes their outputs vary, hence no check_vma
    @partial(jax.shard_map, in_specs=(*layouts, spec("batch", "sequence")), out_specs=layouts[0], check_vma=False)
    def local(q: Array, k: Array, v: Array, ids: Array) -> Array:
        k, v = (jnp.repeat(x, groups, axis=2) for x in (k, v))
        if parts > 1:
            q, k, v = (jax.lax.all_to_all(x, context, split_axis=2, concat_axis=1, tiled=True) for x in (q, k, v))
            ids = jax.lax.all_gather(ids, context, axis=1, tiled=True)
        mixed = kernel(q, k, v, ids)
        return jax.lax.all_to_all(mixed, context, split_axis=1, concat_axis=2, tiled=True) if parts > 1 else mixed

    return local(q, k, v, segment_ids)
