"""Common parts of the contestants of bench/train_step.py: arguments, timer and output line. Needs only Python."""

import argparse
import json
import resource
import time
from collections.abc import Callable

SIZES = ("vocab", "layers", "embed", "q_heads", "kv_heads", "head_dim", "mlp", "rows", "length", "steps")
WARM_UP = 3


def arguments() -> argparse.Namespace:
    """Parse the sizes of the model and the batch, and the number of timed steps."""
    parser = argparse.ArgumentParser()
    for name in SIZES:
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


def run(step: Callable[[], float], steps: int, *, version: str, parameters: int) -> None:
    """Run steps and print the fastest in seconds, the peak resident memory in MiB and the last loss. `step` runs one step to its end
    and returns its loss."""
    seconds, loss = [], 0.0
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(json.dumps({"version": version, "parameters": parameters, "seconds": min(seconds[WARM_UP:]), "mib": memory, "loss": loss}))
