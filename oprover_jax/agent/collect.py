"""Many trajectories at once: retrieval up front, engine and Lean both kept busy, everything finished so far on disk."""

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
    """How far a collection is, for whoever shows it: attempts made, and statements and trajectories stored."""

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
    """What to collect: `samples` trajectories on each statement, under one configuration, seed and stage name. `in_flight` statements are
    tried at once, and what is finished is stored every `flush_seconds`."""

    statements: Sequence[Statement]
    num_samples: int
    config: RefineConfig
    stage: str
    seed: int
    in_flight: int = 64
    flush_seconds: float = 5.0


async def collect(prover: Prover, memory: Memory, wanted: Collection, sink: Sink, on_progress: Callable[[Tally], None]) -> Tally:
    """Proves, and hands finished statements to `sink` every `flush_seconds` and before it ends, however it ends.

    A statement is handed over once, with all its trajectories, or not at all, and is in the tally once the sink has taken it: what was
    reported is stored, and a killed run loses at most the statements that were finished in the last moments and reported to nobody.
    Raises what an engine, a verifier or the sink raised.
    """
    tally = Tally()
    retrieved = memory.search(wanted.statements, wanted.config.retrieve) if wanted.config.retrieve else [[] for _ in wanted.statements]
    finished: list[list[Trajectory]] = []
    room = asyncio.Semaphore(wanted.in_flight)
    flushed = time.monotonic()

    def on_round(number: int, one: Round) -> None:
        tally.attempts += 1
        on_progress(tally)

    def store() -> None:
        nonlocal flushed
        flushed = time.monotonic()
        if not finished:
            return
        groups = finished.copy()
        finished.clear()  # before: a sink that stored and then failed would store them twice
        batch = [trajectory for group in groups for trajectory in group]
        sink(batch)
        tally.statements += len(groups)
        tally.trajectories += len(batch)
        tally.accepted += sum(trajectory.accepted is True for trajectory in batch)
        on_progress(tally)

    async def one(index: int) -> None:
        async with room:
            finished.append(
                await prove(
                    prover,
                    wanted.statements[index],
                    retrieved[index],
                    wanted.num_samples,
                    wanted.config,
                    wanted.stage,
                    wanted.seed,
                    on_round,
                )
            )
        if time.monotonic() - flushed >= wanted.flush_seconds:
            store()

    try:
        async with asyncio.TaskGroup() as tasks:
            for index in range(len(wanted.statements)):
                tasks.create_task(one(index))
    except BaseExceptionGroup as group:
        raise _first(group) from group
    finally:
        store()
    return tally


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
