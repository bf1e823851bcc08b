"""Metrics that survive a kill: one JSON line per step, rates, and a ledger of the time spent, over all starts of a run."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["Goodput", "MetricsLog", "Throughput", "read_metrics"]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the records of a metrics file. A torn last line (the writer was killed) is skipped; an invalid earlier line is an error.

    Raises ValueError naming file and line.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    records = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number} is not a JSON object; remove that line") from error
    return records


class MetricsLog:
    """Log that appends records with a `step` to a JSONL file; a context manager.

    When resuming at `start_step`, it first drops a torn last line and the records of steps that will be repeated,
    so that no step occurs twice. Each record is written to the system at once: a kill loses at most the current line.
    `lost_seconds` is how long the dropped steps had taken, by their `seconds`.
    """

    def __init__(self, path: Path, start_step: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        records = read_metrics(path)
        kept = [record for record in records if record["step"] < start_step]
        self.lost_seconds: float = sum((record.get("seconds", 0.0) for record in records if record["step"] >= start_step), 0.0)
        temporary = path.with_name(f"{path.name}.tmp")
        temporary.write_text("".join(_line(record) for record in kept), encoding="utf-8")
        os.replace(temporary, path)
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        """Write a record. Numbers that are not finite are stored as null, as JSON has none."""
        self._file.write(_line(record))
        self._file.flush()


def _line(record: dict[str, Any]) -> str:
    clean = {name: None if isinstance(value, float) and not abs(value) < float("inf") else value for name, value in record.items()}
    return json.dumps(clean) + "\n"


class Throughput:
    """Tokens and steps per second, as exponential means over about the last `span` steps, without the first step, which compiles."""

    def __init__(self, span: int = 20) -> None:
        self._decay = 1 - 1 / span
        self._tokens = self._steps = self._seconds = 0.0
        self._last: float | None = None

    def add(self, tokens: float) -> tuple[float, float]:
        """Add one finished step and return the current (tokens per second, steps per second); zeros after the first step."""
        now = time.monotonic()
        if self._last is not None:
            self._tokens = self._decay * self._tokens + tokens
            self._steps = self._decay * self._steps + 1
            self._seconds = self._decay * self._seconds + now - self._last
        self._last = now
        return (self._tokens / self._seconds, self._steps / self._seconds) if self._seconds else (0.0, 0.0)


class Goodput:
    """Ledger of a run's seconds by kind of work, over all its starts: see `KINDS`; time that no block measured is `other`."""

    KINDS = ("init", "compile", "data", "step", "checkpoint", "evaluation", "lost", "other")
    """`init`: reading configuration, data and weights. `compile`: until the first step is dispatched. `data`: waiting for a batch. `lost`:
    steps that were lost by a kill and repeated."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._seconds = dict.fromkeys(self.KINDS, 0.0)
        self._before = 0.0

    @contextmanager
    def measure(self, kind: str) -> Iterator[None]:
        """Add the time of the block to `kind`. Blocks must not be nested."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._seconds[kind] += time.monotonic() - start

    def carry(self, earlier: dict[str, float], lost: float) -> None:
        """Add the `seconds` stored in the checkpoint from which this start resumes, and the time of the lost steps after it."""
        for kind, value in {**earlier, "lost": earlier.get("lost", 0.0) + lost}.items():
            self._seconds[kind] += value
            self._before += value

    def seconds(self) -> dict[str, float]:
        """Return the ledger so far, which adds up to the time of all starts."""
        total = self._before + time.monotonic() - self._start
        measured = sum(self._seconds.values()) - self._seconds["other"]
        return {**self._seconds, "other": total - measured}

    def share(self) -> float:
        """Return the fraction of the time that was spent in steps that count."""
        seconds = self.seconds()
        return seconds["step"] / sum(seconds.values())
