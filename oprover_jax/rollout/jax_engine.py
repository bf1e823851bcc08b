"""In-process engine with continuous batching on the project's own Qwen3, implementing the `Engine` protocol.

One thread owns the device. It prefills waiting requests, moves their samples into free slots of the KV cache, decodes all slots a few
tokens at a time and returns results to the event loops. A request is prefilled once for all its samples.
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
    """Totals since the start; `seconds` is the busy time of the device thread, `waiting` and `decoding` are the current load."""

    prompt_tokens: int = 0
    generated_tokens: int = 0
    completions: int = 0
    decode_steps: int = 0
    seconds: float = 0.0
    waiting: int = 0
    decoding: int = 0


class JaxEngine:
    """Engine that samples from `params` on `mesh`, safe to call from any number of tasks and event loops.

    `slots` sequences of up to `max_len` tokens (prompt and completion) are decoded concurrently. For other keywords see `Limits`; prefill
    batches are rounded up to sizes that divide over the mesh. Use it as a context manager or call `close()`.

    An error of one request affects only that request. A device failure is permanent: `failure` holds the reason, pending calls raise
    EngineError, and the future `ended` holds the error. `ended` is also done after the engine was closed.
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
        self._new_tokens: list[tuple[Waiter, int, list[int], list[float]]] = []
        self._stats = EngineStats()
        self._failure: BaseException | None = None
        self._closing = False
        self.ended: Future[None] = Future()
        self.ended.set_running_or_notify_cancel()  # makes it impossible to cancel
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="jax-engine", daemon=True)
        self._thread.start()

    async def generate(self, request: Request, on_tokens: OnTokens | None = None) -> list[Completion]:
        """Return `request.num_samples` completions, in order, all by one version of the weights. Cancelling the task frees its slots.

        `on_tokens` is called on the caller's event loop for every sample and decode chunk. If it returns True, the completion of that
        sample ends soon afterwards with finish_reason "stop" and may include tokens sampled meanwhile. If it raises, the request fails.

        Raises:
          InputError: The request exceeds a limit or contains ids outside the vocabulary (InputError is a ValueError).
          EngineError: The engine is closed or has failed, or this request failed.
        """
        self.limits.check(request)
        self._check_ids(request.prompt_ids)
        waiter = Waiter(Job(request), on_tokens)
        if on_tokens is not None:
            waiter.job.on_tokens = lambda sample, ids, logprobs: self._new_tokens.append((waiter, sample, ids, logprobs))
        self._post(lambda: self._submit(waiter))
        try:
            await waiter.future
        except asyncio.CancelledError:
            self._post(lambda: self._cancel(waiter), strict=False)
            raise
        return [completion for completion in waiter.job.completions if completion is not None]

    async def score(self, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probability at temperature 1 of each token after the first. Raises the errors of `generate`."""
        self.limits.check_prompt(len(token_ids))
        self._check_ids(token_ids)
        ids = np.array(token_ids, np.int32)
        scored: Future[list[float]] = Future()
        self._post(lambda: self._to_score.append((ids, scored)))
        return await asyncio.wrap_future(scored)

    def publish(self, params: Params, version: int, *, donate: bool = False) -> Future[None]:
        """Use a copy of `params` for all requests that have not started yet; started requests finish with their own weights.

        Args:
          params: New weights; the caller may delete or donate its arrays afterwards.
          version: Version number recorded in completions.
          donate: Reuse the arrays of the caller where their layout allows.

        Returns:
          A future that is done when the new weights, or newer ones, are in use. The call itself does not wait.
        """
        owned = self._own(params, donate)
        in_use: Future[None] = Future()
        self._post(lambda: self._set_next_weights(owned, version, in_use))
        return in_use

    @property
    def version(self) -> int:
        """Version of the weights in use."""
        return self._version

    @property
    def failure(self) -> str | None:
        """Reason of an engine failure, or None."""
        return None if self._failure is None else f"the engine failed: {first_line(self._failure)}"

    @property
    def params(self) -> Params:
        """Weights in use; must not be donated."""
        return self._params

    def stats(self) -> EngineStats:
        """Return totals and the current load; safe to call from any thread."""
        return replace(self._stats, waiting=self._scheduler.waiting, decoding=self._scheduler.decoding)

    def close(self) -> None:
        """Stop the device thread after its current step; pending requests raise EngineError. Safe to call twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def __enter__(self) -> "JaxEngine":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _own(self, params: Params, donate: bool = False) -> Params:
        """Return a copy of `params` sharded for this engine's mesh."""
        expected = abstract_params(self.config, self.mesh)
        if jax.tree.map(np.shape, params) != jax.tree.map(np.shape, expected):
            raise InputError("params: shapes differ from those of the engine's model; publish weights of the same Qwen3Config")
        how = {"donate": True} if donate else {"may_alias": False}
        return jax.tree.map(lambda x, like: jax.device_put(x, like.sharding, **how), params, expected)

    def _check_ids(self, token_ids: Sequence[int]) -> None:
        least, most, vocabulary = min(token_ids), max(token_ids), self.config.vocab_size
        if least < 0 or most >= vocabulary:
            raise InputError(f"the prompt contains the id {least if least < 0 else most}; ids must be between 0 and {vocabulary - 1}")

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
                while self._process_inbox():
                    began = time.monotonic()
                    self._swap_weights()
                    self._score()
                    self._admit()
                    self._decode()
                    self._report_failed_jobs()
                    self._count(seconds=time.monotonic() - began)
        except BaseException as error:  # pending calls must receive any error
            failure = error
        with self._changed:
            self._failure, self._closing = failure, True
            while self._inbox:
                with suppress(Exception):  # the state may be inconsistent, but newly posted requests must be registered
                    self._inbox.popleft()()
        reason = self.failure or "the engine was closed before the request was finished"
        for waiter in self._waiters.values():
            waiter.wake(engine_error(reason, failure))
        self._waiters.clear()
        pending: list[Future[Any]] = [*self._awaiting_weights, *(scored for _, scored in self._to_score)]
        for future in pending:
            if future.set_running_or_notify_cancel():
                future.set_exception(engine_error(reason, failure))
        if failure is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(engine_error(reason, failure))

    def _process_inbox(self) -> bool:
        """Wait until there is work and run the posted actions; return False if the engine is closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._inbox or self._next or self._scheduler.waiting or self._scheduler.started)
            while self._inbox and not self._closing:
                self._inbox.popleft()()
            return not self._closing

    def _set_next_weights(self, params: Params, version: int, in_use: Future[None]) -> None:
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
            scores = programs.score(self.config, self._params, tokens, np.full(len(tokens), len(ids), np.int32))
            logprobs = jax.device_get(scores)[0, : len(ids) - 1].tolist()
            self._to_score.popleft()
            if scored.set_running_or_notify_cancel():
                scored.set_result(logprobs)

    def _admit(self) -> None:
        """Fill the free slots; while new weights are pending, only with samples of started requests."""
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
        # count before waking callers, which may read the totals immediately
        self._count(
            generated_tokens=int(counts.sum()), decode_steps=int(counts.max()), completions=sum(job.request.num_samples for job in finished)
        )
        self._deliver_tokens()
        for job in finished:
            self._waiters.pop(job).wake()

    def _report_failed_jobs(self) -> None:
        """Fail the requests whose jobs raised an error and were removed from the scheduler."""
        for job, error in self._scheduler.failed:
            if waiter := self._waiters.pop(job, None):
                waiter.wake(engine_error(f"this request failed: {first_line(error)}", error))
        self._scheduler.failed.clear()

    def _deliver_tokens(self) -> None:
        """Schedule the `on_tokens` callbacks, with one call per event loop."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[Waiter, int, list[int], list[float]]]] = {}
        for entry in self._new_tokens:
            loops.setdefault(entry[0].loop, []).append(entry)
        self._new_tokens.clear()
        for loop, entries in loops.items():
            call_on(loop, self._call_on_tokens, entries)

    def _call_on_tokens(self, entries: list[tuple[Waiter, int, list[int], list[float]]]) -> None:
        """Call the `on_tokens` callbacks; runs on their event loop."""
        for waiter, sample, token_ids, logprobs in entries:
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
