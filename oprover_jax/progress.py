"""What one sees while a run goes on: the stages, their rates, the time that remains. One plain line per stage where no terminal is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@dataclass
class StageProgress:
    """Handle of one stage: how far it is, and a short text with its rates."""

    progress: Progress
    task: TaskID

    def total(self, total: int) -> None:
        """Says how many steps, statements or trajectories there are in all; may be called again for a later phase of the stage."""
        self.progress.reset(self.task, total=total)

    def update(self, done: int, detail: str) -> None:
        """`done` counts from the start of the phase."""
        self.progress.update(self.task, completed=done, detail=detail)


class ProgressConsole:
    """Live bars on a terminal, lines in a log; either way the finished stages stay readable."""

    def __init__(self, rich: Console | None = None) -> None:
        self.rich = rich or Console()

    def line(self, text: str) -> None:
        self.rich.print(text, highlight=False, markup=False, soft_wrap=True)  # Lean's words have brackets of their own

    @contextmanager
    def stage(self, number: int, of: int, name: str) -> Iterator[StageProgress]:
        """Shows stage `number` of `of` for as long as the block runs."""
        with self.bar(f"[{number:>2}/{of}] {name:<14}") as progress:
            yield progress

    @contextmanager
    def bar(self, label: str) -> Iterator[StageProgress]:
        """Shows one piece of work for as long as the block runs."""
        if not self.rich.is_terminal:
            self.line(f"{label} started {time.strftime('%H:%M:%S')}")
        bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[detail]}"),
            console=self.rich,
            transient=True,
            disable=not self.rich.is_terminal,
            refresh_per_second=4,
        )
        with bars:
            yield StageProgress(bars, bars.add_task(label, total=None, detail=""))

    def finished(self, number: int, of: int, name: str, seconds: float, text: str) -> None:
        self.line(f"[{number:>2}/{of}] {name:<14} {seconds:7.1f} s  {text}")
