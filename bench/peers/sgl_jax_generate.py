"""SGL-JAX's own engine on the CPU, without HTTP: fp32, corrected as in the tests (tests/rollout/sgl_jax_server.py), room for all requests.

Run by bench/engine.py in an environment of its own. The scheduler is a process that imports this file again.
"""

import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests" / "rollout"))

import generation
import sgl_jax_server  # noqa: F401  applies the corrections
from sgl_jax.srt.entrypoints.engine import Engine
from sgl_jax.version import __version__


def main() -> None:
    a = generation.arguments()
    tokens = a.requests * (a.prompt + a.new_tokens)
    engine = Engine(
        model_path=str(a.model),
        device="cpu",
        dtype="float32",
        attention_backend="native",
        disable_jax_precompile=True,
        mem_fraction_static=0.2,
        max_total_tokens=tokens,  # its attention reads all of them in every step, so allocate only as many as needed
        max_running_requests=a.requests,
        jax_precompile_decode_bs_paddings=[a.requests],
        max_prefill_tokens=512,  # above this, each batch would be compiled for its own size
        chunked_prefill_size=-1,
        disable_radix_cache=True,
    )
    sampling = {"temperature": 0.0, "max_new_tokens": a.new_tokens, "ignore_eos": True}

    async def all_at_once(asked: list[list[int]]) -> list[list[int]]:
        completions = [engine.async_generate(input_ids=ids, sampling_params=dict(sampling), return_logprob=True) for ids in asked]
        answers = await asyncio.gather(*completions)
        return [[entry[1] for entry in answer["meta_info"]["output_token_logprobs"]] for answer in answers]

    loop = asyncio.get_event_loop()
    generation.compete(lambda asked: loop.run_until_complete(all_at_once(asked)), a, __version__)
    engine.shutdown()


if __name__ == "__main__":
    main()
