"""Checks that wait for a worker: in batches of one header, clients taking turns, never more than the queue may hold."""

import time
from collections import deque
from collections.abc import Callable, Container
from concurrent.futures import Future
from dataclasses import dataclass, field

from lean_worker.candidate import Candidate
from lean_worker.errors import LeanWorkerError
from lean_worker.protocol import Tier, Verdict
from lean_worker.statement import Statement

_PATIENCE_SECONDS = 2.0


class QueueFull(LeanWorkerError):
    """No room for another check; try again after `retry_after` seconds."""

    def __init__(self, waiting: int, retry_after: int) -> None:
        super().__init__(f"{waiting} checks wait already; try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Question:
    """What is asked of Lean. `opening` is prelude and imports, `header` what follows them; `candidate` is None for a statement alone."""

    opening: str
    header: str
    statement: Statement
    candidate: Candidate | None
    tier: Tier = "fast"
    scope: str = ""


@dataclass(eq=False)
class Job:
    """A question and everybody who waits for its answer. `alone`: not in a batch with others."""

    question: Question
    client: str
    waiting: list[tuple[str, Future[Verdict]]]
    attempts: int = 0
    since: float = field(default_factory=time.monotonic)

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return not all(future.cancelled() for _, future in self.waiting)


class JobQueue:
    """TEMPORARY first in, first out."""

    def __init__(self, on_drop: Callable[[Job], None], patience: float = _PATIENCE_SECONDS, run: int = 32) -> None:
        self._on_drop = on_drop
        self._line: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._line)

    def put(self, job: Job, front: bool = False) -> None:
        self._line.appendleft(job) if front else self._line.append(job)

    def join(self, job: Job, client: str) -> None:
        pass

    def take(self, near: Question | None = None, warm: Container[str] = frozenset()) -> Job | None:
        while self._line:
            job = self._line.popleft()
            if job.wanted:
                return job
            self._on_drop(job)
        return None

    def charge(self, job: Job, seconds: float) -> None:
        pass
