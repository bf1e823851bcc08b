"""Prometheus metrics: checks by verdict kind, latency, refused requests and the state of the pool."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from lean_worker.files import FileReport
from lean_worker.pool import Pool
from lean_worker.protocol import Verdict

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class _PoolState:
    """Collector that reads the pool at every scrape, so that no gauge must be kept up to date."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def collect(self) -> Iterator[Metric]:
        now = self._pool.status()
        yield GaugeMetricFamily("lean_queue_length", "Checks waiting for a worker.", now.waiting)
        yield GaugeMetricFamily("lean_running", "Checks in progress.", now.running)
        yield GaugeMetricFamily("lean_workers", "Maximum number of Lean processes that check concurrently.", now.workers)
        yield GaugeMetricFamily("lean_sessions", "Running Lean processes.", now.sessions)
        yield CounterMetricFamily("lean_sessions_started", "Lean processes started since the service began.", now.sessions_started)
        yield GaugeMetricFamily("lean_memory_bytes", "Resident memory of all Lean processes.", now.memory_bytes)


class Metrics:
    """Metrics of one service, in a registry of its own."""

    def __init__(self, pool: Pool) -> None:
        self._registry = CollectorRegistry()
        self._checks = Counter("lean_checks", "Verdicts returned, by kind.", ["kind"], registry=self._registry)
        self._seconds = Histogram(
            "lean_check_latency_seconds", "Seconds from a check's arrival to its verdict.", buckets=_BUCKETS, registry=self._registry
        )
        self._refused = Counter("lean_requests_refused", "Requests refused, by status code.", ["code"], registry=self._registry)
        self._registry.register(_PoolState(pool))

    def answered(self, verdict: Verdict | FileReport, seconds: float) -> None:
        """Count a verdict that was returned `seconds` after the check arrived."""
        self._checks.labels(verdict.kind).inc()
        self._seconds.observe(seconds)

    def refused(self, code: int) -> None:
        self._refused.labels(str(code)).inc()

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format. Reads /proc, so do not call it on the event loop."""
        return generate_latest(self._registry)
