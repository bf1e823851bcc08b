"""Metrics that survive a kill: one JSON line per step, rates, and a ledger of where the time went."""

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
    """The records of a metrics file. A torn last line (the writer was killed in it) is left out; a bad line before is an error.

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
            raise ValueError(f"{path}, line {number} is no JSON object; remove that line") from error
    return records


class MetricsLog:
    """Appends records with a `step` to a JSONL file; a context manager.

    Opened to go on from `start_step`, it first drops a torn last line and the records of steps that will be taken again,
    so that no step is there twice. Each record is handed to the system at once: a kill loses at most the line in writing.
    """

    def __init__(self, path: Path, start_step: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [record for record in read_metrics(path) if record["step"] < start_step]
        temporary = path.with_name(f"{path.name}.tmp")
        temporary.write_text("".join(_line(record) for record in kept), encoding="utf-8")
        os.replace(temporary, path)
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        """Numbers that are not finite are stored as null, as JSON has none."""
        self._file.write(_line(record))
        self._file.flush()


def _line(record: dict[str, Any]) -> str:
    clean = {name: None if isinstance(value, float) and not abs(value) < float("inf") else value for name, value in record.items()}
    return json.dumps(clean) + "\n"


class Throughput:
    """Tokens per second, as an exponential mean over about the last `span` steps; the first step, which compiles, is left out."""

    def __init__(self, span: int = 20) -> None:
        self._decay = 1 - 1 / span
        self._tokens = self._seconds = 0.0
        self._last: float | None = None

    def add(self, tokens: float) -> float:
        """Counts one finished step and returns the rate so far (0 after the first)."""
        now = time.monotonic()
        if self._last is not None:
            self._tokens = self._decay * self._tokens + tokens
            self._seconds = self._decay * self._seconds + now - self._last
        self._last = now
        return self._tokens / self._seconds if self._seconds else 0.0


class Goodput:
    """Seconds by kind of work: compile (the first step), data, step, checkpoint; what no block measured is `other`."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, kind: str) -> Iterator[None]:
        """Adds the time of the block to `kind`. Blocks must not be nested."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._seconds[kind] = self._seconds.get(kind, 0.0) + time.monotonic() - start

    def seconds(self) -> dict[str, float]:
        """The ledger up to now; its values add up to `total`."""
        total = time.monotonic() - self._start
        return {**self._seconds, "other": total - sum(self._seconds.values()), "total": total}
