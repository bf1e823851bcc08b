"""Our logits and greedy continuations, held against what `transformers_reference.py` wrote of the same weights."""

import asyncio
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from oprover_jax.models.qwen3 import Params, Qwen3Config, head_matrix, hidden_states
from oprover_jax.rollout.engine import Request, Sampling
from oprover_jax.rollout.jax_engine import JaxEngine


def logits_of(config: Qwen3Config, params: Params, mesh: Mesh, tokens: np.ndarray) -> np.ndarray:
    """[B, S, V] in fp32."""
    positions = np.broadcast_to(np.arange(tokens.shape[1], dtype=np.int32), tokens.shape)

    def forward(params: Params) -> jax.Array:
        hidden = hidden_states(config, params, jnp.asarray(tokens), jnp.asarray(positions), jnp.ones(tokens.shape, jnp.int32))
        hidden, head = (jax.reshard(x, jax.P()) for x in (hidden, head_matrix(params)))
        return jnp.einsum("bsD,VD->bsV", hidden, head)

    with jax.set_mesh(mesh):
        return np.asarray(jax.jit(forward)(params))


def greedy_of(config: Qwen3Config, params: Params, mesh: Mesh, prompts: np.ndarray, new: int) -> np.ndarray:
    """[B, new]: what the in-process engine continues each prompt with at temperature 0."""

    async def generate(engine: JaxEngine) -> list[tuple[int, ...]]:
        requests = [Request(tuple(prompt.tolist()), Sampling(max_new_tokens=new, temperature=0.0)) for prompt in prompts]
        answers = await asyncio.gather(*(engine.generate(request) for request in requests))
        return [answer[0].token_ids for answer in answers]

    with JaxEngine(config, params, mesh, slots=8, max_len=prompts.shape[1] + new + 6, prefill_batches=(4,)) as engine:
        return np.array(asyncio.run(generate(engine)))


def check_parity(config: Qwen3Config, params: Params, mesh: Mesh, expected: Path) -> float:
    """Asserts logits within 1e-4 of the largest one and equal greedy continuations; returns the relative error that was found."""
    with np.load(expected) as said:
        tokens, logits, prompt = said["tokens"], said["logits"], int(said["prompt"])
    error = float(np.abs(logits_of(config, params, mesh, tokens) - logits).max() / np.abs(logits).max())
    assert error < 1e-4, f"{expected}: relative error {error:.2e}"
    np.testing.assert_array_equal(greedy_of(config, params, mesh, tokens[:, :prompt], tokens.shape[1] - prompt), tokens[:, prompt:])
    return error
