"""The service as a Ray Serve deployment on a local Ray: a replica is killed under load, and every check still gets its one right answer.

Run by `make test-ray`, which installs Ray. Not one of the tests that every run collects: Ray brings half a gigabyte with it.
"""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from lean_worker.client import RemotePool
from lean_worker.errors import LeanWorkerError
from lean_worker.lean_config import LeanConfig
from lean_worker.protocol import Check

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own code warns


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    import ray
    from ray import serve

    from lean_worker.service.ray_app import build

    with pytest.MonkeyPatch.context() as patch, socket.socket() as free:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("LEAN_WORKER_KEY", "a-key")
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        try:
            serve.start(http_options={"host": "127.0.0.1", "port": port})
            serve.run(build({"replicas": "2", "workers": "1", "backend": "embedded-fork", "heartbeats": "9000"}))
            yield f"http://127.0.0.1:{port}"
        finally:
            serve.shutdown()
            ray.shutdown()


def test_what_is_asked_of_one_replica_is_answered_for_all(url: str) -> None:
    checks = [Check(f"{i}", f"theorem t{i} : {i} + {i} = {2 * i + (i % 5 == 0)} := by sorry", "by decide") for i in range(100)]
    with RemotePool(url, "a-key", connections=16) as pool:
        assert pool.describe().heartbeats == 9000
        pool.check_many(checks)
        expected = {"lean_workers 2.0", 'lean_checks_total{kind="accepted"} 80.0', 'lean_checks_total{kind="error"} 20.0'}
        end = time.monotonic() + 90  # until both replicas have reported
        while not expected <= set(httpx2.get(f"{url}/metrics", headers={"Authorization": "Bearer a-key"}).text.splitlines()):
            assert time.monotonic() < end, pool.status()
            time.sleep(1)
        status = pool.status()
    assert status.workers == 2 and status.verdicts["accepted"] >= 80  # and those of the health checks


def test_a_killed_replica_costs_no_answer(url: str) -> None:
    import psutil

    def below(process: psutil.Process, word: str) -> list[psutil.Process]:
        found = []
        for child in process.children(recursive=True):
            try:
                if child.status() != psutil.STATUS_ZOMBIE and word in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return found

    def replicas() -> list[psutil.Process]:
        """The replicas with a Lean, so without the process that sums their metrics."""
        return [replica for replica in below(psutil.Process(), "ServeReplica") if below(replica, "fork_server")]

    checks = [Check(f"{i}", f"theorem t{i} : {i} + {i} = {2 * i + (i % 5 == 0)} := by sorry", "by decide") for i in range(600)]
    with RemotePool(url, "a-key", connections=32) as pool:
        futures = [pool.submit(check) for check in checks]
        while not (sum(future.done() for future in futures) >= 100 and len(replicas()) == 2):
            time.sleep(0.01)
        victim = replicas()[0]
        lean = below(victim, "fork_server")
        before = sum(future.done() for future in futures)
        victim.kill()
        verdicts = [future.result(timeout=240) for future in futures]
    assert before < len(checks)  # else nothing was killed under load
    assert [verdict.id for verdict in verdicts] == [check.id for check in checks]
    assert [verdict.kind for verdict in verdicts] == ["error" if i % 5 == 0 else "accepted" for i in range(600)]
    assert lean and not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in lean)


def test_options_select_the_lean_of_a_replica() -> None:
    from lean_worker.service.ray_app import RayOptions, read_options

    given = {
        "backend": "language-server",
        "project": "/p",
        "imports": "Mathlib, Aesop",
        "timeout": "90",
        "max_replicas": "8",
        "workers": "3",
    }
    options, lean = read_options(given)
    assert options == RayOptions(max_replicas=8)
    assert lean == LeanConfig("language-server", project=Path("/p"), imports=("Mathlib", "Aesop"), timeout=90.0, workers=3)
    for wrong in (
        {"wokers": "3"},
        {"workers": "three"},
        {"workers": "0"},
        {"backend": "remote", "urls": "http://a"},
        {"imports": "Mathlib"},
    ):
        with pytest.raises(LeanWorkerError):
            read_options(wrong)


def test_a_replica_that_misjudges_is_not_healthy() -> None:
    """`check_health` on a pool that is closed, without Ray around it: Ray replaces a replica for which it raises."""
    from lean_worker.pool import Pool
    from lean_worker.service.health import Health

    async def judged(pool: Pool) -> str | None:
        return await Health(pool).misjudgement()

    with Pool(1) as pool:
        assert asyncio.run(judged(pool)) is None
    assert asyncio.run(judged(pool)) == "the pool is closed"
