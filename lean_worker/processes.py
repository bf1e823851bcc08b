"""Process utilities: memory use and termination."""

import contextlib
import os
import signal
from pathlib import Path


def tree_memory(pid: int, descend: bool = True) -> int:
    """Return the resident bytes of a process and, if `descend`, all its descendants; 0 if it does not exist."""
    total, left = 0, [pid]
    while left:
        place = Path("/proc") / str(left.pop())
        try:
            total += int((place / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in (place / "task").iterdir() if descend else ():
                left += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


def kill(pid: int) -> bool:
    """Kill one process; return False if it does not exist."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False
