"""The engine with continuous batching against the same engine with one slot, one prompt at a time: same model, same draws."""

import asyncio
from collections.abc import Sequence

import jax
import numpy as np
import tyro
from common import race, report

from oprover_jax.models.qwen3 import Qwen3Config, init_params
from oprover_jax.rollout.engine import Completion, Request, Sampling
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.sharding import MeshConfig, make_mesh


def requests(count: int, prompt: int, new_tokens: int, vocab: int) -> list[Request]:
    """Random prompts of half to the whole of `prompt` tokens; every completion runs to its last token."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(max(1, prompt // 2), prompt + 1, size=count)
    return [
        Request(tuple(int(t) for t in rng.integers(1, vocab, size=length)), Sampling(new_tokens), seed=i)
        for i, length in enumerate(lengths)
    ]


async def together(engine: JaxEngine, asked: Sequence[Request]) -> list[list[Completion]]:
    """All requests in flight at once."""
    return list(await asyncio.gather(*(engine.generate(request) for request in asked)))


async def one_by_one(engine: JaxEngine, asked: Sequence[Request]) -> list[list[Completion]]:
    """The next request when the one before is answered."""
    return [await engine.generate(request) for request in asked]


def main(
    count: int = 64,
    serial: int = 8,
    slots: int = 32,
    prompt: int = 64,
    new_tokens: int = 48,
    layers: int = 5,
    embed: int = 192,
    repeats: int = 2,
) -> None:
    """Measures generated tokens per second of both.

    Args:
      count: Requests that the batching engine answers.
      serial: Requests that are answered one by one; the first of the same.
      slots: Sequences decoded at once.
      prompt: Longest prompt in tokens.
      new_tokens: Tokens of every completion.
      layers: Layers of the model.
      embed: Width of the model, a multiple of 64.
      repeats: Runs of which the fastest counts.
    """
    heads = embed // 32
    config = Qwen3Config(vocab_size=1024, layers=layers, embed=embed, q_heads=heads, kv_heads=2, head_dim=32, mlp=embed * 8 // 3)
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    params = init_params(config, 0, mesh)
    asked, max_len = requests(count, prompt, new_tokens, config.vocab_size), prompt + new_tokens
    batching = JaxEngine(config, params, mesh, slots=slots, max_len=max_len)
    single = JaxEngine(config, params, mesh, slots=1, max_len=max_len, prefill_batches=(1,))
    with batching, single:
        batched = asyncio.run(together(batching, asked))
        alone = asyncio.run(one_by_one(single, asked[:serial]))
        batched_seconds, serial_seconds = race(
            lambda: asyncio.run(together(batching, asked)), lambda: asyncio.run(one_by_one(single, asked[:serial])), repeats
        )
    agree = [a[0].token_ids == b[0].token_ids for a, b in zip(batched, alone)]
    batched_rate, serial_rate = count * new_tokens / batched_seconds, len(alone) * new_tokens / serial_seconds
    report(
        "engine",
        parameters=config.parameters,
        requests=count,
        slots=slots,
        new_tokens=new_tokens,
        same_tokens=sum(agree) / len(agree),
        tokens_per_second_batched=batched_rate,
        tokens_per_second_serial=serial_rate,
        ratio_batched_vs_serial=batched_rate / serial_rate,
    )


if __name__ == "__main__":
    tyro.cli(main)
