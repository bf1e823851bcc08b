import os
import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from oprover_jax.processes import in_processes

ROOT = Path(__file__).parents[1]
WAITING = """
import sys, time
from pathlib import Path
from oprover_jax.processes import in_processes

def wait(job):
    print("at work", flush=True)
    time.sleep(600)

if __name__ == "__main__":
    list(in_processes(wait, range(int(sys.argv[1])), 2))
"""


def negated(job: int) -> int:
    return -job


def ended(job: int) -> int:
    if job == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def refused(job: int) -> int:
    raise ValueError(f"job {job}")


@pytest.mark.parametrize("processes", [1, 2])
def test_every_job_is_done_once(processes: int) -> None:
    assert sorted(in_processes(negated, range(20), processes)) == [(job, -job) for job in range(20)]
    assert list(in_processes(negated, [], processes)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_job_raises_is_raised(processes: int) -> None:
    with pytest.raises(ValueError, match=r"job [01]"):
        list(in_processes(refused, [0, 1], processes))


def test_a_process_that_was_killed_is_an_error_and_no_waiting() -> None:
    with pytest.raises(BrokenProcessPool):
        list(in_processes(ended, range(3), 2))


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, -signal.SIGINT)])
@pytest.mark.parametrize("jobs", [2, 5])
def test_they_end_with_the_one_that_started_them(how: signal.Signals, code: int, jobs: int, tmp_path: Path) -> None:
    script = tmp_path / "waiting.py"
    script.write_text(WAITING)
    process = subprocess.Popen(
        [sys.executable, str(script), str(jobs)], env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(2):
        assert process.stdout.readline() == "at work\n"
    process.send_signal(how)
    said, _ = process.communicate(timeout=60)  # ends when all who hold the pipe are gone
    assert process.returncode == code and not said
