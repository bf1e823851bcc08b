"""One pool of the real embedded Lean for all tests of the worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_toolchain import make_toolchain

from lean_worker.pool import Pool


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    with Pool(2, timeout=10.0) as running:
        yield running


@pytest.fixture(scope="session")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installed Lean, made of the embedded one."""
    folder = tmp_path_factory.mktemp("installed") / "toolchain"
    make_toolchain(folder)
    return folder


@pytest.fixture(scope="session")
def trusting() -> Iterator[Pool]:
    """A pool for a user's own files, which may contain any command."""
    with Pool(1, timeout=10.0, trusted_headers=True) as running:
        yield running
