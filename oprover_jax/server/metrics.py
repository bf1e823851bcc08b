"""Prometheus metrics of the server: requests, tokens, latency, rejections and the state of the engine."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from oprover_jax.rollout.jax_engine import JaxEngine

_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


class _EngineState:
    """Collector that reads the engine state at every scrape."""

    def __init__(self, engine: JaxEngine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        now = self._engine.stats()
        yield GaugeMetricFamily("oprover_waiting", "Requests waiting for an engine slot.", now.waiting)
        yield GaugeMetricFamily("oprover_decoding", "Samples being decoded.", now.decoding)
        yield GaugeMetricFamily("oprover_policy_version", "Version of the weights in use.", self._engine.version)
        yield CounterMetricFamily("oprover_prompt_tokens", "Prompt tokens processed.", now.prompt_tokens)
        yield CounterMetricFamily("oprover_generated_tokens", "Tokens generated.", now.generated_tokens)
        yield CounterMetricFamily("oprover_engine_seconds", "Seconds during which the engine was busy.", now.seconds)


class Metrics:
    """Metrics of one server, in a separate registry."""

    def __init__(self, engine: JaxEngine) -> None:
        self._registry = CollectorRegistry()
        self._samples = Counter("oprover_samples", "Completions returned, by finish reason.", ["finish"], registry=self._registry)
        self._seconds = Histogram(
            "oprover_request_seconds", "Seconds from the arrival of a request to its end.", buckets=_BUCKETS, registry=self._registry
        )
        self._refused = Counter("oprover_requests_refused", "Requests rejected, by status code.", ["code"], registry=self._registry)
        self._registry.register(_EngineState(engine))

    def ended(self, finish: str) -> None:
        self._samples.labels(finish).inc()

    def answered(self, seconds: float) -> None:
        self._seconds.observe(seconds)

    def refused(self, code: int) -> None:
        self._refused.labels(str(code)).inc()

    def text(self) -> bytes:
        """Return all metrics in Prometheus text format."""
        return generate_latest(self._registry)
