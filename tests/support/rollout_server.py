"""Real rollout servers for the tests: the command `oprover serve`, or a server in a thread over an engine of the tests."""

import signal
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import http_servers
from http_servers import Command, free_port

from oprover_jax.server.app import make_app
from oprover_jax.server.service import Service

__all__ = ["Breakable", "Command", "breakable_command", "command", "free_port", "thread"]


def command(model: Path, *arguments: str, port: int = 0) -> Command:
    """`oprover serve`, ready to answer; to be stopped by the caller."""
    return http_servers.start("oprover_jax.cli", _words(model, arguments, port), {"JAX_PLATFORMS": "cpu"})


@dataclass
class Breakable(Command):
    """A server whose device can be made to fail."""

    def break_engine(self) -> None:
        self.process.send_signal(signal.SIGUSR1)
        line = self.process.stdout.readline() if self.process.stdout else ""
        assert line == "broken\n", line


def breakable_command(model: Path, *arguments: str) -> Breakable:
    """As `command`, with the arrays of its engine at the mercy of the test."""
    started = http_servers.start(
        "breakable_server", _words(model, arguments, 0), {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(Path(__file__).parent)}
    )
    return Breakable(started.process, started.url)


def thread(service: Service) -> AbstractContextManager[str]:
    """The address of a server in this process."""
    return http_servers.thread(make_app(service))


def _words(model: Path, arguments: tuple[str, ...], port: int) -> list[str]:
    return ["serve", "--model", str(model), "--port", str(port), *arguments]
