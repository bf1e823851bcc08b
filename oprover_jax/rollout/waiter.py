"""Communication from the device thread to the event loops of waiting callers."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from oprover_jax.rollout.engine import EngineError, OnTokens
from oprover_jax.rollout.job import Job


class Waiter:
    """Job with the future that its caller awaits; must be created on the caller's event loop."""

    def __init__(self, job: Job, on_tokens: OnTokens | None) -> None:
        self.job = job
        self.on_tokens = on_tokens
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()

    def wake(self, failure: BaseException | None = None) -> None:
        """Finish the future from the device thread, with an error if given."""
        call_on(self.loop, self.settle, failure)

    def settle(self, failure: BaseException | None) -> None:
        """Finish the future on its event loop, with an error if given."""
        if self.future.done():
            return
        if failure is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(failure)


def call_on(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: Any) -> None:
    """Schedule a callback on an event loop from the device thread; a closed loop is ignored, because nothing awaits it."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, *arguments)


def first_line(error: BaseException) -> str:
    """Return the type and the beginning of the message of an error; JAX messages have many lines."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def engine_error(reason: str, failure: BaseException | None) -> EngineError:
    """Return an EngineError with the cause `failure`."""
    error = EngineError(reason)
    error.__cause__ = failure
    return error
