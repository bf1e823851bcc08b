"""Questions of the tools to a pool: they wait without a thread, and are cancelled with the caller."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from lean_worker.errors import LeanWorkerError
from lean_worker.files import FileReport
from lean_worker.pool import Pool
from lean_worker.protocol import NO_VERDICT, Check, Kind, Message, Verdict

T = TypeVar("T")
P = ParamSpec("P")


class ToolError(LeanWorkerError):
    """A tool cannot answer the question as it was asked; the message names the argument and the remedy."""


class Lean(Protocol):
    """What the tools need of Lean."""

    async def read(self, text: str, positions: Sequence[int] = (), holes: bool = False) -> FileReport:
        """Return what Lean says about a file, with the goals at `positions`, offsets in code points."""
        ...

    async def verify(self, checks: Sequence[Check]) -> list[Verdict]:
        """Return the verdicts in input order."""
        ...


@dataclass(frozen=True)
class PoolLean:
    """A pool as one of its clients sees it. Raises QueueFull if the queue is full, and RuntimeError if the pool is closed."""

    pool: Pool
    client: str = ""

    async def read(self, text: str, positions: Sequence[int] = (), holes: bool = False) -> FileReport:
        return await asyncio.wrap_future(await _started(self.pool.read_file, text, positions, holes, self.client, lookup=True))

    async def verify(self, checks: Sequence[Check]) -> list[Verdict]:
        futures: list[asyncio.Future[Verdict]] = []
        try:
            for check in checks:
                futures.append(asyncio.wrap_future(await _started(self.pool.submit, check, self.client)))
            return await asyncio.gather(*futures)
        finally:
            for future in futures:
                future.cancel()


async def _started(submit: Callable[P, Future[T]], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Return the future of a question that is submitted in a thread; it is cancelled if the caller is cancelled meanwhile."""
    submitting = asyncio.ensure_future(asyncio.to_thread(submit, *args, **kwargs))

    def cancel(done: asyncio.Future[Future[T]]) -> None:
        if not done.cancelled() and done.exception() is None:
            done.result().cancel()

    try:
        return await asyncio.shield(submitting)
    except asyncio.CancelledError:
        submitting.add_done_callback(cancel)
        raise


def was_read(kind: Kind) -> bool:
    """Return whether a report of this kind says what Lean found in a file: there was an answer, and the file was allowed."""
    return kind not in NO_VERDICT and kind not in ("statement", "forbidden")


def plain(text: str) -> str:
    """Return a text as Lean reads it, with its line ends and without a byte order mark."""
    return text.replace("\r\n", "\n").removeprefix("\ufeff")


def errors(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages that are errors."""
    return tuple(message for message in messages if message.severity == "error")
