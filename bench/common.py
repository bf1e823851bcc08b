"""Common parts of the benchmarks: a timer, a small model, and the final JSON line."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Python puts a script's folder first on the path, and lean_worker.py in it would hide the package of that name
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"


def contestant(python: Path, script: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Run a script of `peers/` with the Python of its own environment and return the figures of its last output line."""
    if not python.exists():
        raise SystemExit(f"{python} does not exist; run `make peers` to create the environments of the peers")
    words = [str(python), "-W", "ignore", str(PEERS / script), *(f"--{name}={value}" for name, value in options.items())]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    if done.returncode:
        raise SystemExit(f"{script} failed: {done.stderr.strip().splitlines()[-1]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def race(first: Callable[[], Any], second: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Return the shortest wall-clock seconds of both, run alternately so that other load affects both.

    The first run of each does not count: it compiles and fills caches.
    """
    turns = [(seconds(first), seconds(second)) for _ in range(repeats + 1)][1:]
    return min(turn[0] for turn in turns), min(turn[1] for turn in turns)


def seconds(work: Callable[[], Any]) -> float:
    """Return the wall-clock seconds of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(benchmark: str, **figures: Any) -> None:
    """Print the final line: the figures, rounded to four digits, with the machine on which they were measured."""
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()}
    shown = {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in figures.items()}
    print(json.dumps({"benchmark": benchmark, **shown, "machine": machine}))
