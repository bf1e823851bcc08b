"""What the contestants of bench/engine.py share: arguments, prompts, the clock and the line that they print. Needs Python and numpy."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

NUMBERS = ("requests", "prompt", "new_tokens", "vocab", "repeats")
WARM_UP = 1  # compiles; a later run that meets another shape is not the fastest


def arguments() -> argparse.Namespace:
    """The model's folder, how many requests are in flight at once, and their sizes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    for name in NUMBERS:
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


def prompts(a: argparse.Namespace, run: int) -> list[list[int]]:
    """Random prompts of half to the whole of `prompt` tokens. The lengths are those of every run, the tokens are not: nothing is found in
    a cache of prefixes."""
    lengths = np.random.default_rng(0).integers(max(1, a.prompt // 2), a.prompt + 1, a.requests)
    rng = np.random.default_rng(1 + run)
    return [rng.integers(2, a.vocab, length).tolist() for length in lengths]


def compete(answer: Callable[[list[list[int]]], list[list[int]]], a: argparse.Namespace, version: str) -> None:
    """Lets `answer` continue the prompts of each run, greedily, by exactly `new_tokens` tokens. Prints the fastest run in seconds and the
    tokens of the last."""
    seconds, found = [], []
    for run in range(WARM_UP + a.repeats):
        asked = prompts(a, run)
        start = time.perf_counter()
        found = answer(asked)
        seconds.append(time.perf_counter() - start)
        if [len(ids) for ids in found] != [a.new_tokens] * a.requests:
            raise SystemExit(f"{a.requests} x {a.new_tokens} tokens were asked for, {[len(ids) for ids in found]} came")
    print(json.dumps({"version": version, "seconds": min(seconds[WARM_UP:]), "tokens": found}))
