"""MFU of a train step on one accelerator: packed rows of a published Qwen3 size, against the chip's measured matrix-product throughput.

Attention counts the pairs that it computes, within documents. The figure that counts every row as one document is given as well.
"""

import dataclasses
import time

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from common import report

from oprover_jax.data.packing import pack_examples
from oprover_jax.data.rows import document
from oprover_jax.losses.vocab_head import CHUNK
from oprover_jax.models.qwen3 import init_params
from oprover_jax.models.sizes import published
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.objectives import cross_entropy
from oprover_jax.training.optimizer import OptimizerConfig, make_optimizer
from oprover_jax.training.step import init_state, make_train_step


def ceiling(size: int = 8192, repeats: int = 20) -> float:
    """Return the FLOP/s of bf16 products of two square matrices of `size`, the fastest of three series."""
    a, b = (jax.random.normal(jax.random.key(seed), (size, size), jnp.bfloat16) for seed in (0, 1))
    product = jax.jit(lambda a, b: jnp.matmul(a, b, preferred_element_type=jnp.bfloat16))
    product(a, b).block_until_ready()
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(repeats):
            out = product(a, b)
        out.block_until_ready()
        best = max(best, 2.0 * size**3 * repeats / (time.perf_counter() - start))
    return best


def packed(rows: int, length: int, vocab: int, documents: int) -> dict[str, np.ndarray]:
    """Return `rows` rows of documents with long-tailed lengths, like proofs, about `documents` per row; 1: each fills its row."""
    rng = np.random.default_rng(0)
    spread = 0.8 if documents > 1 else 0.0
    lengths = np.clip(rng.lognormal(np.log(length / documents), spread, size=4 * documents * rows).round().astype(int), 16, length) + 1
    made, _ = pack_examples([document(rng.integers(1, vocab, size=n).tolist()) for n in lengths], length, "continue")
    return {name: np.stack([row[name] for row in made[:rows]]) for name in made[0]}


def seen_pairs(segment_ids: np.ndarray) -> int:
    """Return the number of (query, key) pairs that attention computes: causal, within a document."""
    return sum(int(n) * (int(n) + 1) // 2 for row in segment_ids for n in np.bincount(row)[1:])


def main(
    size: str = "1.7B",
    layers: int = 0,
    rows: int = 2,
    length: int = 8192,
    documents: int = 8,
    attention: str = "cudnn",
    remat: str = "full",
    dtype: str = "bfloat16",
    chunk: int = CHUNK,
    steps: int = 5,
) -> None:
    """Train a few steps on one device and print tokens per second and MFU.

    Args:
      size: A published Qwen3 size: 0.6B, 1.7B, 4B, 8B.
      layers: Number of layers, if fewer than published; 0 for all.
      rows: Rows per step.
      length: Tokens per row.
      documents: Approximate number of documents per row; 1 for a single one that fills it.
      attention: reference, splash, cudnn or pallas_gpu.
      remat: none, full, or names to save such as save:attention,gate.
      dtype: Type of the computation.
      chunk: Rows of the vocabulary scored at a time.
      steps: Timed steps, after two untimed ones.
    """
    config = dataclasses.replace(published(size), dtype=dtype, attention=attention, remat=remat)
    config = dataclasses.replace(config, num_layers=layers or config.num_layers)
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    optimizer = make_optimizer(OptimizerConfig())
    step = make_train_step(cross_entropy(config, chunk), optimizer, mesh)
    params = init_params(config, 0, mesh)
    state = init_state(params, optimizer, mesh)
    del params
    with jax.set_mesh(mesh):
        made = packed(rows, length, config.vocab_size, documents)
        batch = {name: jnp.asarray(array) for name, array in made.items()}
    losses = []
    for number in range(steps + 2):
        if number == 2:
            jax.block_until_ready(state)
            start = time.perf_counter()
        state, metrics = step(state, batch, 1e-5)
        losses.append(metrics["loss"])
    jax.block_until_ready(state)
    seconds = (time.perf_counter() - start) / steps
    memory = jax.devices()[0].memory_stats() or {}
    del state
    heads = config.num_layers * config.num_heads * config.head_dim
    tokens = int((made["segment_ids"] > 0).sum())
    flops = tokens * config.flops_per_token(0) + 12.0 * heads * seen_pairs(made["segment_ids"])  # two products, forward and twice backward
    whole_rows = rows * length * config.flops_per_token(length)
    best = ceiling(8192 if jax.default_backend() != "cpu" else 1024)
    report(
        "mfu",
        device=jax.devices()[0].device_kind,
        jax=jax.__version__,
        size=size,
        parameters=config.parameters,
        rows=rows,
        length=length,
        documents=documents,
        attention=attention,
        remat=remat,
        seconds_per_step=seconds,
        tokens_per_second=tokens / seconds,
        tflops=flops / seconds / 1e12,
        tflops_ceiling=best / 1e12,
        mfu_of_ceiling=flops / seconds / best,
        mfu_if_rows_were_whole=whole_rows / seconds / best,
        peak_gib=memory.get("peak_bytes_in_use", 0) / 2**30,
        first_loss=float(losses[0]),
        last_loss=float(losses[-1]),
    )


if __name__ == "__main__":
    tyro.cli(main)
