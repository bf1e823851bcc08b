"""Progress display of a run: stages, rates and remaining time on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@dataclass
class StageProgress:
    """Handle that updates the progress and the detail text of one stage."""

    progress: Progress
    task: TaskID

    def total(self, total: int) -> None:
        """Set the total number of steps, statements or trajectories; call it again for a later phase of the stage."""
        self.progress.reset(self.task, total=total)

    def update(self, done: int, detail: str) -> None:
        """Set the number of items done since the start of the phase, and the detail text."""
        self.progress.update(self.task, completed=done, detail=detail)


class ProgressConsole:
    """Console that shows live bars on a terminal and plain lines in a log."""

    def __init__(self, rich: Console | None = None) -> None:
        self.rich = rich or Console()

    def line(self, text: str) -> None:
        """Print one line of plain text."""
        self.rich.print(text, highlight=False, markup=False, soft_wrap=True)  # brackets in Lean's messages are not markup

    @contextmanager
    def stage(self, number: int, of: int, name: str) -> Iterator[StageProgress]:
        """Show stage `number` of `of` while the block runs."""
        with self.bar(f"[{number:>2}/{of}] {name:<14}") as progress:
            yield progress

    @contextmanager
    def bar(self, label: str) -> Iterator[StageProgress]:
        """Show a progress bar while the block runs."""
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
        """Print the duration in seconds and the result of a finished stage."""
        self.line(f"[{number:>2}/{of}] {name:<14} {seconds:7.1f} s  {text}")
