"""Warm Lean sessions by opening: reused while they are young and small, and evicted least recently used first."""

import threading
import time
from dataclasses import dataclass, field

from lean_worker.jobs import Question
from lean_worker.processes import tree_memory
from lean_worker.session import Backend, Limits, Session, WorkerLost

_LOOK_EVERY = 32  # checks between two measurements of a session's memory

_Key = tuple[str, str, str]


@dataclass(frozen=True)
class Recycling:
    """When to replace a session: after this many checks, above this much resident memory (bytes), or at this age (seconds)."""

    checks: int = 20_000
    memory_bytes: int = 6 << 30
    seconds: float = 3600.0


@dataclass(eq=False)
class Warm:
    """A session and its state; `last` is the question that it answered last."""

    key: _Key
    session: Session
    last: Question | None = None
    started: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)
    checks: int = 0
    busy: bool = True


class WarmSessions:
    """Pool of at most `most` warm sessions. Thread-safe; at most `most` may be held at once."""

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
            return frozenset(warm.key[0] for warm in self._all if not warm.busy)

    @property
    def pids(self) -> list[int]:
        """Process ids of the running sessions."""
        with self._lock:
            return [warm.session.pid for warm in self._all]

    def acquire(self, question: Question) -> Warm:
        """Return a session for the question: a warm one, preferably with its statement elaborated, otherwise a new one, which evicts the
        least recently used session if all places are taken.

        Raises WorkerLost if no session starts.
        """
        key = self._key(question)
        evicted: Warm | None = None
        with self._lock:
            if self._closed:
                raise WorkerLost("the pool is closed")
            idle = [warm for warm in self._all if not warm.busy]
            fitting = [warm for warm in idle if warm.key == key]
            if fitting:
                warm = max(fitting, key=lambda warm: _nearness(warm.last, question))
                warm.busy, warm.last = True, question
                return warm
            if len(self._all) + self._starting >= self._most:
                evicted = min(idle, key=lambda warm: warm.used)
                self._all.remove(evicted)
            self._starting += 1
        try:
            if evicted is not None:
                evicted.session.kill()
            warm = Warm(key, self._backend.start(question.opening, self._limits), question)
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

    def release(self, warm: Warm) -> None:
        """Return a session to the idle ones, or end it if it is due for recycling."""
        warm.checks += 1
        warm.used = time.monotonic()
        if not warm.session.usable or self._is_due(warm):
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
        """End all sessions, including busy ones."""
        with self._lock:
            self._closed = True
            sessions, self._all = self._all, []
        for warm in sessions:
            warm.session.kill()

    def _key(self, question: Question) -> _Key:
        """Return what a session may serve: one opening and, unless its backend isolates clients, one scope and one header."""
        if self._backend.isolates or not question.scope:
            return question.opening, "", ""
        return question.opening, question.scope, question.header

    def _is_due(self, warm: Warm) -> bool:
        limit = self._recycling
        if warm.checks >= limit.checks or warm.used - warm.started >= limit.seconds:
            return True
        return warm.checks % _LOOK_EVERY == 0 and tree_memory(warm.session.pid) > limit.memory_bytes


def _nearness(last: Question | None, question: Question) -> int:
    """Return how much of the question a session has already elaborated for its last one."""
    if last is None or last.header != question.header or last.scope != question.scope:
        return 0
    return 2 if last.statement == question.statement else 1
