"""Sessions kept warm by their opening: reused while they are young and small, the least recently used given up for another opening."""

import threading
import time
from dataclasses import dataclass, field

from lean_worker.processes import tree_memory
from lean_worker.session import Backend, Limits, Session, WorkerLost

_LOOK_EVERY = 32  # documents between two looks at a session's memory


@dataclass(frozen=True)
class Recycling:
    """When a session is replaced by a fresh one: after so many checks, above so much memory (resident bytes), at such an age (seconds)."""

    checks: int = 20_000
    memory_bytes: int = 6 << 30
    seconds: float = 3600.0


@dataclass(eq=False)
class Warm:
    """A session and what is known of it."""

    opening: str
    session: Session
    started: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)
    checks: int = 0
    documents: int = 0
    busy: bool = True


class WarmSessions:
    """At most `most` sessions. Thread-safe; at most `most` may be held at once."""

    def __init__(self, backend: Backend, limits: Limits, most: int, recycling: Recycling) -> None:
        self._backend, self._limits, self._most, self._recycling = backend, limits, most, recycling
        self._lock = threading.Lock()
        self._all: list[Warm] = []
        self._closed = False
        self._starting = 0
        self.started = 0

    @property
    def idle_openings(self) -> frozenset[str]:
        with self._lock:
            return frozenset(warm.opening for warm in self._all if not warm.busy)

    @property
    def pids(self) -> list[int]:
        """Process ids of the sessions that run now."""
        with self._lock:
            return [warm.session.pid for warm in self._all]

    def acquire(self, opening: str) -> Warm:
        """A session for `opening`: a warm one, else a new one, in the place of the least recently used where all places are taken.

        Raises WorkerLost where none comes up.
        """
        evicted: Warm | None = None
        with self._lock:
            if self._closed:
                raise WorkerLost("the pool is closed")
            idle = [warm for warm in self._all if not warm.busy]
            for warm in idle:
                if warm.opening == opening:
                    warm.busy = True
                    return warm
            if len(self._all) + self._starting >= self._most:
                evicted = min(idle, key=lambda warm: warm.used)
                self._all.remove(evicted)
            self._starting += 1
        try:
            if evicted is not None:
                evicted.session.kill()
            warm = Warm(opening, self._backend.start(opening, self._limits))
        finally:
            with self._lock:
                self._starting -= 1
        with self._lock:
            self.started += 1
            late = self._closed
            if not late:
                self._all.append(warm)
        if late:
            warm.session.kill()
            raise WorkerLost("the pool is closed")
        return warm

    def release(self, warm: Warm, checks: int) -> None:
        """Back among the idle, or ended if it has had its day."""
        warm.checks += checks
        warm.documents += 1
        warm.used = time.monotonic()
        if not warm.session.usable or self._spent(warm):
            self.drop(warm)
            return
        with self._lock:
            warm.busy = False

    def drop(self, warm: Warm) -> None:
        with self._lock:
            if warm in self._all:
                self._all.remove(warm)
        warm.session.kill()

    def close(self) -> None:
        """Ends all sessions, busy ones too."""
        with self._lock:
            self._closed = True
            sessions, self._all = self._all, []
        for warm in sessions:
            warm.session.kill()

    def _spent(self, warm: Warm) -> bool:
        limit = self._recycling
        if warm.checks >= limit.checks or warm.used - warm.started >= limit.seconds:
            return True
        return warm.documents % _LOOK_EVERY == 0 and tree_memory(warm.session.pid) > limit.memory_bytes
