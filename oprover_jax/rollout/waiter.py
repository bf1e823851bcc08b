"""Between the device's thread and the event loops of those who wait for it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from oprover_jax.rollout.engine import EngineError, OnTokens
from oprover_jax.rollout.job import Job


class Waiter:
    """A job and the task of some event loop that awaits it. To be made on that loop."""

    def __init__(self, job: Job, on_tokens: OnTokens | None) -> None:
        self.job = job
        self.on_tokens = on_tokens
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()

    def wake(self, failure: BaseException | None = None) -> None:
        """Called on the device thread."""
        call_on(self.loop, self.settle, failure)

    def settle(self, failure: BaseException | None) -> None:
        """Called on the event loop."""
        if self.future.done():
            return
        if failure is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(failure)


def call_on(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: Any) -> None:
    """Called on the device thread. A loop that has closed, or closes in this very moment, awaits nothing."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, *arguments)


def first_line(error: BaseException) -> str:
    """The error's kind and the beginning of what it says: JAX's messages have many lines."""
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0][:300]}" if said else type(error).__name__


def engine_error(reason: str, failure: BaseException | None) -> EngineError:
    """An EngineError whose cause is `failure`."""
    error = EngineError(reason)
    error.__cause__ = failure
    return error
