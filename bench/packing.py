"""Packed rows against padded rows: trained tokens per second of the same train step on the same examples."""

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from common import race, report

from oprover_jax.data.packing import pack_examples
from oprover_jax.data.rows import Example, Row, document, pad_row
from oprover_jax.models.qwen3 import Qwen3Config, init_params
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.objectives import cross_entropy
from oprover_jax.training.optimizer import OptimizerConfig, make_optimizer
from oprover_jax.training.step import init_state, make_train_step


def examples(count: int, length: int, vocab: int) -> list[Example]:
    """Documents with the long-tailed lengths of proofs: most are short, some fill a row."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(np.log(length / 5), 0.7, size=count).astype(int), 4, length + 1)
    return [document(rng.integers(1, vocab, size=n).tolist()) for n in lengths]


def batches(rows: list[Row], batch_rows: int) -> list[dict[str, jax.Array]]:
    """Rows in batches of `batch_rows`; what is left over is not used."""
    starts = range(0, len(rows) - batch_rows + 1, batch_rows)
    return [{name: jnp.asarray(np.stack([row[name] for row in rows[i : i + batch_rows]])) for name in rows[0]} for i in starts]


def tokens(data: list[dict[str, jax.Array]]) -> int:
    """Positions that hold a token."""
    return sum(int((batch["segment_ids"] > 0).sum()) for batch in data)


def main(
    count: int = 120, length: int = 128, batch_rows: int = 8, layers: int = 5, embed: int = 192, optimizer: str = "adamw", repeats: int = 2
) -> None:
    """Measures tokens per second of both.

    Args:
      count: Examples.
      length: Positions of a row.
      batch_rows: Rows of a step.
      layers: Layers of the model.
      embed: Width of the model, a multiple of 64.
      optimizer: adamw, muon or adafactor.
      repeats: Passes over the batches, of which the fastest counts.
    """
    heads = embed // 32
    config = Qwen3Config(vocab_size=1024, layers=layers, embed=embed, q_heads=heads, kv_heads=2, head_dim=32, mlp=embed * 8 // 3)
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    transformation = make_optimizer(OptimizerConfig(name=optimizer))  # type: ignore[arg-type]
    step = make_train_step(cross_entropy(config), transformation, mesh)
    found = examples(count, length, config.vocab_size)
    packed, packing = pack_examples(found, length)

    padded = [pad_row(example, length) for example in found]

    def one_pass(data: list[dict[str, jax.Array]]) -> None:
        state = init_state(init_params(config, 0, mesh), transformation, mesh)
        for batch in data:
            state, _ = step(state, batch, 1e-3)
        jax.block_until_ready(state)

    packed_data, padded_data = batches(packed, batch_rows), batches(padded, batch_rows)
    if not packed_data:
        raise SystemExit(f"{len(packed)} packed rows do not fill a batch of {batch_rows}; raise --count")
    packed_seconds, padded_seconds = race(lambda: one_pass(packed_data), lambda: one_pass(padded_data), repeats)
    packed_rate, padded_rate = tokens(packed_data) / packed_seconds, tokens(padded_data) / padded_seconds
    report(
        "packing",
        parameters=config.parameters,
        length=length,
        batch_rows=batch_rows,
        optimizer=optimizer,
        fill_packed=packing.fill,
        fill_padded=sum(example.positions for example in found) / (count * length),
        tokens_per_second_packed=packed_rate,
        tokens_per_second_padded=padded_rate,
        ratio_packed_vs_padded=packed_rate / padded_rate,
    )


if __name__ == "__main__":
    tyro.cli(main)
