"""What Prometheus reads: checks by kind, how long they took, refusals, and the state of the pool."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from lean_worker.pool import Pool
from lean_worker.protocol import Verdict

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class _PoolState:
    """Read at every scrape, so that nothing must be kept up to date in between."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def collect(self) -> Iterator[Metric]:
        now = self._pool.status()
        yield GaugeMetricFamily("lean_queue_length", "Checks that wait for a worker.", now.waiting)
        yield GaugeMetricFamily("lean_running", "Checks in work.", now.running)
        yield GaugeMetricFamily("lean_workers", "Lean processes that may check at once.", now.workers)
        yield GaugeMetricFamily("lean_sessions", "Lean processes alive.", now.sessions)
        yield CounterMetricFamily("lean_sessions_started", "Lean processes started so far.", now.sessions_started)
        yield GaugeMetricFamily("lean_memory_bytes", "Resident memory of all Lean processes.", now.memory_bytes)


class Metrics:
    """The numbers of one service, in a registry of their own."""

    def __init__(self, pool: Pool) -> None:
        self._registry = CollectorRegistry()
        self._checks = Counter("lean_checks", "Answers given, by kind of verdict.", ["kind"], registry=self._registry)
        self._seconds = Histogram(
            "lean_check_latency_seconds", "From a check's arrival to its answer.", buckets=_BUCKETS, registry=self._registry
        )
        self._refused = Counter("lean_requests_refused", "Requests refused, by status code.", ["code"], registry=self._registry)
        self._registry.register(_PoolState(pool))

    def answered(self, verdict: Verdict, seconds: float) -> None:
        """Count one answer that came `seconds` after the check arrived."""
        self._checks.labels(verdict.kind).inc()
        self._seconds.observe(seconds)

    def refused(self, code: int) -> None:
        self._refused.labels(str(code)).inc()

    def text(self) -> bytes:
        """Everything in Prometheus's text format. Reads /proc: not for the event loop."""
        return generate_latest(self._registry)
