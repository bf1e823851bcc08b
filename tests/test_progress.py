"""Progress where no terminal is: a line a minute with the remaining time, and the last state once."""

import io

import pytest
from rich.console import Console

from oprover_jax.progress import ProgressConsole


@pytest.fixture
def now() -> list[float]:
    """The time that the clock shows."""
    return [100.0]


def lines(work, now: list[float], terminal: bool = False) -> list[str]:
    out = io.StringIO()
    work(ProgressConsole(Console(file=out, width=200, force_terminal=terminal), lambda: now[0]))
    return out.getvalue().splitlines()


def test_a_line_a_minute_and_the_last_state(now: list[float]) -> None:
    def work(console: ProgressConsole) -> None:
        with console.bar("pack demo") as bar:
            bar.total(1000)
            for step in range(0, 301, 10):
                bar.update(step, "MB")
                now[0] += 6.5

    started, *shown = lines(work, now)
    assert started.startswith("pack demo started ")
    # 10 steps take 6.5 s: the first line comes after 60 s, that is with step 100
    assert shown == ["pack demo 100/1,000 MB, 585 s left", "pack demo 200/1,000 MB, 520 s left", "pack demo 300/1,000 MB, 455 s left"]


def test_a_resumed_phase_is_timed_from_where_it_resumes(now: list[float]) -> None:
    def work(console: ProgressConsole) -> None:
        with console.bar("train") as bar:
            bar.total(1000)
            bar.update(900, "loss 1")
            now[0] += 70
            bar.update(910, "loss 1")
            bar.update(911, "loss 0.5")

    assert lines(work, now)[1:] == ["train 910/1,000 loss 1, 630 s left", "train 911/1,000 loss 0.5"]


def test_a_stage_leaves_its_end_to_the_line_that_reports_it(now: list[float]) -> None:
    def work(console: ProgressConsole) -> None:
        with console.stage(3, 20, "cpt") as bar:
            bar.update(4, "loss 1")
        console.finished(3, 20, "cpt", 2.0, "loss 1")

    assert lines(work, now)[1:] == ["[ 3/20] cpt                2.0 s  loss 1"]


def test_a_terminal_has_bars_and_no_lines(now: list[float]) -> None:
    def work(console: ProgressConsole) -> None:
        with console.bar("pack") as bar:
            bar.total(2)
            bar.update(2, "MB")

    assert not any("started" in line for line in lines(work, now, terminal=True))
