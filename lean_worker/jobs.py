"""Checks that wait for a worker: in batches of one header, clients taking turns, never more than the queue may hold."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Container, Iterator
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


@dataclass(eq=False)
class Job:
    """A question and everybody who waits for its answer. `alone`: not in a batch with others."""

    question: Question
    client: str
    waiting: list[tuple[str, Future[Verdict]]]
    alone: bool = False
    attempts: int = 0
    since: float = field(default_factory=time.monotonic)

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return not all(future.cancelled() for _, future in self.waiting)


_Header = tuple[str, str]
_Lines = OrderedDict[_Header, deque[Job]]


class JobQueue:
    """Not thread-safe: guarded by the pool's lock. Clients take turns; within a client, headers do.

    Jobs that nobody waits for any more are handed to `on_drop` instead of being taken. Warm headers may overtake others for `patience`
    seconds.
    """

    def __init__(self, on_drop: Callable[[Job], None], patience: float = _PATIENCE_SECONDS) -> None:
        self._on_drop, self._patience = on_drop, patience
        self._clients: OrderedDict[str, _Lines] = OrderedDict()
        self._alone: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._alone) + sum(len(line) for lines in self._clients.values() for line in lines.values())

    def put(self, job: Job, front: bool = False) -> None:
        if job.alone:
            line = self._alone
        else:
            header = (job.question.opening, job.question.header)
            line = self._clients.setdefault(job.client, OrderedDict()).setdefault(header, deque())
        line.appendleft(job) if front else line.append(job)

    def take(self, most: int, warm: Container[str] = ()) -> list[Job]:
        """The next job that must run alone, or up to `most` jobs of one header. Headers whose opening is warm go first, for as long as
        nobody has waited longer than the patience. Empty where all that waited was dropped."""
        while self._alone:
            job = self._alone.popleft()
            if job.wanted:
                return [job]
            self._on_drop(job)
        chosen = self._choose(warm)
        if chosen is None:
            return []
        client, header = chosen
        self._clients.move_to_end(client)
        self._clients[client].move_to_end(header)
        order = [client, *(name for name in self._clients if name != client)]
        taken: list[Job] = []
        while len(taken) < most and (lines := [self._clients[name][header] for name in order if header in self._clients[name]]):
            for line in lines[: most - len(taken)]:
                job = line.popleft()
                if job.wanted:
                    taken.append(job)
                else:
                    self._on_drop(job)
            self._tidy()
            order = [name for name in order if name in self._clients]
        return taken

    def _choose(self, warm: Container[str]) -> tuple[str, _Header] | None:
        places = list(self._heads())
        if not places:
            return None
        client, header, job = min(places, key=lambda place: place[2].since)
        if time.monotonic() - job.since > self._patience and header[0] not in warm:
            return client, header
        return next(((client, header) for client, header, _ in places if header[0] in warm), places[0][:2])

    def _heads(self) -> Iterator[tuple[str, _Header, Job]]:
        for client, lines in self._clients.items():
            for header, line in lines.items():
                yield client, header, line[0]

    def _tidy(self) -> None:
        for client, lines in list(self._clients.items()):
            for header in [header for header, line in lines.items() if not line]:
                del lines[header]
            if not lines:
                del self._clients[client]
