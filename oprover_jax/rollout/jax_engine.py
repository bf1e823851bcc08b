"""The in-process engine: continuous batching on the project's own Qwen3, behind the `Engine` protocol.

One thread owns the device. It prefills waiting requests, moves their samples into free slots of the KV cache, decodes all slots a few
tokens at a time and answers the event loop. A request is prefilled once, whatever its number of samples.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from oprover_jax.errors import InputError
from oprover_jax.models import cache as kv
from oprover_jax.models.qwen3 import Params, Qwen3Config, abstract_params
from oprover_jax.rollout import programs
from oprover_jax.rollout.engine import Completion, EngineError, OnTokens, Request
from oprover_jax.rollout.job import Job, Limits
from oprover_jax.rollout.scheduler import Scheduler
from oprover_jax.rollout.waiter import Waiter, call_on, engine_error, first_line
from oprover_jax.sharding import mesh_axes


@dataclass(frozen=True)
class EngineStats:
    """Totals since the start. `seconds` is the time the device thread had work; `waiting` and `decoding` are the state now."""

    prompt_tokens: int = 0
    generated_tokens: int = 0
    completions: int = 0
    decode_steps: int = 0
    seconds: float = 0.0
    waiting: int = 0
    decoding: int = 0


class JaxEngine:
    """Samples from `params` on `mesh`. Safe to call from any number of tasks and event loops; use as a context manager or `close()`.

    `slots` sequences of up to `max_len` tokens (prompt and completion) are decoded at once. Other keywords: see `Limits`; prefill
    batches are rounded up to what divides over the mesh.

    A request that raises on its way fails alone. Where the device itself fails, the engine has failed for good: `failure` says why, whoever
    waits raises EngineError, and `ended` holds the error. `ended` is done, too, when the engine was closed.
    """

    def __init__(
        self,
        config: Qwen3Config,
        params: Params,
        mesh: Mesh,
        *,
        slots: int = 128,
        max_len: int = 256,
        prefill_batches: tuple[int, ...] = (1, 8),
        version: int = 0,
        **limits: int,
    ) -> None:
        self.config, self.mesh = config, mesh
        split = math.prod(mesh.shape[axis] for axis in mesh_axes("batch"))
        batches = tuple(sorted({-(-batch // split) * split for batch in prefill_batches}))
        self.limits = Limits(slots=slots, max_len=max_len, prefill_batches=batches, **limits)
        self._params, self._version = self._own(params), version
        with jax.set_mesh(mesh):
            cache = kv.init_cache(config, slots, max_len, mesh)
            self._state = programs.DeviceState(cache, jnp.zeros((slots, config.hidden_size), config.dtype))
        self._scheduler = Scheduler(self.limits)
        self._waiters: dict[Job, Waiter] = {}
        self._inbox: deque[Callable[[], None]] = deque()
        self._next: tuple[Params, int] | None = None
        self._awaiting_weights: list[Future[None]] = []
        self._to_score: deque[tuple[np.ndarray, Future[list[float]]]] = deque()
        self._news: list[tuple[Waiter, int, list[int], list[float]]] = []
        self._stats = EngineStats()
        self._failure: BaseException | None = None
        self._closing = False
        self.ended: Future[None] = Future()
        self.ended.set_running_or_notify_cancel()  # nobody can cancel it
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="jax-engine", daemon=True)
        self._thread.start()

    async def generate(self, request: Request, on_tokens: OnTokens | None = None) -> list[Completion]:
        """`request.samples` completions, in order, all by one version of the weights. Cancelling the task frees its slots.

        `on_tokens` is called on the caller's event loop for every sample and decode chunk. Where it returns True the sample's completion
        ends soon after, with finish_reason "stop"; it may hold tokens that were drawn meanwhile. Where it raises, the request fails.

        Raises:
          InputError: (a ValueError) for a request that cannot fit, or with ids that the model does not have.
          EngineError: when the engine is closed or has failed, or this request did.
        """
        self.limits.check(request)
        self._check_ids(request.prompt_ids)
        waiter = Waiter(Job(request), on_tokens)
        if on_tokens is not None:
            waiter.job.on_tokens = lambda sample, ids, logprobs: self._news.append((waiter, sample, ids, logprobs))
        self._post(lambda: self._submit(waiter))
        try:
            await waiter.future
        except asyncio.CancelledError:
            self._post(lambda: self._cancel(waiter), strict=False)
            raise
        return [completion for completion in waiter.job.completions if completion is not None]

    async def score(self, token_ids: Sequence[int]) -> list[float]:
        """Log-probability at temperature 1 of each token after the first, by the weights in use. InputError and EngineError as above."""
        self.limits.check_prompt(len(token_ids))
        self._check_ids(token_ids)
        ids = np.array(token_ids, np.int32)
        scored: Future[list[float]] = Future()
        self._post(lambda: self._to_score.append((ids, scored)))
        return await asyncio.wrap_future(scored)

    def publish(self, params: Params, version: int, *, donate: bool = False) -> Future[None]:
        """Samples every request that has not started yet from a copy of `params`; those that have, finish on their own weights.

        The caller may donate or delete its arrays afterwards; with `donate` they are taken over where their layout allows. Returns at
        once: the future is done when the new weights, or newer ones, are in use. Completions carry the version that drew them.
        """
        owned = self._own(params, donate)
        in_use: Future[None] = Future()
        self._post(lambda: self._expect(owned, version, in_use))
        return in_use

    @property
    def version(self) -> int:
        """That of the weights in use."""
        return self._version

    @property
    def failure(self) -> str | None:
        """Why the engine has failed; None where it has not."""
        return None if self._failure is None else f"the engine failed: {first_line(self._failure)}"

    @property
    def params(self) -> Params:
        """The weights in use; not to be donated."""
        return self._params

    def stats(self) -> EngineStats:
        """Totals and the present load, for a progress display; may be called from any thread."""
        return replace(self._stats, waiting=self._scheduler.waiting, decoding=self._scheduler.decoding)

    def close(self) -> None:
        """Ends the device thread after the step that it is in; requests still awaited raise EngineError. May be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def __enter__(self) -> "JaxEngine":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _own(self, params: Params, donate: bool = False) -> Params:
        """A copy of `params` laid out for this engine's mesh."""
        wanted = abstract_params(self.config, self.mesh)
        if jax.tree.map(np.shape, params) != jax.tree.map(np.shape, wanted):
            raise InputError("the parameters do not have the shapes of the engine's model; publish weights of the same Qwen3Config")
        how = {"donate": True} if donate else {"may_alias": False}
        return jax.tree.map(lambda x, like: jax.device_put(x, like.sharding, **how), params, wanted)

    def _check_ids(self, token_ids: Sequence[int]) -> None:
        least, most, vocabulary = min(token_ids), max(token_ids), self.config.vocab_size
        if least < 0 or most >= vocabulary:
            raise InputError(f"the prompt holds the id {least if least < 0 else most}; the model's ids go from 0 to {vocabulary - 1}")

    def _post(self, action: Callable[[], None], strict: bool = True) -> None:
        with self._changed:
            if self._failure is not None or self._closing:
                if strict:
                    raise EngineError(self.failure or "the engine is closed") from self._failure
                return
            self._inbox.append(action)
            self._changed.notify()

    def _submit(self, waiter: Waiter) -> None:
        self._waiters[waiter.job] = waiter
        self._scheduler.submit(waiter.job)

    def _cancel(self, waiter: Waiter) -> None:
        if self._waiters.pop(waiter.job, None):
            self._scheduler.cancel(waiter.job)

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            with jax.set_mesh(self.mesh):
                while self._take_orders():
                    began = time.monotonic()
                    self._swap_weights()
                    self._score()
                    self._admit()
                    self._decode()
                    self._dismiss()
                    self._count(seconds=time.monotonic() - began)
        except BaseException as error:  # whatever it was, those who wait must hear of it
            failure = error
        with self._changed:
            self._failure, self._closing = failure, True
            while self._inbox:
                with suppress(Exception):  # what the failure left behind may be anything; those who have just asked must be found
                    self._inbox.popleft()()
        reason = self.failure or "the engine was closed before the request was finished"
        for waiter in self._waiters.values():
            waiter.wake(engine_error(reason, failure))
        self._waiters.clear()
        promises: list[Future[Any]] = [*self._awaiting_weights, *(scored for _, scored in self._to_score)]
        for promised in promises:
            if promised.set_running_or_notify_cancel():
                promised.set_exception(engine_error(reason, failure))
        if failure is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(engine_error(reason, failure))

    def _take_orders(self) -> bool:
        """Waits until there is something to do and carries out what was asked; False when the engine is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._inbox or self._next or self._scheduler.waiting or self._scheduler.started)
            while self._inbox and not self._closing:
                self._inbox.popleft()()
            return not self._closing

    def _expect(self, params: Params, version: int, in_use: Future[None]) -> None:
        self._next = (params, version)
        self._awaiting_weights.append(in_use)

    def _swap_weights(self) -> None:
        if self._next is not None and not self._scheduler.started:
            (self._params, self._version), self._next = self._next, None
            while self._awaiting_weights:
                in_use = self._awaiting_weights.pop()
                if in_use.set_running_or_notify_cancel():
                    in_use.set_result(None)

    def _score(self) -> None:
        while self._to_score:
            ids, scored = self._to_score[0]
            if scored.cancelled():
                self._to_score.popleft()
                continue
            tokens = np.zeros((self.limits.prefill_batches[0], self.limits.bucket(len(ids))), np.int32)
            tokens[:, : len(ids)] = ids
            said = programs.score(self.config, self._params, tokens, np.full(len(tokens), len(ids), np.int32))
            logprobs = jax.device_get(said)[0, : len(ids) - 1].tolist()
            self._to_score.popleft()
            if scored.set_running_or_notify_cancel():
                scored.set_result(logprobs)

    def _admit(self) -> None:
        """Fills the free slots. While new weights wait for their turn, only with samples of requests that have started."""
        while True:
            if (move := self._scheduler.next_insert()) is not None:
                self._state = programs.insert(self._state, move.batch, move.rows, move.slots)
            elif self._next is None and (plan := self._scheduler.next_prefill()) is not None:
                batch = programs.prefill(self.config, self._params, plan.tokens, plan.lengths)
                self._scheduler.prefilled(plan, batch, self._version)
                self._count(prompt_tokens=sum(job.prompt.size for job in plan.jobs))
            else:
                return

    def _decode(self) -> None:
        if not self._scheduler.decoding:
            return
        scheduler, chunk = self._scheduler, self.limits.decode_chunk
        self._state, drawn = programs.decode(self.config, chunk, scheduler.restricted, self._params, self._state, scheduler.table)
        tokens, logprobs, counts = jax.device_get(drawn)
        finished = self._scheduler.advance(tokens, logprobs, counts)
        # counted first: who is woken may ask for the totals at once
        self._count(
            generated_tokens=int(counts.sum()), decode_steps=int(counts.max()), completions=sum(job.request.num_samples for job in finished)
        )
        self._spread_news()
        for job in finished:
            self._waiters.pop(job).wake()

    def _dismiss(self) -> None:
        """Fail the jobs that raised on their way; they are out of the scheduler."""
        for job, error in self._scheduler.failed:
            if waiter := self._waiters.pop(job, None):
                waiter.wake(engine_error(f"this request failed: {first_line(error)}", error))
        self._scheduler.failed.clear()

    def _spread_news(self) -> None:
        """Tells each event loop at once what its listeners' samples have drawn."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[Waiter, int, list[int], list[float]]]] = {}
        for news in self._news:
            loops.setdefault(news[0].loop, []).append(news)
        self._news.clear()
        for loop, heard in loops.items():
            call_on(loop, self._tell, heard)

    def _tell(self, heard: list[tuple[Waiter, int, list[int], list[float]]]) -> None:
        """On the listeners' own event loop."""
        for waiter, sample, token_ids, logprobs in heard:
            if waiter.future.done() or waiter.on_tokens is None:
                continue
            try:
                ended = waiter.on_tokens(sample, token_ids, logprobs)
            except Exception as error:
                waiter.settle(engine_error(f"this request failed: its on_tokens raised {first_line(error)}", error))
                self._post(partial(self._cancel, waiter), strict=False)
            else:
                if ended:
                    self._post(partial(self._end, waiter, sample), strict=False)

    def _end(self, waiter: Waiter, sample: int) -> None:
        if waiter.job in self._waiters and self._scheduler.end(waiter.job, sample):
            self._waiters.pop(waiter.job).wake()
            self._count(completions=waiter.job.request.num_samples)

    def _count(self, **more: int | float) -> None:
        self._stats = replace(self._stats, **{name: getattr(self._stats, name) + value for name, value in more.items()})
