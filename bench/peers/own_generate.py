"""Our in-process engine on the CPU, run by bench/engine.py for comparison with its peers: fp32, one slot per request."""

import os

os.environ["JAX_PLATFORMS"] = "cpu"

import asyncio

import generation
import jax

from oprover_jax.models.hf.load import load_hf
from oprover_jax.rollout.engine import Request, Sampling
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.sharding import MeshConfig, make_mesh


def main() -> None:
    a = generation.arguments()
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    sampling = Sampling(a.new_tokens, temperature=0.0)
    with JaxEngine(*load_hf(a.model, mesh), mesh, slots=a.requests, max_len=a.prompt + a.new_tokens) as engine:

        async def all_at_once(asked: list[list[int]]) -> list[list[int]]:
            answers = await asyncio.gather(*(engine.generate(Request(tuple(ids), sampling)) for ids in asked))
            return [list(completion.token_ids) for [completion] in answers]

        generation.compete(lambda asked: asyncio.run(all_at_once(asked)), a, f"jax {jax.__version__}")


if __name__ == "__main__":
    main()
