"""Common parts of the contestants of bench/engine.py: arguments, prompts, timer and output line. Needs Python and numpy."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

NUMBERS = ("requests", "prompt", "new_tokens", "vocab", "repeats")
WARM_UP = 1  # compiles; a later run with a new shape is not the fastest


def arguments() -> argparse.Namespace:
    """Parse the model's folder, the number of requests in flight, and their sizes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    for name in NUMBERS:
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


def prompts(a: argparse.Namespace, run: int) -> list[list[int]]:
    """Return random prompts of half to all of `prompt` tokens. The lengths are the same in all runs, the tokens are not, so prefix caches
    do not help."""
    lengths = np.random.default_rng(0).integers(max(1, a.prompt // 2), a.prompt + 1, a.requests)
    rng = np.random.default_rng(1 + run)
    return [rng.integers(2, a.vocab, length).tolist() for length in lengths]


def compete(answer: Callable[[list[list[int]]], list[list[int]]], a: argparse.Namespace, version: str) -> None:
    """Let `answer` continue the prompts of each run, greedily, by exactly `new_tokens` tokens. Print the fastest run in seconds and the
    tokens of the last."""
    seconds, found = [], []
    for run in range(WARM_UP + a.repeats):
        asked = prompts(a, run)
        start = time.perf_counter()
        found = answer(asked)
        seconds.append(time.perf_counter() - start)
        if [len(ids) for ids in found] != [a.new_tokens] * a.requests:
            raise SystemExit(f"expected {a.requests} x {a.new_tokens} tokens, got {[len(ids) for ids in found]}")
    print(json.dumps({"version": version, "seconds": min(seconds[WARM_UP:]), "tokens": found}))
