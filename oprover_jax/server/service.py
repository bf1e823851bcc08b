"""What every route works with: the engine, who is being served, the gate that a pause closes, and the way to new weights."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from oprover_jax.data.codec import Codec
from oprover_jax.errors import InputError
from oprover_jax.models.hf.load import load_hf
from oprover_jax.rollout.checksum import checksum
from oprover_jax.rollout.engine import EngineError
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.waiter import call_on
from oprover_jax.server.generation import Generation
from oprover_jax.server.metrics import Metrics
from oprover_jax.server.settings import ServerSettings

SMALL_BODY = 64 << 10  # bytes; the connections are few enough for these


class Full(Exception):
    """No room for so much more; try again later."""


class Service:
    """One engine with its clients. For one event loop."""

    def __init__(self, engine: JaxEngine, codec: Codec, settings: ServerSettings, folder: Path | None = None) -> None:
        self.engine, self.codec, self.settings = engine, codec, settings
        self.metrics = Metrics(engine)
        self.folder = folder
        self.checksum = checksum(engine.params)
        self.under_way = 0  # samples that are drawn or wait
        self.large_bytes = 0  # of bodies that are read, decoded and made into prompts
        self._in_flight: set[Generation] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._loading = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        engine.ended.add_done_callback(lambda _: self._engine_ended())

    @property
    def failure(self) -> str | None:
        """Why nothing can be drawn any more; None while the engine lives."""
        return self.engine.failure or ("the engine is closed" if self.engine.ended.done() else None)

    @property
    def paused(self) -> bool:
        return not self._open.is_set()

    @property
    def status(self) -> str:
        if self.failure is not None:
            return "failed" if self.engine.failure else "closed"
        return "paused" if self.paused else "ready"

    def reserve(self, samples: int) -> ExitStack:
        """Count `samples` more as in progress until the stack is closed.

        Raises:
          InputError: for a number that one request may never have.
          Full: where there is no room.
          EngineError: where nothing can be drawn.
        """
        if samples > self.settings.max_samples:
            raise InputError(f"{samples} completions are asked for at once and {self.settings.max_samples} may be; split the request")
        if self.failure is not None:
            raise EngineError(self.failure)
        if self.under_way + samples > self.settings.queue_limit:
            limit = self.settings.queue_limit
            raise Full(f"{self.under_way} samples are in progress or wait and {limit} may; try again later")
        return self._hold("under_way", samples)

    def reserve_body(self, headers: Mapping[str, str]) -> ExitStack:
        """Count the body that comes after `headers` until the stack is closed, if it is large. Full where there is no room."""
        most = self.settings.max_body_bytes
        declared = headers.get("content-length", "")
        chunked = most if "transfer-encoding" in headers else 0
        size = min(int(declared), most) if declared.isdigit() and len(declared) < 19 else chunked
        if size <= SMALL_BODY:
            return ExitStack()
        if self.large_bytes + size > max(most, self.settings.max_large_bytes):
            raise Full(f"{self.large_bytes} bytes of large requests are being read; try again later")
        return self._hold("large_bytes", size)

    def _hold(self, name: str, more: int) -> ExitStack:
        held = ExitStack()
        setattr(self, name, getattr(self, name) + more)
        held.callback(lambda: setattr(self, name, getattr(self, name) - more))
        return held

    async def complete(self, generations: Sequence[Generation]) -> None:
        """Draws them all. Cancelling it withdraws them. To be called where their samples are reserved."""
        self._in_flight.update(generations)
        try:
            await self._run(generations)
        finally:
            self._in_flight.difference_update(generations)

    async def stream(self, generations: Sequence[Generation]) -> AsyncIterator[tuple[int, int]]:
        """(number of the generation, number of the sample) whenever one has grown or ended. Closing it withdraws what is unfinished. To be
        called where their samples are reserved."""
        self._in_flight.update(generations)
        try:
            changed: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue()

            async def watch(number: int, generation: Generation) -> None:
                async for sample in generation.changes():
                    changed.put_nowait((number, sample))

            async def all_of_them() -> None:
                watchers = [asyncio.ensure_future(watch(number, generation)) for number, generation in enumerate(generations)]
                try:
                    await self._run(generations)
                    await asyncio.gather(*watchers)
                finally:
                    for watcher in watchers:
                        watcher.cancel()
                    changed.put_nowait(None)

            work = asyncio.ensure_future(all_of_them())
            try:
                while (change := await changed.get()) is not None:
                    yield change
                await work
            finally:
                work.cancel()
        finally:
            self._in_flight.difference_update(generations)

    def abort(self, identity: str | None) -> None:
        """Ends the generations whose identity begins so, or all of them, with what they have."""
        for generation in list(self._in_flight):
            if identity is None or generation.identity.split("/")[0] == identity:
                generation.abort()

    def pause(self) -> None:
        """Abort running requests; new ones wait for `go_on`. Raise EngineError if the engine has failed or is closed."""
        if self.failure is not None:
            raise EngineError(self.failure)
        self._loop = asyncio.get_running_loop()
        self._open.clear()
        self.abort(None)

    def go_on(self) -> None:
        self._open.set()

    async def update_weights(self, folder: Path, version: int | None, abort: bool = False) -> None:
        """Serves the weights in `folder` from now on: what has started ends with the old ones, or at once with `abort`; what waits begins
        with the new.

        InputError, and nothing changed or aborted, where the folder does not hold the same model.
        """
        async with self._loading:
            if not await asyncio.to_thread(_is_folder, folder):
                shown = str(folder)[:200]
                raise InputError(f"model_path {shown!r} is not a folder on this machine; write the weights where the server can read them")
            try:
                _, params = await asyncio.to_thread(load_hf, folder, self.engine.mesh, self.engine.config)
            except (ValueError, OSError) as error:
                raise error if isinstance(error, InputError) else InputError(f"model_path {folder} cannot be loaded: {error}") from error
            if abort:
                self.abort(None)
            wanted = self.engine.version + 1 if version is None else version
            in_use = await asyncio.to_thread(self.engine.publish, params, wanted, donate=True)
            await asyncio.wrap_future(in_use)
            self.checksum = await asyncio.to_thread(checksum, self.engine.params)
            self.folder = folder

    async def _run(self, generations: Sequence[Generation]) -> None:
        began = time.monotonic()
        await self._open.wait()
        tasks = [asyncio.ensure_future(generation.run(self.engine)) for generation in generations]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        self.metrics.answered(time.monotonic() - began)
        for sample in (sample for generation in generations for sample in generation.samples):
            self.metrics.ended(sample.finish.kind if sample.finish else "unfinished")

    def _engine_ended(self) -> None:
        """Called on the device thread: those who wait for the end of a pause are let through, to their error."""
        if self._loop is not None:
            call_on(self._loop, self._open.set)


def _is_folder(path: Path) -> bool:
    with suppress(OSError):  # a name that is too long
        return path.is_dir()
    return False
