"""Which request runs in which slot: the host's side of continuous batching, without a single array on a device.

A request waits, is prefilled once (`Prefix`), and its samples then take slots one by one as these come free. The scheduler is used
from one thread only.
"""

import bisect
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import Completion, Request
from oprover_jax.rollout.sampling import seed_words

NO_TOKEN = -1


@dataclass(frozen=True)
class Limits:
    """Shapes of the engine; each distinct prefill shape is compiled once, on first use.

    `prefill_batches` are the numbers of prompts in one prefill, ascending; prompt lengths are rounded up to `prefill_multiple`.
    `lookahead` is how far behind the first waiting request one looks for prompts that fill its batch.
    """

    slots: int = 128
    max_len: int = 256
    prefill_batches: tuple[int, ...] = (1, 8)
    prefill_multiple: int = 32
    decode_chunk: int = 8
    max_stop_ids: int = 8
    lookahead: int = 128

    def __post_init__(self) -> None:
        for name in ("slots", "max_len", "prefill_multiple", "decode_chunk", "max_stop_ids", "lookahead"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        batches = self.prefill_batches
        if not batches or batches[0] < 1 or list(batches) != sorted(set(batches)):
            raise InputError(f"prefill_batches is {batches}; give distinct positive numbers in ascending order, as (1, 8)")

    def bucket(self, length: int) -> int:
        """The padded length at which a prompt of `length` tokens is prefilled."""
        return min(-(-length // self.prefill_multiple) * self.prefill_multiple, self.max_len)

    def rows(self, prompts: int) -> int:
        """The smallest prefill batch that holds `prompts`, or the largest there is."""
        return self.prefill_batches[min(bisect.bisect_left(self.prefill_batches, prompts), len(self.prefill_batches) - 1)]

    def check_prompt(self, length: int) -> None:
        """Raises InputError for a prompt that this engine can never read."""
        if not length:
            raise InputError("the prompt has no tokens; give at least one, for example the beginning-of-sequence token")
        if length > self.max_len:
            raise InputError(f"a prompt of {length} tokens exceeds the engine's max_len {self.max_len}; shorten it or raise max_len")

    def check(self, request: Request) -> None:
        """Raises InputError for a request that this engine can never run."""
        prompt, new = len(request.prompt_ids), request.sampling.max_new_tokens
        self.check_prompt(prompt)
        if prompt + new > self.max_len:
            raise InputError(
                f"a prompt of {prompt} tokens and max_new_tokens {new} exceed the engine's max_len {self.max_len}; "
                "shorten the prompt, lower max_new_tokens or build the engine with a larger max_len"
            )
        if request.samples < 1:
            raise InputError(f"samples is {request.samples}; it must be at least 1")
        if len(request.sampling.stop_ids) > self.max_stop_ids:
            raise InputError(f"{len(request.sampling.stop_ids)} stop ids given; raise the engine's max_stop_ids {self.max_stop_ids}")


@dataclass(eq=False)
class Job:
    """A request on its way. `completions` fills up in any order; `version` is that of the weights that prefilled it. `on_tokens` is told
    what a sample has drawn, after each decode chunk."""

    request: Request
    on_tokens: Callable[[int, list[int], list[float]], None] | None = None
    completions: list[Completion | None] = field(init=False)
    missing: int = field(init=False)
    version: int | None = None
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.completions = [None] * self.request.samples
        self.missing = self.request.samples


class SlotTable(NamedTuple):
    """What the decoding program needs to know of each slot. `positions` is the index in the sequence of the next token."""

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
    """Prompts to run together; `tokens` [rows, bucket] is padded with zeros, `lengths` [rows] with ones."""

    jobs: list[Job]
    tokens: np.ndarray
    lengths: np.ndarray


class Insert(NamedTuple):
    """Rows of one prefill's result (`batch`, opaque here) and the slots they go to; padding has a slot number out of range."""

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
    """First in, first out: the oldest waiting request is always in the next prefill, the oldest prefix in the next insert."""

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
        self._waiting: deque[Job] = deque()
        self._ready: deque[_Prefix] = deque()
        self._free = list(range(n - 1, -1, -1))
        self._occupants: dict[int, _Occupant] = {}

    @property
    def started(self) -> bool:
        """Whether any request is prefilled or decoding, that is, bound to the weights in use."""
        return bool(self._ready or self._occupants)

    @property
    def restricted(self) -> bool:
        """Whether any slot has a top-p, top-k or min-p."""
        table = self.table
        return bool(np.any((table.top_ps < 1) | (table.top_ks > 0) | (table.min_ps > 0)))

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def decoding(self) -> int:
        return len(self._occupants)

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def cancel(self, job: Job) -> None:
        """Forgets the job wherever it is; its slots are free at once."""
        job.cancelled = True
        self._waiting = deque(j for j in self._waiting if j is not job)
        self._ready = deque(p for p in self._ready if p.job is not job)
        for slot in [s for s, occupant in self._occupants.items() if occupant.job is job]:
            self._release(slot)

    def next_prefill(self) -> Prefill | None:
        """The oldest waiting request, with others that fit its padded length, if a slot is free and no prefix waits for it."""
        if not self._waiting or self._ready or not self._free:
            return None
        bucket = self.limits.bucket(len(self._waiting[0].request.prompt_ids))
        window = [self._waiting[i] for i in range(min(len(self._waiting), self.limits.lookahead))]
        fitting = [job for job in window if len(job.request.prompt_ids) <= bucket]
        fitting.sort(key=lambda job: -self.limits.bucket(len(job.request.prompt_ids)))
        jobs = fitting[: min(self.limits.prefill_batches[-1], len(self._free))]
        chosen = set(map(id, jobs))
        self._waiting = deque(job for job in self._waiting if id(job) not in chosen)
        tokens = np.zeros((self.limits.rows(len(jobs)), bucket), np.int32)
        lengths = np.ones(len(tokens), np.int32)
        for row, job in enumerate(jobs):
            lengths[row] = len(job.request.prompt_ids)
            tokens[row, : lengths[row]] = job.request.prompt_ids
        return Prefill(jobs, tokens, lengths)

    def prefilled(self, prefill: Prefill, batch: object, version: int) -> None:
        """Records that `batch` holds the device arrays of `prefill`, computed with the weights of `version`."""
        for row, job in enumerate(prefill.jobs):
            job.version = version
            self._ready.append(_Prefix(job, batch, row))

    def next_insert(self) -> Insert | None:
        """Gives free slots to the oldest prefixes of one prefill batch, at most `prefill_batches[-1]` samples at a time."""
        if not self._ready or not self._free:
            return None
        batch, width = self._ready[0].batch, self.limits.prefill_batches[-1]
        rows = np.zeros(width, np.int32)
        slots = np.full(width, self.limits.slots, np.int32)
        count = 0
        while count < width and self._free and self._ready and self._ready[0].batch is batch:
            prefix, slot = self._ready[0], self._free.pop()
            rows[count], slots[count] = prefix.row, slot
            self._occupy(slot, prefix.job, prefix.started)
            prefix.started += 1
            count += 1
            if prefix.started == prefix.job.request.samples:
                self._ready.popleft()
        return Insert(batch, rows, slots)

    def advance(self, tokens: np.ndarray, logprobs: np.ndarray, counts: np.ndarray) -> list[Job]:
        """Takes what a decode chunk drew (`tokens`, `logprobs` [chunk, slots], the first `counts[s]` valid); returns finished jobs."""
        finished = []
        for slot in np.flatnonzero(counts).tolist():
            occupant, count = self._occupants[slot], int(counts[slot])
            drawn = tokens[:count, slot].tolist(), logprobs[:count, slot].tolist()
            occupant.token_ids += drawn[0]
            occupant.logprobs += drawn[1]
            if occupant.job.on_tokens is not None:
                occupant.job.on_tokens(occupant.sample, *drawn)
            self.table.positions[slot] += count
            self.table.remaining[slot] -= count
            stopped = occupant.token_ids[-1] in occupant.job.request.sampling.stop_ids
            if stopped or not self.table.remaining[slot]:
                self._release(slot)
                if self._complete(occupant, stopped):
                    finished.append(occupant.job)
        return finished

    def end(self, job: Job, sample: int) -> bool:
        """Lets a sample that is decoding end where it is, as by a stop token; True where it was the last one missing of its job."""
        for slot, occupant in self._occupants.items():
            if occupant.job is job and occupant.sample == sample:
                self._release(slot)
                return self._complete(occupant, True)
        return False

    def _complete(self, occupant: _Occupant, stopped: bool) -> bool:
        job = occupant.job
        assert job.version is not None
        job.completions[occupant.sample] = Completion(
            tuple(occupant.token_ids), tuple(occupant.logprobs), "stop" if stopped else "length", job.version
        )
        job.missing -= 1
        return job.missing == 0

    def _occupy(self, slot: int, job: Job, sample: int) -> None:
        sampling = job.request.sampling
        self._occupants[slot] = _Occupant(job, sample)
        self.table.active[slot] = True
        self.table.positions[slot] = len(job.request.prompt_ids)
        self.table.remaining[slot] = sampling.max_new_tokens
        self.table.seeds[slot] = seed_words(job.request.seed)
        self.table.samples[slot] = sample
        self.table.temperatures[slot] = sampling.temperature
        # greedy takes the most likely token whatever the limits; they would only cost time
        greedy = sampling.temperature == 0
        self.table.top_ps[slot] = 1 if greedy else sampling.top_p
        self.table.top_ks[slot] = 0 if greedy else sampling.top_k
        self.table.min_ps[slot] = 0 if greedy else sampling.min_p
        self.table.stop_ids[slot] = pad(sampling.stop_ids, self.limits.max_stop_ids)

    def _release(self, slot: int) -> None:
        del self._occupants[slot]
        self.table.active[slot] = False
        self.table.positions[slot] = 0
        self.table.top_ps[slot], self.table.top_ks[slot], self.table.min_ps[slot] = 1, 0, 0
        self._free.append(slot)


def pad(ids: Sequence[int], length: int) -> np.ndarray:
    """`ids` followed by NO_TOKEN up to `length`."""
    return np.array([*ids, *[NO_TOKEN] * (length - len(ids))], np.int32)
