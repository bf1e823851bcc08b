"""settle with its row-wise work under Ray Data: the same files as in local processes.

Run by `make test-ray`, which installs Ray. Not one of the tests that every run collects: Ray brings half a gigabyte with it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from disguise import random_theorem, reshape
from test_deduplicate import incoming, read, row

from oprover_jax.ingest.deduplicate import DeduplicateConfig, deduplicate
from oprover_jax.records import Statement

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own code warns


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import ray

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


def test_ray_and_local_processes_write_the_same(cluster: None, tmp_path: Path) -> None:
    rows = [row(reshape(random_theorem(seed % 40), seed), f"by simp [h{seed % 7}]") for seed in range(150)]
    parts = incoming(tmp_path, rows[:70], rows[70:], group=16)
    benchmark = [Statement(id="", name=f"p{i}", formal=random_theorem(i).written(), family="made") for i in range(5)]
    ray = deduplicate(parts, None, benchmark, tmp_path / "ray", DeduplicateConfig(runner="ray"))
    local = deduplicate(parts, None, benchmark, tmp_path / "local", DeduplicateConfig(workers=1))
    assert (ray.rows, ray.statements, ray.proofs, ray.near, ray.removed) == (150, local.statements, local.proofs, local.near, local.removed)
    assert ray.benchmarks["made"] > 0 and ray.near > 0
    for table in ("statements", "proofs", "removed"):
        assert read(tmp_path / "ray", table) == read(tmp_path / "local", table)
