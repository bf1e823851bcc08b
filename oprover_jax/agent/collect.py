"""Many trajectories at once: retrieval up front, engine and Lean both kept busy, everything finished so far on disk."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from oprover_jax.agent.refine import Prover, RefineConfig, prove
from oprover_jax.records import Round, Statement, Trajectory
from oprover_jax.retrieval.memory import Memory

FLUSH_SECONDS = 10.0


Sink = Callable[[Sequence[Trajectory]], None]


@dataclass
class Tally:
    """How far a collection is, for whoever shows it."""

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
    """What to collect: `samples` trajectories on each statement, under one configuration, seed and stage name."""

    statements: Sequence[Statement]
    samples: int
    config: RefineConfig
    stage: str
    seed: int
    in_flight: int = 64


async def collect(prover: Prover, memory: Memory, wanted: Collection, sink: Sink, on_progress: Callable[[Tally], None]) -> Tally:
    """Proves, and hands finished statements to `sink` every few seconds: a killed run loses at most those of the last moments.

    A statement is handed over with all its trajectories or not at all.
    """
    tally = Tally()
    retrieved = memory.search(wanted.statements, wanted.config.retrieve) if wanted.config.retrieve else [[] for _ in wanted.statements]
    pending: list[Trajectory] = []
    room = asyncio.Semaphore(wanted.in_flight)
    flushed = time.monotonic()

    def on_round(_: Round) -> None:
        tally.attempts += 1
        on_progress(tally)

    async def one(index: int) -> None:
        nonlocal flushed
        async with room:
            done = await prove(
                prover, wanted.statements[index], retrieved[index], wanted.samples, wanted.config, wanted.stage, wanted.seed, on_round
            )
        pending.extend(done)
        tally.statements += 1
        tally.trajectories += len(done)
        tally.accepted += sum(t.accepted is True for t in done)
        on_progress(tally)
        if time.monotonic() - flushed > FLUSH_SECONDS:
            flushed = time.monotonic()
            batch = pending[:]
            pending.clear()
            sink(batch)

    async with asyncio.TaskGroup() as tasks:
        for index in range(len(wanted.statements)):
            tasks.create_task(one(index))
    if pending:
        sink(pending)
    return tally
