"""Load balancing and backoff over several SGLang-compatible servers or one router address."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

_FIRST_REST_SECONDS = 0.2
_LONGEST_REST_SECONDS = 10.0


@dataclass
class Server:
    """State of a server.

    Attributes:
      url: Address.
      in_flight: Number of running requests.
      failures: Consecutive failures.
      rest_until: Event loop time before which the server is not used.
      lists_samples: Whether the server returns several samples of one request; None if unknown.
      seeded: Whether the server supports seeded sampling; None if unknown.
    """

    url: str
    in_flight: int = 0
    failures: int = 0
    rest_until: float = 0.0
    lists_samples: bool | None = None
    seeded: bool | None = None

    def failed(self, at_least: float = 0.0) -> None:
        """Back off, longer with every consecutive failure, and forget the capabilities, because another server may take its place."""
        rest = max(at_least, min(_FIRST_REST_SECONDS * 2**self.failures, _LONGEST_REST_SECONDS))
        self.rest_until = max(self.rest_until, asyncio.get_running_loop().time() + rest)
        self.failures += 1
        self.seeded = self.lists_samples = None

    def answered(self) -> None:
        """Reset the backoff after a successful request."""
        self.failures = 0
        self.rest_until = 0.0


class Servers:
    """Servers with at most `connections` concurrent requests each, least busy first, for use on one event loop."""

    def __init__(self, urls: Sequence[str], connections: int) -> None:
        self.all = [Server(url.rstrip("/")) for url in urls]
        self._connections = connections
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def turn(self, asked_before: Server | None = None) -> AsyncIterator[Server]:
        """Wait for an available server and reserve a connection; servers other than `asked_before` are preferred."""
        server = await self._take(asked_before)
        try:
            yield server
        finally:
            server.in_flight -= 1
            async with self._changed:
                self._changed.notify_all()

    async def _take(self, asked_before: Server | None) -> Server:
        while True:
            now = asyncio.get_running_loop().time()
            rested = [server for server in self.all if server.rest_until <= now and server.in_flight < self._connections]
            if rested:
                chosen = min(rested, key=lambda server: (server is asked_before, server.in_flight))
                chosen.in_flight += 1
                return chosen
            waking = [server.rest_until - now for server in self.all if server.rest_until > now]
            async with self._changed:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), min(waking) if waking else None)
