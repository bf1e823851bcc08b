"""Attention forward and backward: time and peak memory of the implementations that this device supports, against `reference`.

`--check` measures nothing: it compares them with attention in float32 on packed rows, and exits with 1 if one is wrong.
"""

import sys
from functools import partial
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from common import race, report, seconds
from jax.sharding import Mesh

from oprover_jax.errors import InputError
from oprover_jax.models.attention import IMPLEMENTATIONS, Attention, Mask
from oprover_jax.models.attention.cudnn import MAX_SEGMENTS, cudnn_attention
from oprover_jax.sharding import MeshConfig, make_mesh, named

KERNELS = {"tpu": ("splash",), "gpu": ("cudnn", "pallas_gpu"), "cpu": ()}

# Largest error of outputs and gradients, relative to the largest exact value. bfloat16 has 8 bits: inputs are exact,
# products are summed in float32, but probabilities and results are rounded. float32 differs in the order of summation.
TOLERANCE = {"bfloat16": 2e-2, "float32": 1e-4}

Arrays = tuple[jax.Array, ...]


def packed_rows(batch: int, length: int, documents: int, padding: int) -> np.ndarray:
    """Return segment ids of rows of about `documents` documents of uneven lengths, then `padding` positions on average."""
    rng = np.random.default_rng(0)
    rows = np.zeros((batch, length), np.int32)
    for row in rows:
        used = length - int(rng.integers(0, 2 * padding + 1))
        ends = np.sort(rng.choice(np.arange(1, used), documents - 1, replace=False))
        row[:used] = 1 + np.searchsorted(ends, np.arange(used), side="right")
    return rows


def inputs(segment_ids: np.ndarray, heads: int, kv_heads: int, head_dim: int, dtype: str, mesh: Mesh) -> Arrays:
    """Return queries, keys, values, the gradient of the outputs, and segment ids, on `mesh`."""
    rng = np.random.default_rng(1)

    def place(x: np.ndarray, *layout: str | None) -> jax.Array:
        return jax.device_put(x, named(x.shape, layout, mesh))

    def draw(count: int, name: str) -> jax.Array:
        numbers = rng.standard_normal((*segment_ids.shape, count, head_dim), np.float32)
        return place(numbers.astype(jnp.dtype(dtype)), "batch", "sequence", name, None)

    drawn = [draw(heads, "q_heads"), draw(kv_heads, "kv_heads"), draw(kv_heads, "kv_heads"), draw(heads, "q_heads")]
    return *drawn, place(segment_ids, "batch", "sequence")


def compiled(attention: Attention, arrays: Arrays) -> Any:
    """Compile (q, k, v, gradient of outputs, segment ids) -> outputs, dq, dk, dv."""

    def run(q: jax.Array, k: jax.Array, v: jax.Array, gradient: jax.Array, segment_ids: jax.Array) -> Arrays:
        out, pullback = jax.vjp(lambda q, k, v: attention(q, k, v, Mask(segment_ids)), q, k, v)
        return out, *pullback(gradient)

    return jax.jit(run).lower(*arrays).compile()


def errors(attention: Attention, arrays: Arrays) -> dict[str, float]:
    """Return the largest error of each result against `reference` in float32, relative to the largest value of that result."""
    *floats, segment_ids = arrays
    exact = (*(x.astype(jnp.float32) for x in floats), segment_ids)
    with jax.default_matmul_precision("highest"):
        expected = compiled(IMPLEMENTATIONS["reference"], exact)(*exact)
    results = compiled(attention, arrays)(*arrays)
    worst = {}
    for what, got, want in zip(("outputs", "dq", "dk", "dv"), results, expected):
        whole = np.asarray(want)
        worst[what] = float(np.abs(np.asarray(got, np.float32) - whole).max() / np.abs(whole).max())
    return worst


def compare(chosen: dict[str, Attention], length: int, heads: int, kv_heads: int, head_dim: int, dtype: str, mesh: Mesh) -> bool:
    """Print the errors on packed rows of few and many uneven segments, with and without padding, for grouped and equal heads.
    Return whether all are small enough; NaN is not."""
    right = True
    for documents, padding, keys in ((5, length // 8, kv_heads), (40, 0, kv_heads), (1, 0, kv_heads), (7, 16, heads)):
        arrays = inputs(packed_rows(2, length, documents, padding), heads, keys, head_dim, dtype, mesh)
        for name, attention in chosen.items():
            worst = errors(attention, arrays)
            fine = all(error <= TOLERANCE[dtype] for error in worst.values())
            right &= fine
            shown = ", ".join(f"{what} {error:.1e}" for what, error in worst.items())
            print(f"{name}, {documents} documents a row, {heads}/{keys} heads, {dtype}: {shown}{'' if fine else '  WRONG'}", flush=True)
    return right


def measure(chosen: dict[str, Attention], against: str, arrays: Arrays, repeats: int) -> dict[str, Any]:
    """Return milliseconds and temporary memory of each, TFLOP/s of the products that its segments need (2 forward, 5 backward), and the
    ratios of `against` to the kernel."""
    q, *_, segment_ids = arrays
    pairs = sum(float(n) * (float(n) + 1) / 2 for row in np.asarray(segment_ids) for n in np.unique(row, return_counts=True)[1])
    flops = 7 * 2 * pairs * q.shape[2] * q.shape[3]
    programs = {name: compiled(attention, arrays) for name, attention in chosen.items()}
    peer = programs.pop(against)
    mib = {name: program.memory_analysis().temp_size_in_bytes / 2**20 for name, program in (programs | {against: peer}).items()}
    figures: dict[str, Any] = {}
    for name, program in programs.items():
        ours, theirs = race(partial(finish, program, arrays), partial(finish, peer, arrays), repeats)
        figures |= {f"ms_{name}": ours * 1e3, f"mib_{name}": mib[name], f"tflops_{name}": flops / ours / 1e12}
        figures |= {f"ratio_time_{against}_vs_{name}": theirs / ours, f"ratio_memory_{against}_vs_{name}": mib[against] / mib[name]}
    if not programs:
        theirs = min(seconds(partial(finish, peer, arrays)) for _ in range(repeats))
    return figures | {f"ms_{against}": theirs * 1e3, f"mib_{against}": mib[against]}


def finish(program: Any, arrays: Arrays) -> None:
    """Run a program and wait for its result."""
    jax.block_until_ready(program(*arrays))


def main(
    batch: int = 1,
    length: int = 1024,
    heads: int = 8,
    kv_heads: int = 2,
    head_dim: int = 128,
    documents: int = 5,
    dtype: Literal["bfloat16", "float32"] = "bfloat16",
    implementations: tuple[str, ...] = (),
    against: str = "reference",
    max_segments: int = MAX_SEGMENTS,
    repeats: int = 5,
    check: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
) -> None:
    """Run on one device, the first that JAX finds. Qwen3-8B has 32 heads and 8 key heads of 128, Qwen3-32B 64 and 8.

    Args:
      batch: Number of rows.
      length: Positions per row.
      heads: Number of query heads.
      kv_heads: Number of key heads.
      head_dim: Width of a head.
      documents: Segments per row, of uneven lengths.
      dtype: Type of inputs and results.
      implementations: Implementations to run; by default all that this kind of device supports.
      against: Baseline of the comparison. `reference` keeps all scores: 8 GiB for each copy of them at length 8192 with 32 heads.
      max_segments: Segments per row that cudnn is compiled for.
      repeats: Number of runs; the fastest counts.
      check: Only compare results with attention in float32; exit with 1 if an error is above 2e-2 (bfloat16) or 1e-4 (float32).
    """
    device = jax.devices()[0]
    mesh = make_mesh(MeshConfig(), [device])
    table = IMPLEMENTATIONS | {"cudnn": partial(cudnn_attention, max_segments=max_segments)}
    names = implementations or KERNELS[device.platform]
    if unknown := {*names, against} - table.keys():
        raise InputError(f"--implementations: unknown attention {unknown.pop()!r}; choose from {', '.join(table)}")
    with jax.set_mesh(mesh):
        if check:
            sys.exit(
                0 if compare({name: table[name] for name in ("reference", *names)}, length, heads, kv_heads, head_dim, dtype, mesh) else 1
            )
        arrays = inputs(packed_rows(batch, length, documents, 0), heads, kv_heads, head_dim, dtype, mesh)
        figures = measure({name: table[name] for name in (*names, against)}, against, arrays, repeats)
    report("attention", device=device.device_kind, batch=batch, length=length, heads=heads, kv_heads=kv_heads, dtype=dtype, **figures)


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except InputError as wrong:
        sys.exit(str(wrong))
