"""One tiny run of `oprover iterate`, from its start to its end, for all tests that need a finished one."""

import fcntl
from pathlib import Path

import pytest
from start import iterate


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The run; of several test processes the first one makes it, and the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    run = (base if worker_id == "master" else base.parent) / "calm"
    with run.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        finished = run.with_suffix(".finished")
        if not finished.exists():
            process = iterate(run)
            output, _ = process.communicate(timeout=900)
            assert process.returncode == 0, output
            finished.touch()
    return run
