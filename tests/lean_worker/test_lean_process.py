"""The process behind a server or a REPL: what it may use is looked at, and it ends with whoever started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from watching import members, until

from lean_worker.lean_process import Child, LimitReached
from lean_worker.lifeline import guarded, removal
from lean_worker.session import WorkerLost

pytestmark = pytest.mark.multiprocess

SAYS = "import sys; sys.stdout.write('said'); sys.stdout.flush(); "


@contextmanager
def started(code: str, memory_bytes: int = 1 << 30) -> Iterator[Child]:
    child = Child([sys.executable, "-c", code], dict(os.environ), Path("/"), memory_bytes)
    try:
        yield child
    finally:
        child.kill()
        until(lambda: not members(child.pid))


@contextmanager
def under_lifeline(code: str, address_space: int = 1 << 30, **limits: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process under a lifeline, and the end of the pipe that keeps it alive."""
    watched, held = os.pipe()
    command = guarded([sys.executable, "-c", code], watched, address_space=address_space, **limits)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True, pass_fds=(watched,)
    )
    os.close(watched)
    try:
        yield process, held
    finally:
        os.close(held)
        process.communicate(timeout=20)
        assert not members(process.pid)


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
        with pytest.raises(WorkerLost, match="was killed"), child.exclusive():
            raise AssertionError("not reached")


def test_a_lifeline_that_is_cut_ends_the_whole_group() -> None:
    with under_lifeline("import os, time; print('up', flush=True); os.fork(); time.sleep(60)") as (process, _):
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        until(lambda: len(members(process.pid)) == 3)


@pytest.mark.parametrize(
    ("code", "limits", "exit_code"),
    [
        ("raise SystemExit(7)", {}, 7),
        ("import os; os.kill(os.getpid(), 15)", {}, 128 + signal.SIGTERM),
        ("while True: pass", {"cpu": 1}, 128 + signal.SIGKILL),
        ("open('big', 'wb').write(b'x' * 2_000_000)", {"file": 1_000_000}, 1),
        ("bytearray(2 << 30)", {"address_space": 1 << 30}, 1),
        ("bytearray(2 << 30)", {"address_space": 8 << 30}, 0),
    ],
)
def test_a_lifeline_limits_its_command_and_says_how_it_ended(
    code: str, limits: dict[str, int], exit_code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with under_lifeline(code, **limits) as (process, _):
        assert process.wait(60) == exit_code


def test_a_folder_is_removed_when_its_owner_is_gone(tmp_path: Path) -> None:
    (tmp_path / "folder" / "below").mkdir(parents=True)
    watched, held = os.pipe()
    process = subprocess.Popen(removal(tmp_path / "folder", watched), pass_fds=(watched,))
    os.close(watched)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    assert (tmp_path / "folder" / "below").exists()
    os.close(held)
    assert process.wait(20) == 0 and list(tmp_path.iterdir()) == []
