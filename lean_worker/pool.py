"""Pool of Lean sessions that checks many proofs per second and answers every check exactly once."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from types import TracebackType

import msgspec

from lean_worker.candidate import Candidate, Refused, read_candidate
from lean_worker.document import Answer, apart, is_declared_already
from lean_worker.embedded.backend import ForkBackend
from lean_worker.file_filter import filter_file
from lean_worker.files import FileQuestion, FileReport
from lean_worker.jobs import Job, JobQueue, Question, QueueFull
from lean_worker.kinds import kind_of, refused_unread
from lean_worker.lexer import LexError
from lean_worker.processes import tree_memory
from lean_worker.protocol import NO_VERDICT, Check, Kind, LeanDescription, Message, Tier, Verdict
from lean_worker.session import Backend, Finding, Limits, SecondJudge, WorkerLost, is_always_there, provides
from lean_worker.statement import Statement, StatementError, check_header, is_harmless, split_imports, split_statement, without_module
from lean_worker.verdict_cache import VerdictCache
from lean_worker.warm import Recycling, WarmSessions

_ATTEMPTS = 3
_NO_STATEMENT = Statement("", 0, "", 0)


class StatementReport(msgspec.Struct, frozen=True):
    """Result of elaborating a statement: `elaborates` is None if unknown; `messages` are Lean's errors."""

    elaborates: bool | None
    messages: tuple[Message, ...] = ()


class PoolStatus(msgspec.Struct, frozen=True):
    """State of a pool: checks waiting and in progress, sessions alive and ever started, verdicts by kind, and resident bytes of all Lean
    processes."""

    waiting: int
    running: int
    workers: int
    sessions: int
    sessions_started: int
    verdicts: dict[str, int]
    memory_bytes: int


class Pool:
    """Thread-safe pool of Lean sessions that checks proofs, each isolated from all others.

    A check that hangs or crashes gets no verdict and cannot change that of another.

    Args:
        workers: number of concurrent Lean sessions.
        timeout: wall-clock limit of one check, in seconds.
        backend: how to run Lean. Default: the embedded Lean by fork; raises LeanUnavailable or BuildError if that is unavailable.
        batch: number of attempts on one statement, which is elaborated once for them, before another statement of the client has its turn.
        heartbeats: Lean's deterministic limit, in thousands of small allocations; `lean_worker.lean_config` explains the default.
        memory_bytes: memory limit of each process.
        trusted_headers: whether all headers come from a local user, a benchmark or a corpus; they may then contain any command.
        queue_limit: maximum number of waiting checks.
        warm: number of sessions to keep warm; at least `workers` are kept.
        recycling: when to replace a session by a fresh one.
        cache: verdicts stored on disk.
    """

    def __init__(
        self,
        workers: int = 2,
        timeout: float = 10.0,
        *,
        backend: Backend | None = None,
        batch: int = 32,
        heartbeats: int = 20_000,
        memory_bytes: int = 8 << 30,
        trusted_headers: bool = False,
        queue_limit: int = 1_000_000,
        warm: int = 0,
        recycling: Recycling | None = None,
        cache: VerdictCache | None = None,
    ) -> None:
        if workers < 1 or batch < 1 or queue_limit < 1:
            raise ValueError(f"workers, batch and queue_limit must be at least 1, not {workers}, {batch} and {queue_limit}")
        self._limits = Limits(seconds=timeout, heartbeats=heartbeats, memory_bytes=memory_bytes)
        self.backend: Backend = backend if backend is not None else ForkBackend()
        self.workers = workers
        self._queue_limit, self._cache, self._trusted = queue_limit, cache, trusted_headers
        self._queue = JobQueue(on_drop=self._drop, longest_run=batch)
        self._pending: dict[Question, Job] = {}
        self._running = 0
        self._verdicts: Counter[str] = Counter()
        self._recent_seconds = 0.05
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._sessions = WarmSessions(self.backend, self._limits, max(warm, workers), recycling or Recycling())
        self._closed = False
        self._second: SecondJudge | None = None

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the running Lean sessions."""
        return self._sessions.pids

    def describe(self) -> LeanDescription:
        """Return which Lean answers, and its limits."""
        about, judge = self.backend, self.backend.second_judge()
        if judge is not None:
            judge.close()
        tiers: tuple[Tier, ...] = ("fast",) if judge is None else ("fast", "slow")
        allowed = tuple(sorted(about.allowed))
        return LeanDescription(about.name, about.lean, about.library, about.imports, allowed, self._limits.heartbeats, tiers)

    def status(self) -> PoolStatus:
        pids = self._sessions.pids
        with self._changed:
            waiting, running, verdicts = len(self._queue), self._running, dict(self._verdicts)
        return PoolStatus(
            waiting, running, self.workers, len(pids), self._sessions.started, verdicts, sum(tree_memory(pid) for pid in pids)
        )

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def submit(self, check: Check, client: str = "", *, retry: bool = True) -> "Future[Verdict]":
        """Submit one check. Clients take turns; `Future.cancel` cancels a check that still waits.

        `retry` changes nothing here: a lost worker is replaced at once, up to three times, and nothing waits for one.
        A header or helpers of a named client run only in processes that serve no other client. Raises QueueFull if the queue is full.
        """
        unread = refused_unread(check)
        if unread is not None:
            return self._resolved(check.id, unread[0], (_note(unread[1]),))
        return self._submit(check, client)

    def check_many(self, checks: Iterable[Check]) -> list[Verdict]:
        """Return the verdicts of all checks in input order."""
        return [future.result() for future in [self.submit(check) for check in checks]]

    def check_statement(self, statement: str, header: str = "") -> StatementReport:
        """Return whether one statement, which ends in `:= by sorry` or `:= sorry`, elaborates."""
        return self.check_statements([statement], header)[0]

    def check_statements(self, statements: Sequence[str], header: str = "") -> list[StatementReport]:
        """Return whether each statement elaborates, in input order; much faster than one by one."""
        futures = [self._submit(Check(str(index), statement, "", header), proved=False) for index, statement in enumerate(statements)]
        return [_report(future.result()) for future in futures]

    def read_file(
        self,
        text: str,
        positions: Sequence[int] = (),
        holes: bool = True,
        client: str = "",
        *,
        tactics: bool = False,
        seconds: float | None = None,
        lookup: bool = False,
    ) -> "Future[FileReport]":
        """Let Lean read a whole file: the verdict on each theorem, its holes, and the goals at `positions` (offsets in code points).

        `tactics`: report all tactics with their goals as well. Each theorem has the time of one check; `seconds` limits the whole file
        further. If headers are not trusted, `filter_file` decides what the file may contain; with `lookup`, for a file of which only goals
        are wanted, it may also be what a header may be. Raises QueueFull if the queue is full.
        """
        text = text.replace("\r\n", "\n").removeprefix("\ufeff")
        future: Future[FileReport] = Future()
        try:
            opening, body = self._modules(without_module(text))
            allowed = self._trusted or (lookup and self._allows_header(body))
            refused = () if allowed else filter_file(body, self.backend.commands)
        except StatementError as error:
            line = error.line + text.rstrip("\n").count("\n") + 1 if error.line <= 0 else error.line
            future.set_result(FileReport("unreadable", (_note(str(error), line),)))
            return future
        except LexError as error:
            future.set_result(FileReport("unreadable", (_note(str(error), text.count("\n", 0, error.position) + 1),)))
            return future
        if refused:
            notes = (Message("error", each.line, each.column, each.line, each.column, each.rule) for each in refused)
            future.set_result(FileReport("forbidden", tuple(notes)))
            return future
        file = FileQuestion(body, tuple(positions), holes, tactics, seconds)
        question = Question(opening, "", _NO_STATEMENT, None, scope=self._scope(body, None, client), file=file)
        self._enqueue(question, "", client, future)
        return future

    def close(self) -> None:
        """End all processes; unfinished checks get no verdict."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            second = self._second
        self._sessions.close()
        if second is not None:
            second.close()
        for thread in self._threads:
            thread.join()

    def _submit(self, check: Check, client: str = "", proved: bool = True) -> "Future[Verdict]":
        """Submit a check, or only its statement if it is not `proved`."""
        commands = self.backend.commands
        check_id, candidate = check.id, None
        try:
            opening, header = self._opening(check.header)
            statement = split_statement(check.statement)
            if not self._trusted:
                check_header(f"{statement.context}\n{statement.text}", False, commands)
        except StatementError as error:
            return self._resolved(check_id, error.kind, (_note(str(error), error.line),))
        try:
            if proved:
                candidate = read_candidate(check.proof, check.helpers, statement, header, commands)
        except Refused as refused:
            return self._resolved(check_id, "hole" if refused.hole else "forbidden", (_note(str(refused)),))
        header_text = f"{header}\n{statement.context}" if statement.context else header
        question = Question(opening, header, statement, candidate, check.tier, self._scope(header_text, candidate, client))
        known = self._cache.get(question, self.backend, self._limits.heartbeats) if self._cache and candidate is not None else None
        future: Future[Verdict] = Future()
        if known is not None:
            future.set_result(msgspec.structs.replace(known, id=check_id))
            return future
        self._enqueue(question, check_id, client, future)
        return future

    def _enqueue(self, question: Question, check_id: str, client: str, future: "Future[Verdict] | Future[FileReport]") -> None:
        """Queue a question, or let the future wait for an equal one. Raises QueueFull."""
        with self._changed:
            if self._closed:
                raise RuntimeError("the pool is closed")
            twin = self._pending.get(question)
            if twin is not None:
                twin.waiting.append((check_id, future))
                self._queue.join(twin, client)
                return
            if len(self._queue) >= self._queue_limit:
                seconds = len(self._queue) * self._recent_seconds / self.workers
                raise QueueFull(len(self._queue), max(1, min(60, round(seconds))))
            job = Job(question, client, [(check_id, future)])
            self._pending[question] = job
            self._queue.put(job)
            if len(self._threads) < min(self.workers, len(self._pending)):
                thread = threading.Thread(target=self._work, name=f"lean-worker-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def _opening(self, header: str) -> tuple[str, str]:
        """Return prelude and imports, and the rest of the header. Raises StatementError if the header is not allowed."""
        opening, rest = self._modules(header)
        check_header(rest, self._trusted, self.backend.commands)
        return opening, rest

    def _allows_header(self, text: str) -> bool:
        try:
            check_header(text, self._trusted, self.backend.commands)
        except StatementError:
            return False
        return True

    def _modules(self, text: str) -> tuple[str, str]:
        """Return prelude and imports, and the rest of a text. Raises StatementError for modules that are not available."""
        modules, rest = split_imports(text.replace("\r\n", "\n"))
        for module, line in modules.items():
            if not provides(self.backend, module):
                known = ", ".join(sorted({*self.backend.imports, *self.backend.allowed}))
                raise StatementError(f"module {module} is not available here; allowed: {known}", line)
        own = [module for module in modules if not is_always_there(module)]
        opening = self.backend.prelude + "".join(f"import {module}\n" for module in own or self.backend.imports)
        return opening, rest

    def _scope(self, header: str, candidate: Candidate | None, client: str) -> str:
        """Return whose processes may run a check: the client's for a header or helpers, those of one header if it may contain code."""
        if header.strip() and self._trusted and not is_harmless(header, self.backend.commands):
            return f"code {client}"
        return client if header.strip() or (candidate is not None and candidate.helpers) else ""

    def _verdict(
        self,
        check_id: str,
        kind: Kind,
        messages: tuple[Message, ...] = (),
        axioms: tuple[str, ...] = (),
        seconds: float = 0.0,
        tier: Tier = "fast",
    ) -> Verdict:
        accepted = True if kind == "accepted" else None if kind in NO_VERDICT else False
        about = self.backend
        return Verdict(check_id, accepted, kind, messages, axioms, seconds, about.name, about.lean, about.library, tier)

    def _resolved(self, check_id: str, kind: Kind, messages: tuple[Message, ...]) -> "Future[Verdict]":
        with self._changed:
            self._verdicts[kind] += 1
        future: Future[Verdict] = Future()
        future.set_result(self._verdict(check_id, kind, messages))
        return future

    def _finish(self, job: Job, kind: Kind, answer: Answer | None = None, seconds: float = 0.0, note: str = "") -> None:
        messages: tuple[Message, ...] = (_note(note),) if note else ()
        axioms: tuple[str, ...] = ()
        if answer is not None:
            messages = answer.statement_errors if kind == "statement" else answer.messages
            axioms = answer.axioms or () if kind in ("accepted", "axiom") else ()
        self._deliver(job, self._verdict("", kind, messages, axioms, seconds))

    def _deliver(self, job: Job, verdict: Verdict, report: FileReport | None = None) -> None:
        """Resolve all futures that wait for the job, unless that has been done; those of a file get a report."""
        if job.question.file is not None:
            report = report or FileReport(verdict.kind, verdict.messages)
        with self._changed:
            if self._pending.get(job.question) is not job:
                return
            del self._pending[job.question]
            self._verdicts[verdict.kind] += 1
            if verdict.seconds:
                self._recent_seconds += 0.05 * (verdict.seconds - self._recent_seconds)
            waiting = list(job.waiting)
        for check_id, future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(report or msgspec.structs.replace(verdict, id=check_id))  # type: ignore[arg-type]
        if self._cache and verdict.accepted is not None and job.question.candidate is not None:
            self._cache.put(job.question, self.backend, self._limits.heartbeats, verdict)

    def _next(self, near: Question | None) -> Job | None:
        """Return the next job for a worker that answered `near` last, or None once the pool is closed."""
        with self._changed:
            while not self._closed:
                job = self._queue.take(near, self._sessions.idle_openings)
                if job is not None:
                    self._running += 1
                    return job
                self._changed.wait_for(lambda: self._closed or len(self._queue) > 0)
        return None

    def _drop(self, job: Job) -> None:
        self._pending.pop(job.question, None)

    def _work(self) -> None:
        """Run jobs in a worker thread, each in a session that is warm for it."""
        near: Question | None = None
        try:
            while (job := self._next(near)) is not None:
                near, began = job.question, time.monotonic()
                try:
                    self._run(job)
                except WorkerLost as lost:
                    self._requeue(job, str(lost))
                except Exception as error:  # answer all futures and continue, whatever the error
                    self._finish(job, "unavailable", note=f"{type(error).__name__}: {error}")
                finally:
                    with self._changed:
                        self._running -= 1
                        self._queue.charge(job, time.monotonic() - began)
        finally:
            self._abandon()

    def _abandon(self) -> None:
        with self._changed:
            left = list(self._pending.values()) if self._closed else []
        for job in left:
            self._finish(job, "unavailable", note="the pool was closed before the check was finished")

    def _requeue(self, job: Job, reason: str) -> None:
        """Requeue a job whose worker was lost; after several lost workers, the job gets no verdict."""
        job.attempts += 1
        if job.attempts >= _ATTEMPTS:
            self._finish(job, "unavailable", note=reason)
            return
        with self._changed:
            self._queue.put(job, front=True)
            self._changed.notify()

    def _run(self, job: Job) -> None:
        began = time.monotonic()
        warm = self._sessions.acquire(job.question)
        question = job.question
        try:
            finding = warm.session.run(question)
            if is_declared_already(finding.answer, question.statement):
                question = replace(question, header=f"{question.header}\n{apart(question.statement)}")
                finding = warm.session.run(question)
            if finding.answer.mismatch and question.candidate is not None and question.candidate.attachable and warm.session.usable:
                question = replace(question, candidate=question.candidate.attached)
                finding = warm.session.run(question)
        except BaseException:
            self._sessions.drop(warm)
            raise
        self._sessions.release(warm)
        seconds = time.monotonic() - began
        if finding.file is not None:
            report = msgspec.structs.replace(finding.file, seconds=seconds)
            self._deliver(job, self._verdict("", report.kind, seconds=seconds), report)
            return
        finished = finding.outcome == "exit" and not finding.code
        kind = kind_of(finding.answer, finished, question.candidate is not None)
        if kind is None:
            self._unfinished(job, finding, seconds)
        elif kind in ("forbidden", "mismatch", "unreadable") or finding.answer.refused:
            answer = finding.answer
            note = f"{answer.refused}, which is not allowed in a proof" if answer.refused else answer.mismatch or answer.unclear
            self._finish(job, kind, seconds=seconds, note=note)
        elif kind == "accepted" and question.tier == "slow":
            self._verify_slow(job, question, seconds)
        else:
            self._finish(job, kind, finding.answer, seconds)

    def _verify_slow(self, job: Job, question: Question, seconds: float) -> None:
        """Deliver the slow tier's verdict on a proof that the fast tier accepted, or no verdict if the backend has no slow tier."""
        with self._changed:
            if self._closed:
                raise WorkerLost("the pool is closed")
            if self._second is None:
                self._second = self.backend.second_judge(self._limits.seconds, self._limits.heartbeats)
        if self._second is None or question.candidate is None:
            self._finish(job, "unavailable", note=f"the backend {self.backend.name} has no slow tier: {self.backend.lacks}")
            return
        try:
            recheck = self._second.recheck(question.header, question.statement, question.candidate, question.opening)
        except OSError as error:
            self._finish(job, "unavailable", note=f"the slow tier failed: {error}")
            return
        messages = () if recheck.accepted else (_note(f"slow tier: {recheck.reason or recheck.kind}"),)
        seconds += sum(recheck.seconds.values())
        self._deliver(job, self._verdict("", recheck.kind, messages, recheck.axioms, seconds, "slow"))

    def _unfinished(self, job: Job, finding: Finding, seconds: float) -> None:
        """Deliver no verdict: Lean did not finish the check."""
        if finding.outcome == "timeout" and job.question.candidate is not None and job.question.candidate.sets_heartbeats:
            note = f"no answer within {self._limits.seconds:g} s; the proof sets its own maxHeartbeats"
            self._finish(job, "heartbeats", seconds=seconds, note=note)
            return
        if finding.outcome == "timeout":
            file, limit = job.question.file, self._limits.seconds
            self._finish(job, "timeout", seconds=seconds, note=f"no answer within {limit if file is None else file.limit(limit):g} s")
            return
        how = {"flood": "printed too much", "signal": f"died by signal {-finding.code}", "exit": f"ended with exit code {finding.code}"}
        self._finish(job, "crash", seconds=seconds, note=f"Lean {how[finding.outcome]} before the proof was verified")


def _report(verdict: Verdict) -> StatementReport:
    elaborates = None if verdict.accepted is None else verdict.kind == "accepted"
    return StatementReport(elaborates, verdict.messages)


def _note(text: str, line: int = 1) -> Message:
    return Message("error", line, 0, line, 0, text)
