"""The command line in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

TINY = Path(__file__).with_name("tiny_experiment.py")


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "oprover_jax.cli", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        start_new_session=True,
    )


def iterate(run: Path) -> subprocess.Popen[str]:
    return start("iterate", "--config", str(TINY), "--run", str(run))
