"""One tiny run of `oprover iterate`, from its start to its end, for all tests that need a finished one."""

from pathlib import Path

import pytest
from start import iterate


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "calm"
    process = iterate(run)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    return run
