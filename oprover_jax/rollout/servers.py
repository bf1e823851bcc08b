"""Load balancing and backoff over several SGLang-compatible servers or one router address."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_FIRST_REST_SECONDS = 0.2
_LONGEST_REST_SECONDS = 10.0


class Unavailable(Exception):
    """Error for a request that no server can take; the message has the reason of every server."""


@dataclass
class Server:
    """State of a server.

    Attributes:
      url: Address.
      in_flight: Number of running requests.
      failures: Consecutive failures.
      rest_until: Event loop time before which the server is not used.
      reason: What the last failure was.
      refuses: Whether that failure will not go away by itself, such as a wrong key.
      ready_for: Number of the weights that the server was seen to serve; see `Servers.wanted`.
      lists_samples: Whether the server returns several samples of one request; None if unknown.
      seeded: Whether the server supports seeded sampling.
      loading: Held while the server is examined or loads weights.
    """

    url: str
    in_flight: int = 0
    failures: int = 0
    rest_until: float = 0.0
    reason: str = ""
    refuses: bool = False
    ready_for: int = -1
    lists_samples: bool | None = None
    seeded: bool = False
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def failed(self, reason: str, at_least: float = 0.0, *, refuses: bool = False) -> None:
        """Back off, longer with every consecutive failure."""
        rest = max(at_least, min(_FIRST_REST_SECONDS * 2.0 ** min(self.failures, 9), _LONGEST_REST_SECONDS))
        self.rest_until = max(self.rest_until, asyncio.get_running_loop().time() + rest)
        self.failures += 1
        self.reason, self.refuses = reason, refuses

    def lost(self) -> None:
        """Forget what the server can do and which weights it has, because another one may have taken its place."""
        self.ready_for, self.lists_samples = -1, None

    def answered(self) -> None:
        """Reset the backoff after a successful request."""
        self.failures, self.rest_until = 0, 0.0
        self.reason, self.refuses = "", False


class Servers:
    """Servers with at most `connections` concurrent requests each, least busy first, for use on one event loop.

    Only servers that are ready receive requests: those whose `ready_for` is `wanted`. `prepare` is called for every other one, again and
    again; it has to make the server ready, or to let it fail.

    Args:
      urls: Addresses.
      connections: Maximum number of concurrent requests per server.
      patience: Seconds for which `turn` waits while no server is ready.
      prepare: Starts to prepare a server unless that is in progress.
    """

    def __init__(self, urls: Sequence[str], connections: int, patience: float, prepare: Callable[[Server], None]) -> None:
        self.all = [Server(url) for url in urls]
        self.wanted = 0
        self._connections, self._patience, self._prepare = connections, patience, prepare
        self._changed = asyncio.Condition()

    @property
    def ready(self) -> list[Server]:
        return [server for server in self.all if server.ready_for == self.wanted]

    @asynccontextmanager
    async def turn(self, asked_before: Server | None = None, deadline: float | None = None) -> AsyncIterator[Server]:
        """Wait for an available server and reserve a connection; servers other than `asked_before` are preferred.

        Raises:
          Unavailable: No server was ready for `patience` seconds, none will become ready, or `deadline` (event loop time) has passed.
        """
        server = await self._take(asked_before, deadline)
        try:
            yield server
        finally:
            server.in_flight -= 1
            await self.notify()

    async def notify(self) -> None:
        """Let waiting requests look at the servers again."""
        async with self._changed:
            self._changed.notify_all()

    def reasons(self) -> str:
        """Return why each server that is not ready or has failed last is so."""
        failing = [server for server in self.all if server.reason or server.ready_for != self.wanted]
        return "; ".join(f"{server.url}: {server.reason or 'it does not respond'}" for server in failing or self.all)

    async def _take(self, asked_before: Server | None, deadline: float | None) -> Server:
        unready_since: float | None = None
        while True:
            now = asyncio.get_running_loop().time()
            if deadline is not None and now >= deadline:
                raise Unavailable(self.reasons())
            for server in self.all:
                if server.ready_for != self.wanted:
                    self._prepare(server)
            ready = self.ready
            rested = [server for server in ready if server.rest_until <= now and server.in_flight < self._connections]
            if rested:
                chosen = min(rested, key=lambda server: (server is asked_before, server.in_flight))
                chosen.in_flight += 1
                return chosen
            unready_since = None if ready else now if unready_since is None else unready_since
            if all(server.refuses for server in self.all):
                raise Unavailable(self.reasons())
            ends = [at for at in (deadline, None if unready_since is None else unready_since + self._patience) if at is not None]
            if ends and now >= min(ends):
                raise Unavailable(self.reasons())
            waking = [*ends, *(server.rest_until for server in ready if server.rest_until > now)]
            async with self._changed:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), min(waking) - now if waking else None)
