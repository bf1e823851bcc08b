"""Concurrent collection of trajectories, with retrieval up front and regular storage of finished statements."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from oprover_jax.agent.refine import Prover, RefineConfig, prove
from oprover_jax.records import Round, Statement, Trajectory
from oprover_jax.retrieval.memory import Memory

Sink = Callable[[Sequence[Trajectory]], None]


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

    `in_flight` statements are processed concurrently; finished statements are stored every `flush_seconds`.
    """

    statements: Sequence[Statement]
    num_samples: int
    config: RefineConfig
    stage: str
    seed: int
    in_flight: int = 64
    flush_seconds: float = 5.0


async def collect(prover: Prover, memory: Memory, job: Collection, sink: Sink, on_progress: Callable[[Tally], None]) -> Tally:
    """Prove the statements of a job and pass finished ones to `sink` every `flush_seconds` and at the end, even after an error.

    A statement reaches the sink once, with all its trajectories, and is added to the tally only after the sink has returned. A killed run
    therefore loses only statements that were finished since the last flush and not yet reported.

    Args:
      prover: Engine, verifier and prompt template.
      memory: Retrieval memory.
      job: Statements and settings.
      sink: Stores trajectories of finished statements.
      on_progress: Called after every attempt and every flush.

    Raises:
      Exception: The first error of the engine, the verifier or the sink.
    """
    tally = Tally()
    retrieved = memory.search(job.statements, job.config.retrieve) if job.config.retrieve else [[] for _ in job.statements]
    finished: list[list[Trajectory]] = []
    room = asyncio.Semaphore(job.in_flight)
    flushed = time.monotonic()

    def on_round(number: int, last: Round) -> None:
        tally.attempts += 1
        on_progress(tally)

    def store() -> None:
        nonlocal flushed
        flushed = time.monotonic()
        if not finished:
            return
        groups = finished.copy()
        finished.clear()  # before the call, so that a sink that fails after storing does not store them twice
        batch = [trajectory for group in groups for trajectory in group]
        sink(batch)
        tally.statements += len(groups)
        tally.trajectories += len(batch)
        tally.accepted += sum(trajectory.accepted is True for trajectory in batch)
        on_progress(tally)

    async def prove_statement(index: int) -> None:
        async with room:
            finished.append(
                await prove(prover, job.statements[index], retrieved[index], job.num_samples, job.config, job.stage, job.seed, on_round)
            )
        if time.monotonic() - flushed >= job.flush_seconds:
            store()

    try:
        async with asyncio.TaskGroup() as tasks:
            for index in range(len(job.statements)):
                tasks.create_task(prove_statement(index))
    except BaseExceptionGroup as group:
        raise _first(group) from group
    finally:
        store()
    return tally


def _first(error: BaseException) -> BaseException:
    """Return the first leaf of nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
