"""Several processes that join into one JAX program, as on several hosts."""

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def joined(command: Sequence[str], environment: Mapping[str, str] | None = None, count: int = 2) -> Iterator[list[subprocess.Popen[str]]]:
    """`command` `count` times, each told its number and where the first one is; none of them outlives the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    told = {"OPROVER_COORDINATOR": address, "OPROVER_PROCESSES": str(count), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}"} | dict(
        environment or {}
    )
    processes = [
        subprocess.Popen(
            command,
            env=os.environ | told | {"OPROVER_PROCESS": str(number)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()
