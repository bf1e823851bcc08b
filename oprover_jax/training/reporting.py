"""Reporting of finished steps: to files, services and callbacks, with a check for too many skipped steps."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax

from oprover_jax.errors import TrainingFailed
from oprover_jax.training.loggers import LOGGERS, Write
from oprover_jax.training.metrics import Goodput, MetricsLog, Throughput
from oprover_jax.training.step import Metrics

__all__ = ["OnProgress", "Report", "open_writers"]

OnProgress = Callable[[int, int, Mapping[str, float]], None]


def open_writers(
    opened: ExitStack, folder: Path, loggers: tuple[str, ...], start: int, about: Mapping[str, Any]
) -> tuple[list[Write], float]:
    """Open the writers of step metrics; return them with the seconds of the steps that will be repeated. Only process 0 writes."""
    if jax.process_index() != 0:
        return [], 0.0
    log = opened.enter_context(MetricsLog(folder / "metrics.jsonl", start))
    others = [opened.enter_context(LOGGERS[name](folder, start, about)) for name in loggers]
    return [lambda step, values: log.write({"step": step, **values}), *others], log.lost_seconds


class Report:
    """Passes each finished step's metrics to writers and callbacks, and fails after too many skipped steps in a row."""

    def __init__(
        self,
        steps: int,
        max_skipped: int,
        goodput: Goodput,
        seconds_at_peak: float | None,
        writers: list[Write],
        on_progress: OnProgress | None,
    ) -> None:
        self._steps, self._max_skipped, self._goodput, self._seconds_at_peak = steps, max_skipped, goodput, seconds_at_peak
        self._writers, self._on_progress = writers, on_progress
        self._throughput = Throughput()
        self._last = time.monotonic()

    def __call__(self, step: int, rate: float, metrics: Metrics, scores: Mapping[str, float] | None = None) -> None:
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        tokens_per_second, steps_per_second = self._throughput.add(values["tokens"])
        now, before = time.monotonic(), self._last
        self._last = now
        values |= {"learning_rate": rate, "tokens_per_second": tokens_per_second, "seconds": now - before, **(scores or {})}
        values["goodput"] = self._goodput.share()
        if self._seconds_at_peak is not None:
            values["mfu"] = self._seconds_at_peak * steps_per_second
        for write in self._writers:
            write(step, values)
        if self._on_progress is not None:
            self._on_progress(step + 1, self._steps, values)
        if values["skipped_in_a_row"] > self._max_skipped:
            raise TrainingFailed(
                f"{values['skipped_in_a_row']:.0f} steps in a row were skipped, up to step {step}, because their loss or gradient was "
                "not finite or a spike; lower the learning rate or check the data"
            )
