"""What the operating system says of the processes that the tests start."""

import os
import time
from collections.abc import Callable
from pathlib import Path

Stat = tuple[str, int, int]  # state, parent, process group


def stat(pid: int) -> Stat | None:
    """None for a process that is gone."""
    try:
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1]), int(fields[2])


def alive(pid: int) -> bool:
    found = stat(pid)
    return found is not None and found[0] != "Z"


def _living(wanted: Callable[[Stat], bool]) -> list[int]:
    numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in numbers if (found := stat(pid)) is not None and found[0] != "Z" and wanted(found)]


def children(pid: int) -> list[int]:
    return _living(lambda found: found[1] == pid)


def descendants(pid: int) -> list[int]:
    return [one for child in children(pid) for one in (child, *descendants(child))]


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    return _living(lambda found: found[2] == group)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition of the operating system; a failure is an assertion, not a hang."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.02)
