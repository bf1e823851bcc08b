"""Submission of HTTP requests to the pool: non-blocking, counted, and cancelled when the client disconnects."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from fastapi import HTTPException, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lean_worker.files import FileReport
from lean_worker.http import hung_up, offload
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict
from lean_worker.service.metrics import Metrics
from lean_worker.service.settings import ServiceSettings
from lean_worker.service.totals import ReplicaState
from lean_worker.service.wire import VerifyRequest, answer

T = TypeVar("T")

_SAMPLE = 16  # checks of a batch from whose size the total is estimated
_AT_ONCE = 128  # futures that the event loop handles before it yields


@dataclass(frozen=True)
class Service:
    """Pool, settings and metrics shared by all routes; `summed`, if given, adds the states of the other replicas to this one's."""

    pool: Pool
    settings: ServiceSettings
    metrics: Metrics
    summed: Callable[[ReplicaState], Awaitable[ReplicaState]] | None = None

    def own_state(self) -> ReplicaState:
        """Return the state of this pool and its metrics. Reads /proc, so do not call it on the event loop."""
        return ReplicaState(self.pool.status(), self.metrics.text())

    async def state(self) -> ReplicaState:
        """Return state and metrics, summed over all replicas."""
        own = await asyncio.to_thread(self.own_state)
        return own if self.summed is None else await self.summed(own)


async def submit(service: Service, checks: Sequence[Check], client: str) -> list[asyncio.Future[Verdict]]:
    """Submit all checks or none; cancelling a future cancels its check.

    Raises QueueFull if there is no room, and HTTPException 503 if the pool is closed.
    """
    futures: list[Future[Verdict]] = []
    abandoned = threading.Event()

    def cancel_all() -> None:
        for future in list(futures):
            future.cancel()

    def submit_all() -> None:
        try:
            for check in checks:
                if abandoned.is_set():
                    break
                futures.append(service.pool.submit(check, client))
        except BaseException as error:
            abandoned.set()
            if isinstance(error, RuntimeError):
                raise HTTPException(503, f"{error}; use another service", {"Retry-After": "5"}) from error
            raise
        finally:
            if abandoned.is_set():
                cancel_all()

    began = time.monotonic()

    def count(future: asyncio.Future[Verdict]) -> None:
        if not future.cancelled() and future.exception() is None:
            service.metrics.answered(future.result(), time.monotonic() - began)

    try:
        # reading a long proof takes milliseconds, and so does a lookup in the cache on disk
        await offload(sum(_size(check) for check in checks[:_SAMPLE]) * max(1, len(checks) // _SAMPLE), submit_all)
    except asyncio.CancelledError:
        abandoned.set()
        cancel_all()
        raise
    answers: list[asyncio.Future[Verdict]] = []
    try:
        for future in futures:
            answers.append(asyncio.wrap_future(future))
            answers[-1].add_done_callback(count)
            await _let_others_run(len(answers))
    except asyncio.CancelledError:
        cancel_all()
        raise
    return answers


async def _let_others_run(done: int) -> None:
    if done % _AT_ONCE == 0:
        await asyncio.sleep(0)


def _size(check: Check) -> int:
    return len(check.statement) + len(check.header) + len(check.proof)


async def ask(service: Service, check: Check, client: str) -> Verdict:
    """Return the verdict of one check; cancel the check if the caller is cancelled."""
    return await (await submit(service, [check], client))[0]


async def ask_file(service: Service, text: str, client: str, seconds: float | None, tactics: bool = False) -> FileReport:
    """Return what Lean says about a file; cancel the question if the caller is cancelled. `seconds` limits its time.

    Raises QueueFull if there is no room, and HTTPException 503 if the pool is closed.
    """
    futures: list[Future[FileReport]] = []
    abandoned = threading.Event()

    def submit_file() -> None:
        try:
            futures.append(service.pool.read_file(text, client=client, tactics=tactics, seconds=seconds))
        except RuntimeError as error:
            raise HTTPException(503, f"{error}; use another service", {"Retry-After": "5"}) from error
        if abandoned.is_set():
            futures[0].cancel()

    began = time.monotonic()
    try:
        await offload(len(text), submit_file)
        report = await asyncio.wrap_future(futures[0])
    except asyncio.CancelledError:
        abandoned.set()
        for future in futures:
            future.cancel()
        raise
    service.metrics.answered(report, time.monotonic() - began)
    return report


async def together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Return all results in order; if one fails, the others are cancelled."""
    tasks: list[asyncio.Future[T]] = []
    try:
        for coroutine in work:
            tasks.append(asyncio.ensure_future(coroutine))
            await _let_others_run(len(tasks))
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        for coroutine in work[len(tasks) :]:
            coroutine.close()


def client_name(request: Request, settings: ServiceSettings) -> str:
    """Return the name under which the queue schedules the request: X-Client, else the peer's address."""
    named = request.headers.get("x-client", "")
    require_short("X-Client", named, settings.max_client)
    return f"name:{named}" if named else f"address:{request.client.host if request.client else ''}"


def require_short(name: str, text: str, most: int) -> None:
    """Raise HTTPException 422 for a text of more than `most` characters."""
    if len(text) > most:
        raise HTTPException(422, f"{name} has {len(text)} characters, more than {most}; shorten it")


def require_count(what: str, names: Sequence[str], most: int) -> None:
    """Raise HTTPException 422 for a request without parts, with more than `most` parts, or with duplicate names."""
    if not 1 <= len(names) <= most:
        raise HTTPException(422, f"{what}: a request must hold 1 to {most}, not {len(names)}; split it")
    if len(set(names)) < len(names):
        raise HTTPException(422, f"{what}: two have the same id; use unique ids")


def within_limits(settings: ServiceSettings, requests: Sequence[VerifyRequest]) -> list[Check]:
    """Return the requested checks. Raise HTTPException 422 for a field that is too long."""
    for asked in requests:
        require_short("id", asked.id, settings.max_id)
        require_short("statement", asked.statement, settings.max_statement)
        require_short("header", asked.header, settings.max_header)
        require_short("proof", asked.proof, settings.max_proof)
    return [asked.check() for asked in requests]


class AnswerLines(Response):
    """Response of JSON lines, one per verdict as soon as it is known. Cancels the remaining checks if the client disconnects."""

    media_type = "application/x-ndjson"

    def __init__(self, futures: Sequence[asyncio.Future[Verdict]]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._futures = futures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ready: asyncio.Queue[asyncio.Future[Verdict] | None] = asyncio.Queue()
        disconnected = asyncio.ensure_future(hung_up(receive))
        disconnected.add_done_callback(lambda _: ready.put_nowait(None))
        for future in self._futures:
            future.add_done_callback(ready.put_nowait)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            left = len(self._futures)
            while left:
                batch = [await ready.get()]
                while not ready.empty() and len(batch) < _AT_ONCE:
                    batch.append(ready.get_nowait())
                if None in batch:
                    return
                lines = [msgspec.json.encode(answer(future.result())) + b"\n" for future in batch if future is not None]
                left -= len(lines)
                await send({"type": "http.response.body", "body": b"".join(lines), "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            disconnected.cancel()
            for future in self._futures:
                future.cancel()
