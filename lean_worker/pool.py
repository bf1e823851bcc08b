"""A pool of Lean processes that checks statements against proofs, many per second, and answers every check exactly once."""

import secrets
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType

import msgspec

from lean_worker.document import Answer, Statement, StatementError, check_header, read_answers, split_statement, write_document
from lean_worker.embedded.build import CoreLibrary, ensure_core
from lean_worker.embedded.process import LeanProcess, Limits, Output, WorkerLost
from lean_worker.protocol import ALLOWED_AXIOMS, Check, Kind, Message, Verdict
from lean_worker.screen import screen

BACKEND = "embedded-fork"
_ATTEMPTS = 3
_GATHER_SECONDS = 0.01


class StatementReport(msgspec.Struct, frozen=True):
    """Whether a statement elaborates; None where nobody can say. `messages` are Lean's errors about it."""

    elaborates: bool | None
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Versions:
    """What gives the verdicts: the Lean version, the hash of the core library, the backend."""

    lean: str
    library: str
    backend: str = BACKEND


@dataclass
class _Job:
    """One question to Lean and everybody who waits for its answer. `proof` is None for a statement alone."""

    header: str
    statement: Statement
    proof: str | None
    waiting: list[tuple[str, "Future[Verdict]"]]
    alone: bool = False
    attempts: int = 0

    @property
    def key(self) -> tuple[str, Statement, str | None]:
        return self.header, self.statement, self.proof


@dataclass
class _Queue:
    """Jobs by header, and those that must run alone. Guarded by the pool's lock."""

    by_header: dict[str, deque[_Job]] = field(default_factory=lambda: defaultdict(deque))
    alone: deque[_Job] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self.alone) + sum(map(len, self.by_header.values()))

    def put(self, job: _Job, front: bool = False) -> None:
        line = self.alone if job.alone else self.by_header[job.header]
        line.appendleft(job) if front else line.append(job)

    def take(self, most: int) -> list[_Job]:
        """The next job that must run alone, or up to `most` jobs of one header; headers take turns."""
        if self.alone:
            return [self.alone.popleft()]
        header, line = next(iter(self.by_header.items()))
        del self.by_header[header]
        taken = [line.popleft() for _ in range(min(most, len(line)))]
        if line:
            self.by_header[header] = line
        return taken


class Pool:
    """Checks proofs in `workers` Lean processes, each check in a forked child together with up to `batch` others of the same header.

    `timeout` is the wall clock in seconds that one check may take. A check that hangs or crashes gets no verdict and cannot change that of
    another. `heartbeats` is Lean's own deterministic limit in its unit of a thousand small allocations: past it a proof is wrong, not late
    (an ordinary proof of core Lean needs fewer than 500, a runaway ends after about a second).

    Thread-safe. Raises LeanUnavailable or BuildError at construction where the embedded Lean cannot be used.
    """

    def __init__(
        self, workers: int = 2, timeout: float = 10.0, *, batch: int = 32, heartbeats: int = 4_000, core: CoreLibrary | None = None
    ) -> None:
        if workers < 1 or batch < 1:
            raise ValueError(f"a pool needs at least one worker and one check per batch, not {workers} and {batch}")
        self._limits = Limits(seconds=timeout, heartbeats=heartbeats)
        self._core = core or ensure_core()
        self._batch = batch
        self._workers = workers
        self._queue = _Queue()
        self._pending: dict[tuple[str, Statement, str | None], _Job] = {}
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._processes: dict[int, LeanProcess] = {}
        self._closed = False

    @property
    def versions(self) -> Versions:
        return Versions(self._core.lean_version, self._core.hash)

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the Lean processes that run now."""
        with self._changed:
            return [process.pid for process in self._processes.values()]

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def submit(self, check: Check) -> "Future[Verdict]":
        """The verdict of one check, as soon as there is one."""
        refused = screen(check.proof)
        if refused:
            return _answered(self._verdict(check.id, "forbidden", (_note(refused),)))
        return self._submit(check.id, check.header, check.statement, check.proof)

    def check_many(self, checks: Iterable[Check]) -> list[Verdict]:
        """The verdicts of all checks, in their order."""
        return [future.result() for future in [self.submit(check) for check in checks]]

    def check_statement(self, statement: str, header: str = "") -> StatementReport:
        """Whether one statement, which ends in `:= by sorry` or `:= sorry`, elaborates."""
        return self.check_statements([statement], header)[0]

    def check_statements(self, statements: Sequence[str], header: str = "") -> list[StatementReport]:
        """Whether each statement elaborates, in order; much faster together than one by one."""
        futures = [self._submit(str(index), header, statement, None) for index, statement in enumerate(statements)]
        return [_report(future.result()) for future in futures]

    def close(self) -> None:
        """End all processes; checks that are not finished get no verdict."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            for process in self._processes.values():
                process.kill()
        for thread in self._threads:
            thread.join()

    def _submit(self, check_id: str, header: str, source: str, proof: str | None) -> "Future[Verdict]":
        try:
            check_header(header)
            statement = split_statement(source)
        except StatementError as error:
            return _answered(self._verdict(check_id, "statement", (_note(str(error), error.line),)))
        future: Future[Verdict] = Future()
        job = _Job(header, statement, proof, [(check_id, future)])
        with self._changed:
            if self._closed:
                raise RuntimeError("the pool is closed")
            twin = self._pending.get(job.key)
            if twin is not None:
                twin.waiting.append((check_id, future))
                return future
            self._pending[job.key] = job
            self._queue.put(job)
            if len(self._threads) < min(self._workers, len(self._pending)):
                thread = threading.Thread(target=self._work, name=f"lean-worker-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()
        return future

    def _verdict(
        self, check_id: str, kind: Kind, messages: tuple[Message, ...] = (), axioms: tuple[str, ...] = (), seconds: float = 0.0
    ) -> Verdict:
        accepted = True if kind == "accepted" else None if kind in ("timeout", "crash", "unavailable") else False
        versions = self.versions
        return Verdict(check_id, accepted, kind, messages, axioms, seconds, versions.backend, versions.lean, versions.library)

    def _finish(self, job: _Job, kind: Kind, answer: Answer | None = None, seconds: float = 0.0, note: str = "") -> None:
        messages: tuple[Message, ...] = (_note(note),) if note else ()
        axioms: tuple[str, ...] = ()
        if answer is not None:
            messages = answer.statement_errors if kind == "statement" else answer.messages
            axioms = answer.axioms or ()
        with self._changed:
            self._pending.pop(job.key, None)
            waiting = list(job.waiting)
        for check_id, future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(self._verdict(check_id, kind, messages, axioms, seconds))

    def _next(self) -> list[_Job] | None:
        """The next batch, or None when the pool is closed. Waits a moment for company: a batch costs little more than one check."""
        with self._changed:
            while not self._closed:
                if len(self._queue):
                    self._changed.wait_for(lambda: self._closed or len(self._queue) >= self._batch, _GATHER_SECONDS)
                if not self._closed and len(self._queue):
                    return self._queue.take(min(self._batch, -(-len(self._queue) // self._workers)))
                self._changed.wait_for(lambda: self._closed or len(self._queue) > 0)
        return None

    def _work(self) -> None:
        """A worker thread: its own Lean process, one batch after the other."""
        me = threading.get_ident()
        try:
            while (jobs := self._next()) is not None:
                try:
                    self._run(self._process(me), jobs)
                except WorkerLost as lost:
                    self._drop_process(me)
                    self._again(jobs, str(lost))
        finally:
            self._drop_process(me)
            self._abandon()

    def _process(self, owner: int) -> LeanProcess:
        with self._changed:
            if self._closed:
                raise WorkerLost("the pool is closed")
            if owner not in self._processes:
                self._processes[owner] = LeanProcess(self._core, self._limits)
            return self._processes[owner]

    def _drop_process(self, owner: int) -> None:
        with self._changed:
            process = self._processes.pop(owner, None)
        if process is not None:
            process.kill()

    def _abandon(self) -> None:
        with self._changed:
            left = list(self._pending.values()) if self._closed else []
        for job in left:
            self._finish(job, "unavailable", note="the pool was closed before the check was finished")

    def _again(self, jobs: Sequence[_Job], reason: str) -> None:
        """Put jobs back whose worker was lost, each to run alone; one that has seen several workers die gets no verdict."""
        for job in jobs:
            job.attempts += 1
            if job.attempts >= _ATTEMPTS:
                self._finish(job, "unavailable", note=reason)
                continue
            job.alone = True
            with self._changed:
                self._queue.put(job, front=True)
                self._changed.notify()

    def _run(self, process: LeanProcess, jobs: list[_Job]) -> None:
        began = time.monotonic()
        document = write_document(jobs[0].header, [(job.statement, job.proof) for job in jobs], secrets.token_hex(8))
        output = process.run(document.text, document.marker, len(jobs))
        seconds = (time.monotonic() - began) / len(jobs)
        unfinished: list[_Job] = []
        for job, answer in zip(jobs, read_answers(document, output.text), strict=True):
            kind = _kind(job, answer)
            if kind is None or (kind == "axiom" and len(jobs) > 1):
                unfinished.append(job)
            else:
                self._finish(job, kind, answer, seconds)
        if unfinished:
            self._settle(unfinished, output, len(jobs) == 1)

    def _settle(self, unfinished: list[_Job], output: Output, alone: bool) -> None:
        """The first unfinished job is the suspect: it had its full time, or it runs alone next. The others only stood behind it."""
        suspect, *behind = unfinished
        if output.outcome == "timeout":
            self._finish(suspect, "timeout", note=f"no answer within {self._limits.seconds:g} s")
        elif alone:
            how = {"flood": "printed too much", "signal": f"died by signal {-output.code}", "exit": f"ended with exit code {output.code}"}
            self._finish(suspect, "crash", note=f"Lean {how[output.outcome]} before it judged the proof")
        else:
            suspect.alone = True
            behind.insert(0, suspect)
        with self._changed:
            for job in behind:
                self._queue.put(job, front=True)
            self._changed.notify_all()


def _kind(job: _Job, answer: Answer) -> Kind | None:
    """What the answer means; None where Lean did not come to the end of this check."""
    if answer.statement_errors:
        return "statement"
    if answer.axioms is None:
        return None
    if answer.failed:
        return "error"
    if job.proof is None:
        return "accepted"
    return "accepted" if ALLOWED_AXIOMS.issuperset(answer.axioms) else "axiom"


def _report(verdict: Verdict) -> StatementReport:
    elaborates = None if verdict.accepted is None else verdict.kind == "accepted"
    return StatementReport(elaborates, verdict.messages)


def _note(text: str, line: int = 1) -> Message:
    return Message("error", line, 0, line, 0, text)


def _answered(verdict: Verdict) -> "Future[Verdict]":
    future: Future[Verdict] = Future()
    future.set_result(verdict)
    return future
