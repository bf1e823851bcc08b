"""A real server for the tests: the command `lean-worker serve` in a process of its own, or uvicorn in a thread over the tests' pool."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn

from lean_worker.pool import Pool
from lean_worker.service.app import make_app
from lean_worker.service.http import listen
from lean_worker.service.settings import ServiceSettings


@dataclass
class Command:
    """`lean-worker serve` as it runs."""

    process: subprocess.Popen[str]
    url: str

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@contextlib.contextmanager
def command(*arguments: str, port: int = 0, **environment: str) -> Iterator[Command]:
    words = [sys.executable, "-m", "lean_worker.cli", "serve", "--port", str(port), *arguments]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment})
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("serving Lean "), line + process.stdout.read()
        yield Command(process, line.split()[4])
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def thread(pool: Pool, settings: ServiceSettings | None = None) -> Iterator[str]:
    """The address of a server in this process."""
    bound = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(make_app(pool, settings), log_level="warning", timeout_graceful_shutdown=1))
    running = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    running.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        running.join()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
