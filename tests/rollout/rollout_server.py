"""Real servers for the tests: the command `oprover serve` in a process of its own, or uvicorn in a thread over an engine of the tests."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from lean_worker.service.http import listen
from oprover_jax.rollout.server.app import make_app
from oprover_jax.rollout.server.service import Service


@dataclass
class Command:
    """`oprover serve` as it runs."""

    process: subprocess.Popen[str]
    url: str

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


def command(model: Path, *arguments: str, port: int = 0) -> Command:
    """Started, and ready to answer; to be stopped by the caller."""
    words = [sys.executable, "-m", "oprover_jax.cli", "serve", "--model", str(model), "--port", str(port), *arguments]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("serving "):
        process.kill()
        raise AssertionError(line + process.stdout.read())
    return Command(process, line.split(" on ", 1)[1].split(": ")[0])


@contextlib.contextmanager
def thread(service: Service) -> Iterator[str]:
    """The address of a server in this process."""
    bound = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(make_app(service), log_level="warning", timeout_graceful_shutdown=1))
    running = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    running.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        running.join()
        bound.close()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
