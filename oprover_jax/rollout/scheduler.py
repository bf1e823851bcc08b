"""Scheduler of continuous batching: assigns requests to slots, on the host and without device arrays.

A request waits, is prefilled once (`_Prefix`), and its samples then take slots as these become free. The scheduler is used from one thread
only.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np

from oprover_jax.rollout.engine import Completion
from oprover_jax.rollout.job import Job, Limits

NO_TOKEN = -1


class SlotTable(NamedTuple):
    """Inputs of the decode program for each slot. `positions` is the index of the next token in the sequence."""

    active: np.ndarray  # bool [slots]
    positions: np.ndarray  # int32 [slots]
    remaining: np.ndarray  # int32 [slots]
    seeds: np.ndarray  # uint32 [slots, 2]
    samples: np.ndarray  # int32 [slots]
    temperatures: np.ndarray  # float32 [slots]
    top_ps: np.ndarray  # float32 [slots]
    top_ks: np.ndarray  # int32 [slots]
    min_ps: np.ndarray  # float32 [slots]
    stop_ids: np.ndarray  # int32 [slots, max_stop_ids], padded with NO_TOKEN


class Prefill(NamedTuple):
    """Prompts to prefill together; `tokens` [rows, bucket] is padded with zeros, `lengths` [rows] with ones."""

    jobs: list[Job]
    tokens: np.ndarray
    lengths: np.ndarray


class Insert(NamedTuple):
    """Rows of a prefill result (`batch`, opaque here) and their slots; padding has a slot number out of range."""

    batch: object
    rows: np.ndarray
    slots: np.ndarray


@dataclass(eq=False)
class _Prefix:
    job: Job
    batch: object
    row: int
    started: int = 0


@dataclass(eq=False)
class _Occupant:
    job: Job
    sample: int
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


class Scheduler:
    """First-in, first-out scheduler: the oldest waiting request is always in the next prefill, the oldest prefix in the next insert.

    A job that raises an error is cancelled and added to `failed` with the error; other jobs are not affected.
    """

    def __init__(self, limits: Limits) -> None:
        n = limits.slots
        self.limits = limits
        self.table = SlotTable(
            active=np.zeros(n, bool),
            positions=np.zeros(n, np.int32),
            remaining=np.zeros(n, np.int32),
            seeds=np.zeros((n, 2), np.uint32),
            samples=np.zeros(n, np.int32),
            temperatures=np.ones(n, np.float32),
            top_ps=np.ones(n, np.float32),
            top_ks=np.zeros(n, np.int32),
            min_ps=np.zeros(n, np.float32),
            stop_ids=np.full((n, limits.max_stop_ids), NO_TOKEN, np.int32),
        )
        self.failed: list[tuple[Job, Exception]] = []
        self._waiting: OrderedDict[Job, int] = OrderedDict()  # padded lengths; a plain dict is slow after its first entries are removed
        self._ready: deque[_Prefix] = deque()
        self._free = list(range(n - 1, -1, -1))
        self._occupants: dict[int, _Occupant] = {}

    @property
    def started(self) -> bool:
        """True if any request is prefilled or decoding and thus bound to the weights in use."""
        return bool(self._ready or self._occupants)

    @property
    def restricted(self) -> bool:
        """True if any slot uses top-p, top-k or min-p."""
        table = self.table
        return bool(np.any((table.top_ps < 1) | (table.top_ks > 0) | (table.min_ps > 0)))

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def decoding(self) -> int:
        return len(self._occupants)

    def submit(self, job: Job) -> None:
        """Add a job to the queue."""
        with self._on_behalf_of(job):
            self._waiting[job] = self.limits.bucket(job.prompt.size)

    def cancel(self, job: Job) -> None:
        """Remove the job in any state and free its slots immediately."""
        job.cancelled = True
        self._waiting.pop(job, None)
        self._ready = deque(p for p in self._ready if p.job is not job)
        for slot in [s for s, occupant in self._occupants.items() if occupant.job is job]:
            self._release(slot)

    def next_prefill(self) -> Prefill | None:
        """Return the oldest waiting request with others that fit its padded length, or None if no slot is free or a prefix is waiting."""
        if not self._waiting or self._ready or not self._free:
            return None
        bucket = next(iter(self._waiting.values()))
        fitting = [job for job, length in islice(self._waiting.items(), self.limits.lookahead) if length <= bucket]
        fitting.sort(key=lambda job: -self._waiting[job])
        chosen = fitting[: min(self.limits.prefill_batches[-1], len(self._free))]
        tokens = np.zeros((self.limits.rows(len(chosen)), bucket), np.int32)
        lengths = np.ones(len(tokens), np.int32)
        jobs: list[Job] = []
        for job in chosen:
            del self._waiting[job]
            with self._on_behalf_of(job):
                tokens[len(jobs), : job.prompt.size] = job.prompt
                lengths[len(jobs)] = job.prompt.size
                jobs.append(job)
        return Prefill(jobs, tokens, lengths) if jobs else None

    def prefilled(self, prefill: Prefill, batch: object, version: int) -> None:
        """Record `batch`, the device arrays of `prefill`, computed with the weights of `version`."""
        for row, job in enumerate(prefill.jobs):
            job.version = version
            self._ready.append(_Prefix(job, batch, row))

    def next_insert(self) -> Insert | None:
        """Assign free slots to the oldest prefixes of one prefill batch, at most `prefill_batches[-1]` samples at a time."""
        if not self._ready or not self._free:
            return None
        batch, width = self._ready[0].batch, self.limits.prefill_batches[-1]
        moves: dict[int, tuple[int, Job]] = {}
        while len(moves) < width and self._free and self._ready and self._ready[0].batch is batch:
            prefix, slot = self._ready[0], self._free.pop()
            moves[slot] = prefix.row, prefix.job
            self._occupants[slot] = _Occupant(prefix.job, prefix.started)
            with self._on_behalf_of(prefix.job):
                self._occupy(slot, prefix.job, prefix.started)
                prefix.started += 1
                if prefix.started == len(prefix.job.completions):
                    self._ready.popleft()
        rows = np.zeros(width, np.int32)
        slots = np.full(width, self.limits.slots, np.int32)
        for place, (slot, (row, job)) in enumerate(moves.items()):
            if not job.cancelled:
                rows[place], slots[place] = row, slot
        return Insert(batch, rows, slots)

    def advance(self, tokens: np.ndarray, logprobs: np.ndarray, counts: np.ndarray) -> list[Job]:
        """Record a decode chunk (`tokens`, `logprobs` [chunk, slots], the first `counts[s]` valid) and return finished jobs."""
        finished = []
        for slot in np.flatnonzero(counts).tolist():
            occupant, count = self._occupants.get(slot), int(counts[slot])
            if occupant is None:  # another sample of its job has failed in this loop
                continue
            with self._on_behalf_of(occupant.job):
                if self._take(slot, occupant, tokens[:count, slot].tolist(), logprobs[:count, slot].tolist()):
                    finished.append(occupant.job)
        return finished

    def _take(self, slot: int, occupant: _Occupant, token_ids: list[int], logprobs: list[float]) -> bool:
        """Append sampled tokens to a sample; return True if that finishes its job."""
        occupant.token_ids += token_ids
        occupant.logprobs += logprobs
        if occupant.job.on_tokens is not None:
            occupant.job.on_tokens(occupant.sample, token_ids, logprobs)
        self.table.positions[slot] += len(token_ids)
        self.table.remaining[slot] -= len(token_ids)
        stopped = occupant.token_ids[-1] in occupant.job.request.sampling.stop_ids
        if not stopped and self.table.remaining[slot]:
            return False
        self._release(slot)
        return self._complete(occupant, stopped)

    def end(self, job: Job, sample: int) -> bool:
        """End a decoding sample as if by a stop token; return True if that finishes its job."""
        for slot, occupant in self._occupants.items():
            if occupant.job is job and occupant.sample == sample:
                self._release(slot)
                with self._on_behalf_of(job):
                    return self._complete(occupant, True)
                break
        return False

    @contextmanager
    def _on_behalf_of(self, job: Job) -> Iterator[None]:
        """Restrict the effect of an error to this job."""
        try:
            yield
        except Exception as error:
            self.cancel(job)
            self.failed.append((job, error))

    def _complete(self, occupant: _Occupant, stopped: bool) -> bool:
        job = occupant.job
        assert job.version is not None
        job.completions[occupant.sample] = Completion(
            tuple(occupant.token_ids), tuple(occupant.logprobs), "stop" if stopped else "length", job.version
        )
        job.missing -= 1
        return job.missing == 0

    def _occupy(self, slot: int, job: Job, sample: int) -> None:
        table, row = self.table, job.row
        table.positions[slot] = job.prompt.size
        table.remaining[slot] = job.request.sampling.max_new_tokens
        table.seeds[slot] = row.seed
        table.samples[slot] = sample
        table.temperatures[slot] = row.temperature
        table.top_ps[slot], table.top_ks[slot], table.min_ps[slot] = row.top_p, row.top_k, row.min_p
        table.stop_ids[slot] = NO_TOKEN
        table.stop_ids[slot, : row.stop_ids.size] = row.stop_ids
        table.active[slot] = True

    def _release(self, slot: int) -> None:
        del self._occupants[slot]
        self.table.active[slot] = False
        self.table.positions[slot] = 0
        self.table.top_ps[slot], self.table.top_ks[slot], self.table.min_ps[slot] = 1, 0, 0
        self._free.append(slot)
