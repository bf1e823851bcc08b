"""What the benchmarks share: a clock, a small model, and the one JSON line at the end."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Python puts a script's folder first on the path, and lean_worker.py in it would hide the package of that name.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"


def contestant(python: Path, script: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that a script of `peers/` prints in its last line, run by the Python of its own environment."""
    if not python.exists():
        raise SystemExit(f"{python} does not exist; `make peers` makes the environments of the peers")
    words = [str(python), "-W", "ignore", str(PEERS / script), *(f"--{name}={value}" for name, value in options.items())]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    if done.returncode:
        raise SystemExit(f"{script} failed: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def race(first: Callable[[], Any], second: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Shortest wall-clock seconds of both, run in turns so that whatever else the machine does meets both.

    The first turn is not counted: it compiles and fills caches.
    """
    turns = [(seconds(first), seconds(second)) for _ in range(repeats + 1)][1:]
    return min(turn[0] for turn in turns), min(turn[1] for turn in turns)


def seconds(work: Callable[[], Any]) -> float:
    """Wall-clock seconds of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(benchmark: str, **figures: Any) -> None:
    """Prints the last line: the figures, rounded to four digits, with the machine they were measured on."""
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()}
    shown = {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in figures.items()}
    print(json.dumps({"benchmark": benchmark, **shown, "machine": machine}))
