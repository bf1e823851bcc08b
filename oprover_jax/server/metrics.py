"""What Prometheus reads: requests, tokens, waits, refusals, and the state of the engine."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from oprover_jax.rollout.jax_engine import JaxEngine

_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


class _EngineState:
    """Read at every scrape."""

    def __init__(self, engine: JaxEngine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        now = self._engine.stats()
        yield GaugeMetricFamily("oprover_waiting", "Requests that wait for a slot of the engine.", now.waiting)
        yield GaugeMetricFamily("oprover_decoding", "Samples that are being decoded.", now.decoding)
        yield GaugeMetricFamily("oprover_policy_version", "Version of the weights in use.", self._engine.version)
        yield CounterMetricFamily("oprover_prompt_tokens", "Prompt tokens read.", now.prompt_tokens)
        yield CounterMetricFamily("oprover_generated_tokens", "Tokens drawn.", now.generated_tokens)
        yield CounterMetricFamily("oprover_engine_seconds", "Seconds in which the engine had work.", now.seconds)


class Metrics:
    """The numbers of one server, in a registry of their own."""

    def __init__(self, engine: JaxEngine) -> None:
        self._registry = CollectorRegistry()
        self._samples = Counter("oprover_samples", "Completions given, by how they ended.", ["finish"], registry=self._registry)
        self._seconds = Histogram(
            "oprover_request_seconds", "From a request's arrival to its end.", buckets=_BUCKETS, registry=self._registry
        )
        self._refused = Counter("oprover_requests_refused", "Requests refused, by status code.", ["code"], registry=self._registry)
        self._registry.register(_EngineState(engine))

    def ended(self, finish: str) -> None:
        self._samples.labels(finish).inc()

    def answered(self, seconds: float) -> None:
        self._seconds.observe(seconds)

    def refused(self, code: int) -> None:
        self._refused.labels(str(code)).inc()

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self._registry)
