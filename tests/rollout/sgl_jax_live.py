"""Our HTTP client against a real SGL-JAX server, beside the in-process engine and `oprover serve`, all with the same weights.

Run by `make test-sglang`, which gives SGL-JAX its own environment. Not one of the tests that every run collects.
"""

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
import rollout_server
from real_sgl_jax import SGLJax, serving
from tiny_model import tiny_params, write_tiny_model

from oprover_jax.models.hf.load import load_hf
from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.rollout.engine import Completion, Engine, Request, Sampling
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.publish import publish_to_servers
from oprover_jax.rollout.sglang_engine import SGLangEngine
from oprover_jax.sharding import MeshConfig, make_mesh

pytestmark = pytest.mark.live

UNTIED = Qwen3Config(
    vocab_size=512, num_layers=2, hidden_size=64, num_heads=4, num_kv_heads=2, head_dim=128, intermediate_size=128, tie_embeddings=False
)
TIED = dataclasses.replace(UNTIED, tie_embeddings=True)
PROMPTS = [tuple(np.random.default_rng(n).integers(2, 280, 11 + 20 * (n % 2)).tolist()) for n in range(4)]
END = 1


@pytest.fixture(scope="module")
def one_device() -> jax.sharding.Mesh:
    return make_mesh(MeshConfig(), jax.devices()[:1])


@pytest.fixture(scope="module")
def folder(one_device: jax.sharding.Mesh, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sglang") / "first"
    write_tiny_model(path, one_device, seed=3, config=UNTIED, sharpness=8.0)
    return path


@pytest.fixture(scope="module")
def real(folder: Path) -> Iterator[SGLJax]:
    with serving(folder) as server:
        yield server


def ask(engine: Engine, requests: list[Request]) -> list[list[Completion]]:
    async def all_at_once() -> list[list[Completion]]:
        return await asyncio.wait_for(asyncio.gather(*(engine.generate(request) for request in requests)), 300)

    return asyncio.run(all_at_once())


def largest_difference(found: list[list[Completion]], expected: list[list[Completion]]) -> float:
    """Of the log-probabilities; the tokens must be the same."""
    pairs = [pair for group, wanted in zip(found, expected, strict=True) for pair in zip(group, wanted, strict=True)]
    for answer, other in pairs:
        assert (answer.token_ids, answer.finish_reason) == (other.token_ids, other.finish_reason)
    return max(abs(a - b) for answer, other in pairs for a, b in zip(answer.logprobs, other.logprobs, strict=True))


def test_greedy_tokens_and_logprobs_are_the_same_in_process_over_our_server_and_over_sgl_jax(
    real: SGLJax, folder: Path, one_device: jax.sharding.Mesh
) -> None:
    config, params = load_hf(folder, one_device)
    greedy = [Request(prompt, Sampling(24, temperature=0.0)) for prompt in PROMPTS]
    with JaxEngine(config, params, one_device, slots=16, max_len=64) as engine:
        expected = ask(engine, greedy)
        stop = expected[0][0].token_ids[5]
        stopping = [Request(prompt, Sampling(24, temperature=0.0, stop_ids=(stop, END))) for prompt in PROMPTS[:2]]
        until_stop = ask(engine, stopping)
    assert until_stop[0][0].finish_reason == "stop"
    assert max(len(set(answer.token_ids)) for [answer] in expected) > 5
    assert len({answer.token_ids for [answer] in expected}) == len(PROMPTS)
    ours = rollout_server.command(folder, "--slots", "16", "--max-len", "64")
    try:
        for name, url in (("oprover serve", ours.url), ("SGL-JAX", real.url)):
            with SGLangEngine(url) as client:
                difference = largest_difference(ask(client, greedy), expected)
                assert difference < 1e-3
                assert largest_difference(ask(client, stopping), until_stop) < 1e-3
            print(f"{name}: {len(PROMPTS)} x 24 greedy tokens equal, log-probs within {difference:.1e}")
    finally:
        ours.process.kill()
        ours.process.communicate()


def test_sampled_logprobs_are_those_of_the_tempered_distribution(real: SGLJax, folder: Path, one_device: jax.sharding.Mesh) -> None:
    temperature = 0.8
    with SGLangEngine(real.url, version=2) as client:
        drawn = ask(client, [Request(prompt, Sampling(8, temperature, top_p=0.95, top_k=50), num_samples=4) for prompt in PROMPTS])
    assert {answer.policy_version for group in drawn for answer in group} == {2}
    assert len({answer.token_ids for answer in drawn[0]}) > 1
    # scored at temperature 1 by the engine, so the weights' last norm is divided by the temperature: logits are linear in it
    config, params = load_hf(folder, one_device)
    with jax.set_mesh(one_device):
        tempered = {**params, "final_norm": {"scale": params["final_norm"]["scale"] / temperature}}
    with JaxEngine(config, tempered, one_device, slots=2, max_len=64) as engine:
        for prompt, group in zip(PROMPTS, drawn):
            for answer in group:
                said = asyncio.run(engine.score((*prompt, *answer.token_ids)))[len(prompt) - 1 :]
                assert said == pytest.approx(answer.logprobs, abs=1e-3)


def test_new_weights_reach_it_by_a_restart(real: SGLJax, folder: Path, one_device: jax.sharding.Mesh) -> None:
    params = tiny_params(TIED, one_device, seed=4, sharpness=8.0)
    beside = {name: (folder / name).read_bytes() for name in ("tokenizer.json", "tokenizer_config.json")}
    greedy = [Request(prompt, Sampling(12, temperature=0.0)) for prompt in PROMPTS]
    with JaxEngine(TIED, params, one_device, slots=16, max_len=64) as engine:
        expected = ask(engine, greedy)
    with SGLangEngine(real.url, restart=lambda _, new: real.start(new)) as client:
        publish_to_servers(client, TIED, params, 9, folder.parent / "published", dtype="float32", extra_files=beside, end_id=END)
        found = ask(client, greedy)
    assert largest_difference(found, expected) < 1e-3
    assert {answer.policy_version for [answer] in found} == {9}
