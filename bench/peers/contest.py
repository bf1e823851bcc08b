"""What the contestants of bench/train_step.py share: their arguments, the clock and the line that they print. Needs nothing but Python."""

import argparse
import json
import resource
import time
from collections.abc import Callable

SIZES = ("vocab", "layers", "embed", "q_heads", "kv_heads", "head_dim", "mlp", "rows", "length", "steps")
WARM_UP = 3


def arguments() -> argparse.Namespace:
    """The sizes of the model and the batch, and how many steps are timed."""
    parser = argparse.ArgumentParser()
    for name in SIZES:
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


def run(step: Callable[[], float], steps: int, *, version: str, parameters: int) -> None:
    """Takes steps and prints the fastest one in seconds, the peak resident memory in MiB and the last loss. `step` takes one, waits until
    it is done and returns its loss."""
    seconds, loss = [], 0.0
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(json.dumps({"version": version, "parameters": parameters, "seconds": min(seconds[WARM_UP:]), "mib": memory, "loss": loss}))
