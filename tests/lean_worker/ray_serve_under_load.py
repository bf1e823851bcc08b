"""The service as a Ray Serve deployment on a local Ray: a replica is killed under load, and every check still gets its one right answer.

Run by `make test-ray`, which installs Ray. Not one of the tests that every run collects: Ray brings half a gigabyte with it.
"""

import socket
import time
from collections.abc import Iterator

import pytest

from lean_worker.client import RemotePool
from lean_worker.protocol import Check

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own code warns


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import ray
    from ray import serve

    from lean_worker.service.ray_app import build

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("LEAN_WORKER_KEY", "a-key")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        serve.run(build({"replicas": "2", "workers": "1"}))
        yield f"http://127.0.0.1:{port}"
    finally:
        serve.shutdown()
        ray.shutdown()


def test_a_killed_replica_costs_no_answer(url: str) -> None:
    import psutil

    def running(word: str) -> list[psutil.Process]:
        found = []
        for process in psutil.Process().children(recursive=True):
            try:
                if process.status() != psutil.STATUS_ZOMBIE and word in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        return found

    checks = [Check(f"{i}", f"theorem t{i} : {i} + {i} = {2 * i + (i % 5 == 0)} := by sorry", "by decide") for i in range(600)]
    with RemotePool(url, "a-key", connections=32) as pool:
        futures = [pool.submit(check) for check in checks]
        while not (sum(future.done() for future in futures) >= 100 and len(running("fork_server")) == 2):
            time.sleep(0.01)
        victim = running("ServeReplica")[0]
        lean = [child for child in victim.children(recursive=True) if "fork_server" in " ".join(child.cmdline())]
        before = sum(future.done() for future in futures)
        victim.kill()
        verdicts = [future.result(timeout=240) for future in futures]
    assert before < len(checks)  # else nothing was killed under load
    assert [verdict.id for verdict in verdicts] == [check.id for check in checks]
    assert [verdict.kind for verdict in verdicts] == ["error" if i % 5 == 0 else "accepted" for i in range(600)]
    assert lean and not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in lean)
