"""Fair queue of checks: clients share the workers' time, and the headers of a client take turns."""

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice

from lean_worker.candidate import Candidate
from lean_worker.errors import LeanWorkerError
from lean_worker.files import FileQuestion, FileReport
from lean_worker.protocol import Tier, Verdict
from lean_worker.shares import Shares
from lean_worker.statement import Statement

_PATIENCE_SECONDS = 2.0
_OVERDUE = 1.25  # a running job is charged again once it has taken this much longer than charged
_RECOUNTED = 4  # running jobs that each take re-examines


class QueueFull(LeanWorkerError):
    """The queue is full; try again after `retry_after` seconds."""

    def __init__(self, waiting: int, retry_after: int) -> None:
        super().__init__(f"the queue is full with {waiting} checks; try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Question:
    """A check as Lean sees it. `opening` is prelude and imports, `header` what follows them; `candidate` is None for a statement alone.

    With `file` the question is about a whole file instead, which follows the opening.

    `scope` names the client whose processes may run it; it is empty if any process may.
    """

    opening: str
    header: str
    statement: Statement
    candidate: Candidate | None
    tier: Tier = "fast"
    scope: str = ""
    file: FileQuestion | None = None


@dataclass(eq=False)
class Job:
    """A question and all futures that wait for its answer.

    The queue maintains the other fields: `clients` in whose queues the job is or was, whether it `waits` now, and the seconds `counted`
    for it while it runs.
    """

    question: Question
    client: str
    waiting: list[tuple[str, Future[Verdict] | Future[FileReport]]]
    attempts: int = 0
    since: float = field(default_factory=time.monotonic)
    clients: dict[str, None] = field(default_factory=dict, init=False)
    waits: bool = field(default=False, init=False)
    counted: float = field(default=0.0, init=False)

    @property
    def wanted(self) -> bool:
        """Whether any future still waits for the answer."""
        return not all(future.cancelled() for _, future in self.waiting)


_Header = tuple[str, str]
_Subject = tuple[str, str, Statement, str]
_Jobs = OrderedDict[Job, None]  # a set with constant-time removal of any member and access to the first


@dataclass(eq=False)
class _Line:
    """A client's jobs of one header; the one with the lowest turn is next."""

    turn: int
    jobs: _Jobs = field(default_factory=OrderedDict)


@dataclass(eq=False)
class _Attempts:
    """A client's jobs on one statement, and how many were taken in a row in the current run."""

    jobs: _Jobs = field(default_factory=OrderedDict)
    run: int = 0
    began: float = float("-inf")


@dataclass(eq=False)
class _Lines:
    """A client's waiting jobs, oldest first, indexed by header, by opening and by statement."""

    jobs: _Jobs = field(default_factory=OrderedDict)
    lines: OrderedDict[_Header, _Line] = field(default_factory=OrderedDict)
    openings: dict[str, OrderedDict[_Header, _Line]] = field(default_factory=dict)
    subjects: dict[_Subject, _Attempts] = field(default_factory=dict)
    last_turn: int = 0
    first_turn: int = 0

    def enter(self, job: Job, front: bool) -> None:
        header, subject = _header(job.question), _subject(job.question)
        if header not in self.lines:
            self.last_turn += 1
            self.lines[header] = _Line(self.last_turn)
            self.openings.setdefault(header[0], OrderedDict())[header] = self.lines[header]
        if front:
            self.first_turn -= 1
            self._give_turn(header, self.first_turn)
        for jobs in (self.jobs, self.lines[header].jobs, self.subjects.setdefault(subject, _Attempts()).jobs):
            jobs[job] = None
            if front:
                jobs.move_to_end(job, last=False)

    def leave(self, job: Job) -> None:
        header, subject = _header(job.question), _subject(job.question)
        line, attempts = self.lines[header], self.subjects[subject]
        for jobs in (self.jobs, line.jobs, attempts.jobs):
            del jobs[job]
        if not attempts.jobs:
            del self.subjects[subject]
        if line.jobs:
            return
        del self.lines[header], self.openings[header[0]][header]
        if not self.openings[header[0]]:
            del self.openings[header[0]]

    def choose(self, near: _Subject | None, warm: frozenset[str], patience: float, longest_run: int, now: float) -> Job:
        """Return the next job: one on the current statement, the one that waited too long, or one of the header whose turn it is."""
        oldest = next(iter(self.jobs))
        impatient = now - oldest.since > patience
        at_hand = self.subjects.get(near) if near is not None else None
        if at_hand is not None and at_hand.run < longest_run and (not impatient or now - at_hand.began < patience):
            at_hand.run += 1
            job = next(iter(at_hand.jobs))
        else:
            job = oldest if impatient and oldest.question.opening not in warm else next(iter(self._next_line(warm).jobs))
            attempts = self.subjects[_subject(job.question)]
            attempts.run, attempts.began = 1, now
        self.last_turn += 1
        self._give_turn(_header(job.question), self.last_turn)
        return job

    def _next_line(self, warm: frozenset[str]) -> _Line:
        heads = [next(iter(self.openings[opening].values())) for opening in warm if opening in self.openings]
        return min(heads, key=lambda line: line.turn) if heads else next(iter(self.lines.values()))

    def _give_turn(self, header: _Header, turn: int) -> None:
        self.lines[header].turn = turn
        for lines in (self.lines, self.openings[header[0]]):
            lines.move_to_end(header, last=turn >= 0)


class JobQueue:
    """Fair queue of jobs. Not thread-safe: guarded by the pool's lock. Every operation takes amortised logarithmic time.

    Clients share the workers by seconds used: the client that has used least is next. Until it is charged, a running job counts with an
    estimate, or with the time it has taken so far if that is longer.

    Within a client headers take turns, but attempts on the current statement come first, and then headers whose opening is warm, unless
    another job of the client has waited longer than `patience` seconds. A run of attempts that began in its turn may continue for the same
    time, up to `longest_run` of them.

    Jobs whose futures are all cancelled are passed to `on_drop` instead of being returned.
    """

    def __init__(self, on_drop: Callable[[Job], None], patience: float = _PATIENCE_SECONDS, longest_run: int = 32) -> None:
        self._on_drop, self._patience, self._longest_run = on_drop, patience, longest_run
        self._shares = Shares()
        self._clients: dict[str, _Lines] = {}
        self._running: OrderedDict[Job, float] = OrderedDict()  # when each was taken
        self._waiting = 0

    def __len__(self) -> int:
        """Return the number of waiting jobs, each counted once."""
        return self._waiting

    def put(self, job: Job, front: bool = False) -> None:
        """Append a job to its client's queue, or, if its worker was lost, put it at the front of every queue that it waited in."""
        self._stop(job)
        job.clients[job.client] = None
        job.waits = True
        self._waiting += 1
        for name in job.clients:
            self._enter(job, name, front)

    def join(self, job: Job, client: str) -> None:
        """Add a waiting job to another client's queue too; the turn that comes first serves both."""
        if job.waits and client not in job.clients:
            job.clients[client] = None
            self._enter(job, client, front=False)

    def take(self, near: Question | None = None, warm: frozenset[str] = frozenset()) -> Job | None:
        """Return the next job, or None if no wanted job waits.

        Args:
            near: the question that the calling worker answered last.
            warm: openings of idle sessions.
        """
        now = time.monotonic()
        self._recount(now)
        at_hand = _subject(near) if near is not None else None
        while (client := self._shares.least()) is not None:
            job = self._clients[client].choose(at_hand, warm, self._patience, self._longest_run, now)
            if job.wanted:
                job.counted = self._shares.start(client, job.clients)
                self._running[job] = now
                self._remove(job)
                return job
            self._remove(job)
            self._on_drop(job)
        return None

    def charge(self, job: Job, seconds: float) -> None:
        """Charge the seconds that a worker spent on a job to the clients that waited for it, in equal shares."""
        self._stop(job)
        self._shares.charge(job.clients, seconds)

    def _enter(self, job: Job, name: str, front: bool) -> None:
        if name not in self._clients:
            self._clients[name] = _Lines()
            self._shares.arrive(name)
        self._clients[name].enter(job, front)

    def _remove(self, job: Job) -> None:
        job.waits = False
        self._waiting -= 1
        for name in job.clients:
            lines = self._clients[name]
            lines.leave(job)
            if not lines.jobs:
                del self._clients[name]
                self._shares.depart(name)

    def _stop(self, job: Job) -> None:
        if self._running.pop(job, None) is not None:
            self._shares.stop(job.clients, job.counted)

    def _recount(self, now: float) -> None:
        """Charge long-running jobs with the seconds that they have taken so far, least recently examined first."""
        for job in list(islice(self._running, _RECOUNTED)):
            self._running.move_to_end(job)
            elapsed = now - self._running[job]
            if elapsed > _OVERDUE * job.counted:
                self._shares.count(job.clients, elapsed - job.counted)
                job.counted = elapsed


def _header(question: Question) -> _Header:
    return question.opening, question.header


def _subject(question: Question) -> _Subject:
    return question.opening, question.header, question.statement, question.scope
