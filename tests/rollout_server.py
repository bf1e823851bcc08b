"""Real rollout servers for the tests: the command `oprover serve`, or a server in a thread over an engine of the tests."""

from contextlib import AbstractContextManager
from pathlib import Path

import http_servers
from http_servers import Command, free_port

from oprover_jax.rollout.server.app import make_app
from oprover_jax.rollout.server.service import Service

__all__ = ["Command", "command", "free_port", "thread"]


def command(model: Path, *arguments: str, port: int = 0) -> Command:
    """`oprover serve`, ready to answer; to be stopped by the caller."""
    words = ["serve", "--model", str(model), "--port", str(port), *arguments]
    return http_servers.start("oprover_jax.cli", words, {"JAX_PLATFORMS": "cpu"})


def thread(service: Service) -> AbstractContextManager[str]:
    """The address of a server in this process."""
    return http_servers.thread(make_app(service))
