"""One pool of the real embedded Lean for all tests of the worker."""

from collections.abc import Iterator

import pytest

from lean_worker.pool import Pool


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    with Pool(2, timeout=10.0) as running:
        yield running
