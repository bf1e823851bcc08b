"""Sample completions with the in-process engine: `python examples/generate.py [FOLDER]`.

FOLDER is a Qwen3 in the layout of Hugging Face. Without one, a tiny model with fresh weights continues a prompt of token ids.
"""

import asyncio
import sys
from pathlib import Path

from oprover_jax import JaxEngine, Request, Sampling
from oprover_jax.data.codec import load_codec
from oprover_jax.models.hf.load import load_hf
from oprover_jax.models.qwen3 import Qwen3Config, init_params
from oprover_jax.sharding import MeshConfig, make_mesh

PROMPT = "theorem two_add_two : 2 + 2 = 4 := by"
TINY = Qwen3Config(vocab_size=64, num_layers=2, hidden_size=32, num_heads=4, num_kv_heads=2, head_dim=8, intermediate_size=64)


def main(folder: Path | None) -> None:
    mesh = make_mesh(MeshConfig())
    if folder is None:
        config, params, prompt = TINY, init_params(TINY, 0, mesh), (1, 2, 3, 4)
    else:
        config, params = load_hf(folder, mesh)
        prompt = tuple(load_codec(folder).encode(PROMPT))
    request = Request(prompt, Sampling(max_new_tokens=16, temperature=0.8), num_samples=2, seed=0)
    with JaxEngine(config, params, mesh, slots=4, max_len=64) as engine:
        for completion in asyncio.run(engine.generate(request)):
            text = "" if folder is None else load_codec(folder).decode(completion.token_ids)
            print(f"{completion.finish_reason}: {list(completion.token_ids)} {text}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
