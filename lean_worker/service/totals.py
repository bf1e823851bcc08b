"""Sums of the metrics and states of a service's replicas, which a client behind a load balancer cannot ask one by one."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from lean_worker.pool import PoolStatus

_GROWING = ("verdicts", "sessions_started")  # the other fields of PoolStatus describe the present
_LIVE_SECONDS = 30.0


class ReplicaState(msgspec.Struct, frozen=True):
    """State of a pool, and its service's metrics in Prometheus's text format."""

    status: PoolStatus
    metrics: bytes


class Totals:
    """Latest state of each replica. Counters include replicas that have ended; the present is that of replicas heard from recently."""

    def __init__(self) -> None:
        self._states: dict[str, tuple[float, ReplicaState]] = {}

    def add(self, replica: str, state: ReplicaState, now: float) -> ReplicaState:
        """Record the state of one replica at the time `now`, in seconds, and return the sum over all replicas."""
        self._states[replica] = now, state
        live = [state for at, state in self._states.values() if now - at <= _LIVE_SECONDS]
        ended = [state for at, state in self._states.values() if now - at > _LIVE_SECONDS]
        return ReplicaState(_sum_statuses(live, ended), _sum_metrics(live, ended))


def _sum_statuses(live: Iterable[ReplicaState], ended: Iterable[ReplicaState]) -> PoolStatus:
    present, past = [state.status for state in live], [state.status for state in ended]
    verdicts = sum((Counter(status.verdicts) for status in (*present, *past)), Counter[str]())
    counts = {
        name: sum(getattr(status, name) for status in (*present, *(past if name in _GROWING else ())))
        for name in PoolStatus.__struct_fields__
        if name != "verdicts"
    }
    return PoolStatus(**counts, verdicts=dict(verdicts))


def _sum_metrics(live: Iterable[ReplicaState], ended: Iterable[ReplicaState]) -> bytes:
    summed = _Summed()
    for state in live:
        summed.add(state.metrics, of_the_past=False)
    for state in ended:
        summed.add(state.metrics, of_the_past=True)
    registry = CollectorRegistry()
    registry.register(summed)
    return generate_latest(registry)


class _Summed:
    """Collector of sums: all of this service's metrics are additive, apart from the times at which counters were created."""

    def __init__(self) -> None:
        self._families: dict[str, tuple[str, str]] = {}
        self._values: dict[str, Counter[tuple[str, tuple[tuple[str, str], ...]]]] = {}

    def add(self, text: bytes, of_the_past: bool) -> None:
        for family in text_string_to_metric_families(text.decode()):
            if family.name.endswith("_created") or (of_the_past and family.type == "gauge"):
                continue
            self._families[family.name] = family.documentation, family.type
            values = self._values.setdefault(family.name, Counter())
            for sample in family.samples:
                values[sample.name, tuple(sample.labels.items())] += sample.value  # type: ignore[assignment]  # also fractions

    def collect(self) -> Iterator[Metric]:
        for name, (documentation, kind) in self._families.items():
            metric = Metric(name, documentation, kind)
            for (sample, labels), value in self._values[name].items():
                metric.add_sample(sample, dict(labels), value)
            yield metric
