"""Memory and time of the chunked vocabulary head against full logits, value and gradient, with Qwen3's vocabulary."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import tyro
from common import race, report

from oprover_jax.losses.vocab_head import CHUNK, token_logprobs
from oprover_jax.sharding import MeshConfig, make_mesh


def chunked(hidden: jax.Array, head: jax.Array, targets: jax.Array, chunk: int) -> jax.Array:
    """Return the mean log-probability of the targets, one part of the vocabulary at a time."""
    return jnp.mean(token_logprobs(hidden, head, targets, chunk=chunk).logprob)


def full(hidden: jax.Array, head: jax.Array, targets: jax.Array) -> jax.Array:
    """Return the same from full logits."""
    logits = jnp.einsum("bsD,vD->bsv", hidden, head, precision=jax.lax.Precision.HIGHEST)
    return jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], axis=-1))


def main(tokens: int = 2048, vocab: int = 151_936, embed: int = 256, chunk: int = CHUNK, repeats: int = 2) -> None:
    """Compile both, read the compiler's planned temporary memory, and time them.

    Args:
      tokens: Tokens scored at once.
      vocab: Size of the vocabulary.
      embed: Width of the model.
      chunk: Rows of the vocabulary scored at a time.
      repeats: Timed runs.
    """
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    with jax.set_mesh(mesh):
        keys = jax.random.split(jax.random.key(0), 3)
        hidden, head = jax.random.normal(keys[0], (1, tokens, embed)), 0.02 * jax.random.normal(keys[1], (vocab, embed))
        targets = jax.random.randint(keys[2], (1, tokens), 0, vocab)

        def compiled(function: Callable[..., jax.Array]) -> Any:
            return jax.jit(jax.value_and_grad(function, argnums=(0, 1))).lower(hidden, head, targets).compile()

        ours, plain = compiled(lambda h, w, t: chunked(h, w, t, chunk)), compiled(full)
        a, b = ours(hidden, head, targets), plain(hidden, head, targets)
        error = max(float(jnp.max(jnp.abs(x - y)) / jnp.max(jnp.abs(y))) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)))
        seconds = race(
            lambda: jax.block_until_ready(ours(hidden, head, targets)), lambda: jax.block_until_ready(plain(hidden, head, targets)), repeats
        )
    memory = [program.memory_analysis().temp_size_in_bytes for program in (ours, plain)]
    report(
        "vocab_head",
        tokens=tokens,
        vocab=vocab,
        embed=embed,
        chunk=chunk,
        device=jax.devices()[0].device_kind,
        mib_chunked=memory[0] / 2**20,
        mib_full=memory[1] / 2**20,
        ratio_memory_full_vs_chunked=memory[1] / memory[0],
        seconds_chunked=seconds[0],
        seconds_full=seconds[1],
        ratio_time_full_vs_chunked=seconds[1] / seconds[0],
        largest_relative_difference=error,
    )


if __name__ == "__main__":
    tyro.cli(main)
