"""One pool of real Lean processes for all tests."""

from collections.abc import Iterator

import pytest

from lean_worker.pool import Pool


@pytest.fixture(scope="session")
def lean() -> Iterator[Pool]:
    with Pool(workers=2) as pool:
        yield pool
