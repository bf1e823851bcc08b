"""The training loop: resumes from its folder, feeds the step, never blocks on the step that is running, saves, stops when told."""

import hashlib
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from oprover_jax.errors import InputError
from oprover_jax.training.checkpoint import Checkpoints, latest, read_extra, restore
from oprover_jax.training.metrics import Goodput, MetricsLog, Throughput
from oprover_jax.training.step import Batch, Metrics, TrainState, TrainStep

__all__ = ["LoopConfig", "TrainingFailed", "fingerprint", "run", "stop_on_sigterm"]

OnProgress = Callable[[int, int, float, float], None]

_AGREE_EVERY = 16  # steps between the points at which several hosts agree to save or stop


class TrainingFailed(RuntimeError):
    """Too many steps in a row had a loss or gradient that was not finite."""


@dataclass(frozen=True)
class LoopConfig:
    """`steps` in all; a checkpoint every `save_every_seconds` and at the end, the newest `keep` stay; more than `max_skipped`
    skipped steps in a row are a failure."""

    steps: int
    save_every_seconds: float = 120.0
    keep: int = 1
    max_skipped: int = 20

    def __post_init__(self) -> None:
        if self.steps < 1 or self.keep < 1 or self.max_skipped < 0:
            given = f"{self.steps}, {self.keep} and {self.max_skipped}"
            raise ValueError(f"a loop needs steps >= 1, keep >= 1 and max_skipped >= 0, not {given}")
        if not self.save_every_seconds > 0:
            raise ValueError(f"save_every_seconds is {self.save_every_seconds}; give a positive number")


def fingerprint(*configuration: Any) -> str:
    """A short hash of what must not change between a start and its resumption: dataclasses, numbers, strings and containers of them."""
    return hashlib.sha256(repr(configuration).encode()).hexdigest()[:16]


@contextmanager
def stop_on_sigterm() -> Iterator[threading.Event]:
    """An event for `run(stop=...)` that SIGTERM sets; the handler before is put back. For the main thread."""
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


def run(
    folder: Path,
    config: LoopConfig,
    state: TrainState,
    train_step: TrainStep,
    batches: Callable[[int], Generator[Batch]],
    learning_rate: Callable[[int], float],
    *,
    identity: str = "",
    on_progress: OnProgress | None = None,
    stop: threading.Event | None = None,
) -> TrainState:
    """Trains to step `config.steps`, or until `stop` is set, and returns the state; it is finished if its step says so.

    Args:
      folder: gets `checkpoints/`, `metrics.jsonl` (one line a step) and `goodput.jsonl` (one line a start). If it holds a
        whole checkpoint, the run goes on from there, and a finished one returns at once.
      state: the first state. It is consumed; its layout is that onto which a checkpoint is restored.
      batches: opens the stream of batches at a step; `learning_rate` gives the rate of a step.
      identity: `fingerprint` of what the run depends on. A checkpoint with another one is refused (InputError).
      on_progress: called after each finished step with (step, steps, tokens per second, loss).

    Metrics of a step are fetched once the next one has been dispatched, and are written before a checkpoint that follows them.
    Raises TrainingFailed when the loss stays not finite.
    """
    checkpoints = folder / "checkpoints"
    goodput = Goodput()
    with goodput.measure("checkpoint"):
        state, start = _resume(checkpoints, state, identity)
    if start >= config.steps:
        return state
    clock = _Clock(config, stop)
    step, pending = start, None
    with (
        Checkpoints(checkpoints, config.keep) as saver,
        MetricsLog(folder / "metrics.jsonl", start) as log,
        closing(batches(start)) as stream,
    ):
        report = _Report(config, log, on_progress)
        leave = False
        while step < config.steps and not leave:
            with goodput.measure("data"):
                batch = next(stream)
            rate = learning_rate(step)
            with goodput.measure("compile" if step == start else "step"):
                state, metrics = train_step(state, batch, rate)
                if pending is not None:
                    report(*pending)
            pending = (step, rate, metrics)
            step += 1
            save, leave = clock.due(step)
            if save or leave or step == config.steps:
                with goodput.measure("step"):
                    report(*pending)
                pending = None
                with goodput.measure("checkpoint"):
                    saver.save(step, state, {"step": step, "identity": identity})
        with goodput.measure("checkpoint"):
            saver.wait()
    _append(folder / "goodput.jsonl", {"from": start, "to": step, **goodput.seconds()})
    return state


def _resume(checkpoints: Path, state: TrainState, identity: str) -> tuple[TrainState, int]:
    step = latest(checkpoints)
    if step is None:
        return state, 0
    extra = read_extra(checkpoints, step)
    made_with = extra.get("identity", "")
    if made_with != identity:
        raise InputError(
            f"{checkpoints / str(step)} was made with another configuration or other data (identity {made_with!r}, now {identity!r}); "
            "undo the change or use a new folder"
        )
    return restore(checkpoints, step, state), step


class _Report:
    """Takes each finished step's metrics to the log and to who watches, and gives up after too many skipped steps in a row."""

    def __init__(self, config: LoopConfig, log: MetricsLog, on_progress: OnProgress | None) -> None:
        self._config, self._log, self._on_progress = config, log, on_progress
        self._throughput = Throughput()
        self._in_a_row = 0

    def __call__(self, step: int, rate: float, metrics: Metrics) -> None:
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        speed = self._throughput.add(values["tokens"])
        self._log.write({"step": step, "learning_rate": rate, **values, "tokens_per_second": speed})
        if self._on_progress is not None:
            self._on_progress(step + 1, self._config.steps, speed, values["loss"])
        moved_nothing = not math.isfinite(values["objective"] + values["gradient_norm"])
        self._in_a_row = self._in_a_row + 1 if moved_nothing else 0
        if self._in_a_row > self._config.max_skipped:
            raise TrainingFailed(
                f"the loss or its gradient was not finite in {self._in_a_row} steps in a row, up to step {step}; "
                "lower the learning rate or look at the data"
            )


class _Clock:
    """When to save and when to leave. Several hosts must do both at the same step, so they ask each other, and not at every step."""

    def __init__(self, config: LoopConfig, stop: threading.Event | None) -> None:
        self._every, self._stop, self._saved = config.save_every_seconds, stop, time.monotonic()

    def due(self, step: int) -> tuple[bool, bool]:
        leave = self._stop is not None and self._stop.is_set()
        save = time.monotonic() - self._saved >= self._every
        if jax.process_count() > 1:
            if step % _AGREE_EVERY:
                return False, False
            votes: np.ndarray = multihost_utils.process_allgather(np.array([save, leave]))
            save, leave = (bool(some) for some in np.any(votes, axis=0))
        if save:
            self._saved = time.monotonic()
        return save, leave


def _append(path: Path, record: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
        file.flush()
        os.fsync(file.fileno())
