"""Real HTTP servers for the tests: a command in a process of its own, or an application under uvicorn in a thread of this one."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from lean_worker.http import HttpLimits, listen, make_server


@dataclass
class Command:
    """A server as it runs."""

    process: subprocess.Popen[str]
    url: str

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


def start(module: str, arguments: Sequence[str], environment: dict[str, str]) -> Command:
    """`python -m module arguments`, up and saying "serving ... http://..."; to be stopped by the caller."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    address = re.search(r"^serving .*(http://[\w.]+:\d+)", line)
    if not address:
        process.kill()
        raise AssertionError(line + process.stdout.read())
    return Command(process, address[1])


@contextmanager
def thread(app: FastAPI, limits: HttpLimits | None = None) -> Iterator[str]:
    """The address of a server in this process."""
    bound = listen("127.0.0.1", 0)
    server = make_server(app, limits or HttpLimits(grace_seconds=1))
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
