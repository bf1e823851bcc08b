"""Tokens per second of the in-process engine on the CPU, compared with SGL-JAX's engine and transformers' `generate`, each in its own
process: the same weights and requests, all in flight at once, greedy, so that the tokens can be compared."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro
from common import ROOT, contestant, report

from oprover_jax.data.tokenizer import exported_tokenizer, train_tokenizer
from oprover_jax.models.hf.export import export_hf
from oprover_jax.models.qwen3 import Params, Qwen3Config, abstract_params
from oprover_jax.models.sizes import published
from oprover_jax.sharding import MeshConfig, make_mesh

# SGL-JAX requires heads of 128
MODELS = {
    "tiny": Qwen3Config(vocab_size=1024, num_layers=4, hidden_size=160, num_heads=4, num_kv_heads=2, head_dim=128, intermediate_size=448),
    "0.6B": published("0.6B"),
}


def write_model(config: Qwen3Config, folder: Path) -> None:
    """Write random fp32 weights, drawn quickly by numpy, and a tokenizer, which the server requires but does not use."""
    rng = np.random.default_rng(0)

    def draw(path: tuple[Any, ...], like: jax.ShapeDtypeStruct) -> jax.Array:
        is_norm = path[-1].key == "scale"
        values = np.ones(like.shape, np.float32) if is_norm else 0.05 * rng.standard_normal(like.shape, np.float32)
        return jax.device_put(values, like.sharding)

    params: Params = jax.tree_util.tree_map_with_path(draw, abstract_params(config, make_mesh(MeshConfig(), jax.devices()[:1])))
    path = folder.with_suffix(".tokenizer.json")
    tokenizer = train_tokenizer([], 300, [])
    tokenizer.save(path)
    export_hf(config, params, folder, dtype="float32", extra_files=exported_tokenizer(path, 4096), end_id=tokenizer.end_id)


def same_tokens(a: list[list[int]], b: list[list[int]]) -> float:
    """Return the fraction of requests with the same tokens from both."""
    return sum(x == y for x, y in zip(a, b, strict=True)) / len(a)


def main(
    models: tuple[str, ...] = ("tiny", "0.6B"),
    requests: tuple[int, ...] = (16, 64),
    prompts: tuple[int, ...] = (128, 32),
    new_tokens: tuple[int, ...] = (64, 8),
    repeats: int = 3,
    sgl_jax: Path = ROOT / ".venv-sglang" / "bin" / "python",
    torch: Path = ROOT / ".venv-transformers" / "bin" / "python",
) -> None:
    """Measure all three on each model at each number of requests. A ratio without a model is the smallest of all models: against SGL-JAX
    at any number of requests, against transformers at the largest.

    Args:
      models: Models to measure: tiny (2 million weights) and 0.6B (the shape of Qwen3-0.6B).
      requests: Numbers of requests in flight at once; each has its own prompt.
      prompts: Longest prompt of each model, in tokens; prompts have half to all of it.
      new_tokens: Tokens of every completion, for each model.
      repeats: Timed runs of each contestant after one that compiles; the fastest counts.
      sgl_jax: Python of an environment with SGL-JAX (`make peers`).
      torch: Python of an environment with transformers and torch (`make peers`).
    """
    if unknown := set(models) - set(MODELS):
        raise SystemExit(f"--models: unknown {', '.join(sorted(unknown))}; choose from {', '.join(MODELS)}")
    contestants = {
        "ours": (Path(sys.executable), "own_generate.py"),
        "sgl_jax": (sgl_jax, "sgl_jax_generate.py"),
        "transformers": (torch, "torch_generate.py"),
    }
    versions: dict[str, str] = {}
    cases = []
    with tempfile.TemporaryDirectory() as scratch:
        for model, prompt, new in zip(models, prompts, new_tokens, strict=True):
            write_model(MODELS[model], Path(scratch) / model)
            for count in requests:
                options = {"model": Path(scratch) / model, "requests": count, "prompt": prompt, "new_tokens": new}
                options |= {"vocab": MODELS[model].vocab_size, "repeats": repeats}
                found = {name: contestant(*what, options) for name, what in contestants.items()}
                versions |= {name: one["version"] for name, one in found.items()}
                rates = {name: count * new / one["seconds"] for name, one in found.items()}
                peers = [name for name in contestants if name != "ours"]
                case = {"model": model, "requests": count, "prompt": prompt, "new_tokens": new}
                case |= {f"tokens_per_second_{name}": round(rate, 1) for name, rate in rates.items()}
                case |= {f"ratio_vs_{name}": round(rates["ours"] / rates[name], 3) for name in peers}
                case |= {f"same_tokens_{name}": same_tokens(found["ours"]["tokens"], found[name]["tokens"]) for name in peers}
                print(json.dumps(case), flush=True)
                cases.append(case)
    report(
        "engine",
        cases=cases,
        **{f"version_{name}": version for name, version in versions.items()},
        ratio_vs_sgl_jax=min(case["ratio_vs_sgl_jax"] for case in cases),
        ratio_vs_transformers=min(case["ratio_vs_transformers"] for case in cases if case["requests"] == max(requests)),
    )


if __name__ == "__main__":
    tyro.cli(main)
