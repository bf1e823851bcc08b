"""Between HTTP and the pool: submit without blocking the event loop, count what comes back, withdraw what nobody waits for any more."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lean_worker.http import hung_up
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict
from lean_worker.service.metrics import Metrics
from lean_worker.service.settings import ServiceSettings
from lean_worker.service.wire import answer

T = TypeVar("T")


@dataclass(frozen=True)
class Service:
    """What every route needs."""

    pool: Pool
    settings: ServiceSettings
    metrics: Metrics


async def submit(service: Service, checks: Sequence[Check], client: str) -> list[asyncio.Future[Verdict]]:
    """All checks or none of them. Raises QueueFull where there is no room; cancelling a future withdraws its check."""
    futures: list[Future[Verdict]] = []

    def submit_all() -> None:
        try:
            futures.extend(service.pool.submit(check, client) for check in checks)
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    began = time.monotonic()

    def count(future: asyncio.Future[Verdict]) -> None:
        if not future.cancelled() and future.exception() is None:
            service.metrics.answered(future.result(), time.monotonic() - began)

    await asyncio.to_thread(submit_all)  # a long proof takes milliseconds to screen, a cached one a look at the disk
    answers = [asyncio.wrap_future(future) for future in futures]
    for future in answers:
        future.add_done_callback(count)
    return answers


async def ask(service: Service, check: Check, client: str) -> Verdict:
    """The verdict of one check; withdraws it where the caller is cancelled."""
    return await (await submit(service, [check], client))[0]


async def together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; where one fails, the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def client_name(request: Request) -> str:
    """Whose turn it is: X-Client, else the peer's address."""
    named = request.headers.get("x-client", "")[:200]
    return f"name:{named}" if named else f"address:{request.client.host if request.client else ''}"


class AnswerLines(Response):
    """JSON lines, one for each verdict as soon as it is there. What is not answered when the client hangs up is withdrawn."""

    media_type = "application/x-ndjson"

    def __init__(self, futures: Sequence[asyncio.Future[Verdict]]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._futures = futures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ready: asyncio.Queue[asyncio.Future[Verdict] | None] = asyncio.Queue()
        gone = asyncio.ensure_future(hung_up(receive))
        gone.add_done_callback(lambda _: ready.put_nowait(None))
        for future in self._futures:
            future.add_done_callback(ready.put_nowait)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            left = len(self._futures)
            while left:
                batch = [await ready.get()]
                while not ready.empty():
                    batch.append(ready.get_nowait())
                if None in batch:
                    return
                lines = [msgspec.json.encode(answer(future.result())) + b"\n" for future in batch if future is not None]
                left -= len(lines)
                await send({"type": "http.response.body", "body": b"".join(lines), "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            for future in self._futures:
                future.cancel()
