"""Sums over replicas: what each reports, added; replicas that have ended count in what only grows."""

from collections.abc import Sequence

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lean_worker.pool import Pool, PoolStatus
from lean_worker.protocol import Check
from lean_worker.service.metrics import Metrics
from lean_worker.service.totals import ReplicaState, Totals

pytestmark = pytest.mark.lean


def state(pool: Pool, proofs: Sequence[str], refused: int) -> ReplicaState:
    metrics = Metrics(pool)
    for verdict in pool.check_many([Check(proof, "theorem t (p : Prop) (h : p) : p := by sorry", proof) for proof in proofs]):
        metrics.answered(verdict, 0.25)
    for _ in range(refused):
        metrics.refused(429)
    return ReplicaState(pool.status(), metrics.text())


def values(text: bytes) -> dict[str, float]:
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_metrics_and_states_are_summed(pool: Pool) -> None:
    first, second = state(pool, ["h", "by decide"], 2), state(pool, ["h"], 0)
    totals = Totals()
    alone = totals.add("a", first, 0.0)
    assert alone.status == first.status
    assert values(alone.metrics) == {
        name: value for name, value in values(first.metrics).items() if not name.split()[0].endswith("_created")
    }
    both = totals.add("b", second, 1.0)
    found = values(both.metrics)
    assert (found["lean_checks_total kind=accepted"], found["lean_checks_total kind=error"]) == (2, 1)
    assert (found["lean_requests_refused_total code=429"], found["lean_workers"]) == (2, 2 * pool.workers)
    assert (found["lean_check_latency_seconds_sum"], found["lean_check_latency_seconds_bucket le=0.25"]) == (0.75, 3)
    assert both.status.workers == 2 * pool.workers and both.status.memory_bytes > 0
    assert both.status.verdicts["accepted"] == first.status.verdicts["accepted"] + second.status.verdicts["accepted"]

    later = totals.add("b", second, 100.0)  # nobody has heard of a
    found = values(later.metrics)
    assert (found["lean_checks_total kind=accepted"], found["lean_workers"]) == (2, pool.workers)
    assert later.status.workers == pool.workers and later.status.verdicts == both.status.verdicts
    assert later.status.sessions_started == both.status.sessions_started


def test_a_new_report_replaces_the_earlier_one() -> None:
    def of(running: int) -> ReplicaState:
        return ReplicaState(PoolStatus(0, running, 2, 2, 2, {"accepted": running}, 7), b"")

    totals = Totals()
    totals.add("a", of(5), 0.0)
    assert totals.add("a", of(1), 1.0).status == of(1).status
