"""State shared by all routes: the engine, active requests, pausing and weight updates."""

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

SMALL_BODY = 64 << 10  # bytes; smaller bodies are bounded by the connection limit


class Full(Exception):
    """A limit on concurrent work is reached; the client may retry later."""


class Service:
    """Engine and its active requests, for use on one event loop."""

    def __init__(self, engine: JaxEngine, codec: Codec, settings: ServerSettings, folder: Path | None = None) -> None:
        self.engine, self.codec, self.settings = engine, codec, settings
        self.metrics = Metrics(engine)
        self.folder = folder
        self.checksum = checksum(engine.params)
        self.active_samples = 0  # running and queued samples
        self.large_bytes = 0  # of large bodies being read and converted to prompts
        self._in_flight: set[Generation] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._loading = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        engine.ended.add_done_callback(lambda _: self._engine_ended())

    @property
    def failure(self) -> str | None:
        """Reason why the engine has stopped, or None while it runs."""
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
        """Count `samples` as active until the returned stack is closed.

        Raises:
          InputError: The number exceeds the limit of one request.
          Full: Too many samples are active.
          EngineError: The engine has failed or is closed.
        """
        if samples > self.settings.max_samples:
            raise InputError(f"the request has {samples} completions; the limit is {self.settings.max_samples}, split the request")
        if self.failure is not None:
            raise EngineError(self.failure)
        if self.active_samples + samples > self.settings.queue_limit:
            limit = self.settings.queue_limit
            raise Full(f"{self.active_samples} samples are running or queued; the limit is {limit}, try again later")
        return self._hold("active_samples", samples)

    def reserve_body(self, headers: Mapping[str, str]) -> ExitStack:
        """Count a large request body until the returned stack is closed; raise Full if too many bytes are in progress."""
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
        """Generate all samples; cancelling the call cancels them. The samples must be reserved."""
        self._in_flight.update(generations)
        try:
            await self._run(generations)
        finally:
            self._in_flight.difference_update(generations)

    async def stream(self, generations: Sequence[Generation]) -> AsyncIterator[tuple[int, int]]:
        """Yield (generation number, sample number) whenever a sample has grown or ended; closing the iterator cancels unfinished samples.

        The samples must be reserved.
        """
        self._in_flight.update(generations)
        try:
            changed: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue()

            async def watch(number: int, generation: Generation) -> None:
                async for sample in generation.changes():
                    changed.put_nowait((number, sample))

            async def run_all() -> None:
                watchers = [asyncio.ensure_future(watch(number, generation)) for number, generation in enumerate(generations)]
                try:
                    await self._run(generations)
                    await asyncio.gather(*watchers)
                finally:
                    for watcher in watchers:
                        watcher.cancel()
                    changed.put_nowait(None)

            work = asyncio.ensure_future(run_all())
            try:
                while (change := await changed.get()) is not None:
                    yield change
                await work
            finally:
                work.cancel()
        finally:
            self._in_flight.difference_update(generations)

    def abort(self, identity: str | None) -> None:
        """Abort the generations of request `identity`, or all of them if None; they keep the tokens generated so far."""
        for generation in list(self._in_flight):
            if identity is None or generation.identity.split("/")[0] == identity:
                generation.abort()

    def pause(self) -> None:
        """Abort running requests; new ones wait for `resume`. Raise EngineError if the engine has failed or is closed."""
        if self.failure is not None:
            raise EngineError(self.failure)
        self._loop = asyncio.get_running_loop()
        self._open.clear()
        self.abort(None)

    def resume(self) -> None:
        """Let waiting requests run."""
        self._open.set()

    async def update_weights(self, folder: Path, version: int | None, abort: bool = False) -> None:
        """Load the weights in `folder` and use them for all requests that start afterwards.

        Args:
          folder: Model folder in Hugging Face format.
          version: New version number; None for the previous one plus one.
          abort: Abort running requests instead of letting them finish with the old weights.

        Raises:
          InputError: The folder does not hold the same model; nothing is changed or aborted.
        """
        async with self._loading:
            if not await asyncio.to_thread(_is_folder, folder):
                shown = str(folder)[:200]
                raise InputError(f"model_path {shown!r} is not a directory on the server; write the weights where the server can read them")
            try:
                _, params = await asyncio.to_thread(load_hf, folder, self.engine.mesh, self.engine.config)
            except (ValueError, OSError) as error:
                raise error if isinstance(error, InputError) else InputError(f"model_path {folder} cannot be loaded: {error}") from error
            if abort:
                self.abort(None)
            new_version = self.engine.version + 1 if version is None else version
            in_use = await asyncio.to_thread(self.engine.publish, params, new_version, donate=True)
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
        """Release requests that wait for the end of a pause, so that they fail with the engine's error. Called on the device thread."""
        if self._loop is not None:
            call_on(self._loop, self._open.set)


def _is_folder(path: Path) -> bool:
    with suppress(OSError):  # a name that is too long
        return path.is_dir()
    return False
