"""A real server for the tests: the command `lean-worker serve`, or a server in a thread over the tests' pool."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import http_servers
from http_servers import Command, free_port

from lean_worker.pool import Pool
from lean_worker.service.app import make_app
from lean_worker.service.settings import ServiceSettings

__all__ = ["Command", "command", "free_port", "thread"]


@contextmanager
def command(*arguments: str, port: int = 0, **environment: str) -> Iterator[Command]:
    """`lean-worker serve`, killed at the end of the block."""
    server = http_servers.start("lean_worker.cli", ["serve", "--port", str(port), *arguments], environment)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


def thread(pool: Pool, settings: ServiceSettings | None = None) -> AbstractContextManager[str]:
    """The address of a server in this process."""
    return http_servers.thread(make_app(pool, settings), settings.http if settings else None)
