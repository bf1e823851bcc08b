"""The process behind a server or a REPL: what it may use is looked at, and it ends with whoever started it."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from watching import members, until

from lean_worker.child import Child, LimitReached
from lean_worker.session import WorkerLost

SAYS = "import sys; sys.stdout.write('said'); sys.stdout.flush(); "


@contextmanager
def started(code: str, memory_bytes: int = 1 << 30) -> Iterator[Child]:
    child = Child([sys.executable, "-c", code], dict(os.environ), Path("/"), memory_bytes)
    try:
        yield child
    finally:
        child.kill()
        until(lambda: not members(child.pid))


def within(seconds: float) -> float:
    return time.monotonic() + seconds


@pytest.mark.parametrize(("megabytes", "fits"), [(20, True), (400, False)])
def test_resident_memory_is_limited(megabytes: int, fits: bool) -> None:
    """That of a grandchild too."""
    hog = f"import os, time; os.fork(); held = b'x' * ({megabytes} << 20); time.sleep(3); {SAYS}"
    with started(hog, 200 << 20) as child:
        if fits:
            assert child.read(within(60)).startswith(b"said")
        else:
            with pytest.raises(LimitReached, match="signal"):
                child.read(within(60))


def test_the_deadline() -> None:
    with started(SAYS + "import time; time.sleep(60)") as child:
        assert child.read(within(60)) == b"said"
        with pytest.raises(LimitReached, match="timeout"):
            child.read(within(0.3))


def test_an_end_is_noticed_even_if_a_grandchild_holds_the_pipe() -> None:
    with started(SAYS + "import time; time.sleep(60)") as child:
        assert child.read(within(60)) == b"said"
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(WorkerLost, match="ended"):
            child.read(within(60))


def test_a_killed_child_takes_no_more_work() -> None:
    with started("import time; time.sleep(60)") as child:
        child.kill()
        with pytest.raises(WorkerLost, match="was ended"), child.exclusive():
            raise AssertionError("not reached")
