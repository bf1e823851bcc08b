"""Progress display of a run: stages, rates and remaining time on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_SECONDS = 60.0  # between progress lines where there is no terminal


@dataclass
class StageProgress:
    """Handle that updates the progress and the detail text of one stage: a bar on a terminal, a line a minute elsewhere.

    Attributes:
      progress: Bars of the terminal.
      task: The bar of this stage.
      label: Name of the stage in its lines.
      line: Prints a line; None on a terminal.
      clock: Seconds that only grow.
    """

    progress: Progress
    task: TaskID
    label: str = ""
    line: Callable[[str], None] | None = None
    clock: Callable[[], float] = time.monotonic
    _total: int | None = None
    _first: tuple[int, float] | None = None
    _last: str = ""
    _printed: float = field(init=False)

    def __post_init__(self) -> None:
        self._printed = self.clock()

    def total(self, total: int) -> None:
        """Set the total number of steps, statements or trajectories; call it again for a later phase of the stage."""
        self.progress.reset(self.task, total=total)
        self._total, self._first = total, None

    def update(self, done: int, detail: str) -> None:
        """Set the number of items done since the start of the phase, and the detail text."""
        self.progress.update(self.task, completed=done, detail=detail)
        if self.line is None:
            return
        now = self.clock()
        self._first = self._first or (done, now)
        self._last = f"{self.label} {done:,}{'' if self._total is None else f'/{self._total:,}'} {detail}"
        if now - self._printed >= LINE_SECONDS:
            self.line(f"{self._last}{self._left(done, now)}")
            self._printed, self._last = now, ""

    def end(self) -> None:
        """Print the last state unless it has been printed."""
        if self.line is not None and self._last:
            self.line(self._last)

    def _left(self, done: int, now: float) -> str:
        """Return the remaining time by the rate since the first update; a resumed phase begins above 0."""
        assert self._first is not None
        before, began = self._first
        if self._total is None or done <= before:
            return ""
        return f", {(now - began) / (done - before) * (self._total - done):,.0f} s left"


class ProgressConsole:
    """Console that shows live bars on a terminal and plain lines in a log."""

    def __init__(self, rich: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.rich, self.clock = rich or Console(), clock

    def line(self, text: str) -> None:
        """Print one line of plain text."""
        self.rich.print(text, highlight=False, markup=False, soft_wrap=True)  # brackets in Lean's messages are not markup

    @contextmanager
    def stage(self, number: int, of: int, name: str) -> Iterator[StageProgress]:
        """Show stage `number` of `of` while the block runs."""
        with self.bar(f"[{number:>2}/{of}] {name:<14}", last=False) as progress:
            yield progress

    @contextmanager
    def bar(self, label: str, last: bool = True) -> Iterator[StageProgress]:
        """Show a progress bar while the block runs.

        Args:
          label: Name of the work.
          last: Whether the last state is printed where there is no terminal.
        """
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
            task = bars.add_task(label, total=None, detail="")
            progress = StageProgress(bars, task, label.rstrip(), None if self.rich.is_terminal else self.line, self.clock)
            yield progress
            if last:
                progress.end()

    def finished(self, number: int, of: int, name: str, seconds: float, text: str) -> None:
        """Print the duration in seconds and the result of a finished stage."""
        self.line(f"[{number:>2}/{of}] {name:<14} {seconds:7.1f} s  {text}")
