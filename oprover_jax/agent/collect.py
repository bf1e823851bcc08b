"""Concurrent collection of trajectories: bounded work in flight, and regular storage of finished statements off the event loop."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from oprover_jax.agent.refine import Prover, RefineConfig, prove
from oprover_jax.errors import LeanAway
from oprover_jax.records import Round, Statement, Trajectory
from oprover_jax.retrieval.memory import Memory

Sink = Callable[[Sequence[Trajectory]], None]

_HELD_ROUNDS = 4096  # finished rounds that are stored at once, before `flush_seconds` have passed


@dataclass
class Tally:
    """Progress of a collection: attempts made, and statements and trajectories stored."""

    statements: int = 0
    trajectories: int = 0
    attempts: int = 0
    accepted: int = 0
    started: float = field(default_factory=time.monotonic)

    def text(self) -> str:
        seconds = max(time.monotonic() - self.started, 1e-9)
        return f"{self.attempts} attempts, {self.attempts / seconds:.0f}/s, {self.accepted} of {self.trajectories} rollouts accepted"


@dataclass(frozen=True)
class Collection:
    """Collection job: `num_samples` trajectories on each statement under one configuration, seed and stage name.

    About `in_flight` trajectories are in progress at a time, in whole statements and at least one; this bounds requests to the engine,
    checks by Lean and memory. Finished statements are stored every `flush_seconds`.
    """

    statements: Sequence[Statement]
    num_samples: int
    config: RefineConfig
    stage: str
    seed: int
    in_flight: int = 512
    flush_seconds: float = 5.0

    def __post_init__(self) -> None:
        for name in ("num_samples", "in_flight"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")


async def collect(prover: Prover, memory: Memory, job: Collection, sink: Sink, on_progress: Callable[[Tally], None]) -> Tally:
    """Prove the statements of a job and pass finished ones to `sink` every `flush_seconds` and at the end, even after an error.

    A statement reaches the sink once, with all its trajectories and a verdict on every proof, and is added to the tally only after the
    sink has returned. A killed run therefore loses only statements that were finished since the last flush and not yet reported.

    Args:
      prover: Engine, verifier and prompt template.
      memory: Retrieval memory.
      job: Statements and settings.
      sink: Stores trajectories of finished statements; it is called in another thread, one call at a time.
      on_progress: Called after every attempt and every flush.

    Raises:
      LeanAway: Lean gave no verdict for as long as patience lasts. The message says how many statements are left.
      Exception: The first error of the engine, the verifier or the sink.
    """
    tally = Tally()
    retrieved = memory.search(job.statements, job.config.retrieve) if job.config.retrieve else [[] for _ in job.statements]
    waiting = iter(range(len(job.statements)))
    store = _Store(sink, tally, on_progress)

    def on_round(number: int, last: Round) -> None:
        tally.attempts += 1
        on_progress(tally)

    async def prove_in_turn() -> None:
        for index in waiting:
            store.add(
                await prove(prover, job.statements[index], retrieved[index], job.num_samples, job.config, job.stage, job.seed, on_round)
            )
            if store.rounds >= _HELD_ROUNDS or time.monotonic() - store.flushed >= job.flush_seconds:
                await store.flush()

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(max(job.in_flight // job.num_samples, 1), len(job.statements))):
                tasks.create_task(prove_in_turn())
    except BaseExceptionGroup as group:
        error = _first(group)
        if not isinstance(error, LeanAway):
            raise error from group
        await store.finish()
        raise LeanAway(error.reason, f"{len(job.statements) - tally.statements} of {len(job.statements)} statements are") from group
    finally:
        await store.finish()
    return tally


class _Store:
    """Finished statements on their way to the sink, one call at a time. The caller of `flush` waits, so a slow sink slows the rest."""

    def __init__(self, sink: Sink, tally: Tally, on_progress: Callable[[Tally], None]) -> None:
        self._sink, self._tally, self._on_progress = sink, tally, on_progress
        self._finished: list[list[Trajectory]] = []
        self._turn = asyncio.Lock()
        self._writes: set[asyncio.Task[None]] = set()
        self.rounds = 0
        self.flushed = time.monotonic()

    def add(self, trajectories: list[Trajectory]) -> None:
        self._finished.append(trajectories)
        self.rounds += sum(len(trajectory.rounds) for trajectory in trajectories)

    async def flush(self) -> None:
        """Store what is finished; a write that has begun is completed and counted even if the caller is cancelled."""
        write = asyncio.create_task(self._write())
        self._writes.add(write)
        await asyncio.shield(write)
        self._writes.discard(write)

    async def finish(self) -> None:
        """Complete all writes and store the rest."""
        await asyncio.gather(*self._writes, return_exceptions=True)  # who began a write that failed has raised its error
        self._writes.clear()
        await self._write()

    async def _write(self) -> None:
        async with self._turn:
            groups, self._finished, self.rounds = self._finished, [], 0  # before the call: a sink that stores and fails is not called again
            self.flushed = time.monotonic()
            if not groups:
                return
            batch = [trajectory for group in groups for trajectory in group]
            await asyncio.to_thread(self._sink, batch)
            self._tally.statements += len(groups)
            self._tally.trajectories += len(batch)
            self._tally.accepted += sum(trajectory.accepted is True for trajectory in batch)
            self._on_progress(self._tally)


def _first(error: BaseException) -> BaseException:
    """Return the first leaf of nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
