"""Training loop: resumes from its folder, feeds the step without blocking on the running one, saves, and stops on request."""

import hashlib
import json
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from oprover_jax.errors import InputError
from oprover_jax.files import replacing
from oprover_jax.models.qwen3 import Params
from oprover_jax.training.checkpoint import Checkpoints, latest, read_extra, restore
from oprover_jax.training.distributed import has_preemption_service, preempted
from oprover_jax.training.loggers import LOGGERS, check_loggers
from oprover_jax.training.metrics import Goodput
from oprover_jax.training.profiling import ProfileOnDemand
from oprover_jax.training.reporting import OnProgress, Report, open_writers
from oprover_jax.training.step import Batch, Metrics, TrainState, TrainStep

__all__ = ["LoopConfig", "fingerprint", "resumed_step", "run", "stop_on_signals"]

_AGREE_SECONDS = 5.0  # between the points at which several hosts agree to save or stop


@dataclass(frozen=True)
class LoopConfig:
    """Settings of the loop. `steps` is the total. A checkpoint is saved every `save_every_seconds`, at every multiple of `keep_every`
    (0: none) and at the end; the newest `keep` are kept, and those multiples permanently. More than `max_skipped` skipped steps in a row
    are a failure. Held-out rows, if any, are scored every `evaluate_every` steps (0: never before the end) and at the end. `loggers`
    besides metrics.jsonl: "tensorboard", "wandb"."""

    steps: int
    save_every_seconds: float = 120.0
    keep: int = 1
    keep_every: int = 0
    max_skipped: int = 20
    evaluate_every: int = 0
    loggers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.steps < 1 or self.keep < 1 or self.max_skipped < 0:
            given = f"{self.steps}, {self.keep} and {self.max_skipped}"
            raise ValueError(f"steps, keep and max_skipped are {given}; give at least 1, 1 and 0")
        if self.keep_every < 0 or self.evaluate_every < 0:
            raise ValueError(f"keep_every and evaluate_every are {self.keep_every} and {self.evaluate_every}; neither may be negative")
        if not self.save_every_seconds > 0:
            raise ValueError(f"save_every_seconds is {self.save_every_seconds}; give a positive number")
        if unknown := set(self.loggers) - LOGGERS.keys():
            raise ValueError(f"loggers holds {min(unknown)!r}; choose from {', '.join(LOGGERS)}")


def fingerprint(*configuration: Any) -> str:
    """Return a short hash of what must not change between a start and its resumption: dataclasses, numbers, strings and containers."""
    return hashlib.sha256(repr(configuration).encode()).hexdigest()[:16]


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event for `run(stop=...)` that SIGTERM and Ctrl-C set; a second Ctrl-C interrupts at once. Restores the previous handlers.

    On several hosts JAX listens for SIGTERM instead and tells all of them, which `run` notices by itself. Handlers belong to the main
    thread: in any other one none is set, and the caller sets the event.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, frame: Any) -> None:
        if number == signal.SIGINT and stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    numbers = [signal.SIGINT] if has_preemption_service() else [signal.SIGTERM, signal.SIGINT]
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(
    folder: Path,
    config: LoopConfig,
    state: TrainState,
    train_step: TrainStep,
    batches: Callable[[int], Generator[Batch]],
    learning_rate: Callable[[int], float],
    *,
    identity: str = "",
    about: Mapping[str, Any] | None = None,
    goodput: Goodput | None = None,
    seconds_at_peak: float | None = None,
    evaluate: Callable[[Params], dict[str, float]] | None = None,
    on_progress: OnProgress | None = None,
    stop: threading.Event | None = None,
) -> TrainState:
    """Train to step `config.steps`, or until `stop` is set, and return the state.

    Args:
      folder: gets `checkpoints/`, `metrics.jsonl` (one line per step) and `goodput.json` (seconds by kind, over all starts). If it
        has a complete checkpoint, the run resumes from there, and a finished one returns at once. `touch folder/profile` traces steps.
      state: the first state. It is consumed; checkpoints are restored onto its layout, for which shapes are enough.
      batches: opens the stream of batches at a step; `learning_rate` gives the rate of a step.
      identity: `fingerprint` of what the run depends on. A checkpoint with another one is refused (InputError).
      about: further data to store with each checkpoint and pass to the loggers, such as the seed.
      goodput: the ledger, if time before this call is to count.
      seconds_at_peak: how long a step would take at the devices' peak; with it, `mfu` is among the metrics.
      evaluate: returns scores of the weights, which are added to the metrics of the step after which they were taken.
      on_progress: called after each finished step with (step, steps, its metrics).

    Metrics of a step are fetched once the next one has been dispatched, and are written before a checkpoint that follows them.
    With several hosts the folder is shared, and process 0 writes everything that is not an array.
    Raises TrainingFailed when too many steps in a row are skipped.
    """
    check_loggers(config.loggers)
    goodput = goodput or Goodput()
    with goodput.measure("init"):
        start = resumed_step(folder, identity)
        if start:
            state = restore(folder / "checkpoints", start, state)
    if start >= config.steps:
        return state
    clock = _Clock(config, stop, start)
    step = start
    pending: tuple[int, float, Metrics] | None = None
    with ExitStack() as opened:
        saver = opened.enter_context(Checkpoints(folder / "checkpoints", config.keep, config.keep_every))
        profile = opened.enter_context(ProfileOnDemand(folder))
        writers, lost = open_writers(opened, folder, config.loggers, start, about or {})
        goodput.carry(read_extra(folder / "checkpoints", start).get("goodput", {}) if start else {}, lost)
        report = Report(config.steps, config.max_skipped, goodput, seconds_at_peak, writers, on_progress)
        stream = opened.enter_context(closing(batches(start)))
        leave = False
        while step < config.steps and not leave:
            with goodput.measure("data"):
                batch = next(stream)
            rate = learning_rate(step)
            profile.before(step)
            with goodput.measure("compile" if step == start else "step"):
                state, metrics = train_step(state, batch, rate)
                if pending is not None:
                    report(*pending)
            pending = (step, rate, metrics)
            step += 1
            profile.after(step, metrics)
            save, leave = clock.due(step)
            if evaluate is not None and (step == config.steps or _multiple(step, config.evaluate_every)):
                with goodput.measure("step"):
                    jax.block_until_ready(metrics)
                with goodput.measure("evaluation"):
                    scores = evaluate(state.params)
                report(*pending, scores)
                pending = None
            if save or leave or step == config.steps:
                with goodput.measure("step"):
                    if pending is not None:
                        report(*pending)
                pending = None
                with goodput.measure("checkpoint"):
                    about_now = {**(about or {}), "step": step, "identity": identity, "goodput": goodput.seconds()}
                    saver.save(step, state, about_now)
        with goodput.measure("checkpoint"):
            saver.wait()
    if jax.process_index() == 0:
        with replacing(folder / "goodput.json") as temporary:
            temporary.write_text(json.dumps(goodput.seconds(), indent=1) + "\n", encoding="utf-8")
    return state


def resumed_step(folder: Path, identity: str = "") -> int:
    """Return the step at which `run` would resume in `folder`; 0 for a new run. Raises InputError for another identity."""
    step = latest(folder / "checkpoints")
    if step is None:
        return 0
    made_with = read_extra(folder / "checkpoints", step).get("identity", "")
    if made_with != identity:
        raise InputError(
            f"{folder / 'checkpoints' / str(step)} was made with another configuration or other data (identity {made_with!r}, now "
            f"{identity!r}); undo the change or use a new folder"
        )
    return step


def _multiple(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


class _Clock:
    """Decides when to save and when to stop. Several hosts must do both at the same step, so they agree, about every `_AGREE_SECONDS`; a
    SIGTERM to any of them is agreed on in the background, and acts within a few steps."""

    def __init__(self, config: LoopConfig, stop: threading.Event | None, start: int) -> None:
        self._config, self._stop, self._saved = config, stop, time.monotonic()
        self._agreed, self._agreed_step, self._agree_at = self._saved, start, start + 1

    def due(self, step: int) -> tuple[bool, bool]:
        """Return (save, stop) after `step` steps; must be called after every step."""
        leave = self._stop is not None and self._stop.is_set()
        save = time.monotonic() - self._saved >= self._config.save_every_seconds
        if jax.process_count() > 1:
            save, leave = self._agree(step, save, leave) if step >= self._agree_at else (False, False)
        leave |= preempted(step)
        save |= _multiple(step, self._config.keep_every)
        if save:
            self._saved = time.monotonic()
        return save, leave

    def _agree(self, step: int, save: bool, leave: bool) -> tuple[bool, bool]:
        """Return what any host wants, and set the step at which they agree again by the seconds of a step on the slowest host."""
        now = time.monotonic()
        seconds = (now - self._agreed) / (step - self._agreed_step)
        votes: np.ndarray = multihost_utils.process_allgather(np.array([save, leave, seconds], np.float32))
        save, leave, slowest = votes.max(axis=0).tolist()
        self._agreed, self._agreed_step = now, step
        self._agree_at = step + max(1, int(_AGREE_SECONDS / max(slowest, 1e-6)))
        return bool(save), bool(leave)
