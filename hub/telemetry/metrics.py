"""What the hub counts, for Prometheus, in a registry of its own.

Names follow https://prometheus.io/docs/practices/naming/. A label takes a bounded number of values:
what comes after those is counted as `other`, so that no sender can fill the memory of whoever
stores the metrics.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

MOST_VALUES = 100
"""How many values one label may take: more doors, keys, handlers and actions than a hub has."""

OTHER = "other"

_STORING_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""From one group commit on a good disk to the patience of GitHub, which hangs up after 10 s."""

_WORK_SECONDS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""From a run that skips to the default limit of a handler."""

_BODY_BYTES = (*(float(1 << power) for power in range(10, 25, 2)), float(25 << 20))
"""From a kilobyte in steps of four to GitHub's cap of 25 MiB."""

M = TypeVar("M", Counter, Gauge, Histogram)


class Series(Generic[M]):
    """A metric with labels. Looking a child up in a dict of our own costs less than `labels()`."""

    def __init__(self, metric: M, *, labels: int, most_values: int = MOST_VALUES) -> None:
        self._metric: M = metric
        self._most_values = most_values
        self._children: dict[tuple[str, ...], M] = {}
        self._seen: tuple[set[str], ...] = tuple(set() for _ in range(labels))

    def of(self, *values: str) -> M:
        """Return the child with these label values, in the order of the labels."""
        child = self._children.get(values)
        return child if child is not None else self._adopt(values)

    def has(self, *values: str) -> bool:
        """Whether anything was counted with these label values."""
        return values in self._children

    def forget(self, *values: str) -> None:
        """Say nothing more of these label values."""
        if self._children.pop(values, None) is not None:
            self._metric.remove(*values)

    def _adopt(self, values: tuple[str, ...]) -> M:
        bounded = tuple(
            self._bounded(seen, value) for seen, value in zip(self._seen, values, strict=True)
        )
        child: M = self._metric.labels(*bounded)
        self._children[bounded] = child
        return child

    def _bounded(self, seen: set[str], value: str) -> str:
        if value not in seen and len(seen) >= self._most_values:
            return OTHER
        seen.add(value)
        return value


class _Register:
    """Makes series on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, meaning: str, *labels: str) -> Series[Counter]:
        return Series(Counter(name, meaning, labels, registry=self._registry), labels=len(labels))

    def gauge(self, name: str, meaning: str, *labels: str) -> Series[Gauge]:
        return Series(Gauge(name, meaning, labels, registry=self._registry), labels=len(labels))

    def histogram(
        self, name: str, meaning: str, *labels: str, buckets: Sequence[float]
    ) -> Series[Histogram]:
        histogram = Histogram(name, meaning, labels, buckets=buckets, registry=self._registry)
        return Series(histogram, labels=len(labels))


class ReceiverMetrics:
    """Counts requests and what came of them; satisfies the Protocol of `hub/receiver`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        make = _Register(registry)
        self._requests = make.counter(
            "trunkline_requests", "Requests and what came of them.", "door", "outcome", "status"
        )
        self._body_bytes = make.histogram(
            "trunkline_request_body_bytes", "Size of bodies.", "door", buckets=_BODY_BYTES
        )
        self._verified = make.counter(
            "trunkline_verified", "Requests by the key that proved them.", "door", "key"
        )
        self._storing = make.histogram(
            "trunkline_storing_seconds",
            "From the end of the headers until the events were durable.",
            "door",
            buckets=_STORING_SECONDS,
        )
        self._cut = make.counter(
            "trunkline_connections_cut", "Connections cut before there was a request.", "reason"
        )

    def answered(self, *, door: str, outcome: str, status: int, body_bytes: int) -> None:
        """Count a request and its answer."""
        self._requests.of(door, outcome, str(status)).inc()
        self._body_bytes.of(door).observe(body_bytes)

    def verified(self, *, door: str, key: str) -> None:
        """Count a request that this key proved authentic."""
        self._verified.of(door, key).inc()

    def stored(self, *, door: str, seconds: float) -> None:
        """Note how long it took until the events of a request were durable."""
        self._storing.of(door).observe(seconds)

    def cut(self, *, reason: str) -> None:
        """Count a connection that was cut."""
        self._cut.of(reason).inc()


class DispatchMetrics:
    """Counts runs and steps; satisfies the Protocol of `hub/dispatch`.

    Retries and dead letters are the runs whose outcome is `retrying` and `dead`.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        make = _Register(registry)
        self._runs = make.counter(
            "trunkline_attempts", "Attempts at runs and how they ended.", "handler", "outcome"
        )
        self._run_seconds = make.histogram(
            "trunkline_attempt_seconds", "Time of an attempt.", "handler", buckets=_WORK_SECONDS
        )
        self._steps = make.counter(
            "trunkline_steps", "Actions performed and how they ended.", "action", "outcome"
        )
        self._step_seconds = make.histogram(
            "trunkline_step_seconds", "Time of an action.", "action", buckets=_WORK_SECONDS
        )

    def run_ended(self, *, handler: str, outcome: str, seconds: float) -> None:
        """Count an attempt that has ended."""
        self._runs.of(handler, outcome).inc()
        self._run_seconds.of(handler).observe(seconds)

    def step_ended(self, *, action: str, outcome: str, seconds: float) -> None:
        """Count an action that was performed, or failed to be."""
        self._steps.of(action, outcome).inc()
        self._step_seconds.of(action).observe(seconds)


class WatcherMetrics:
    """Counts what is watched; satisfies the Protocol of `hub/watcher`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        make = _Register(registry)
        self._registry = registry
        self._leading: Gauge | None = None
        self._heard = make.gauge(
            "trunkline_watcher_heard_timestamp_seconds",
            "When a kind was heard of last, or was to be watched first.",
            "kind",
        )
        self._objects = make.gauge("trunkline_watcher_objects", "Objects of a kind.", "kind")
        self._events = make.counter(
            "trunkline_watcher_events", "Events that were new to the log.", "kind"
        )
        self._unreadable = make.counter(
            "trunkline_watcher_unreadable", "Objects that could not be read.", "kind"
        )
        self._interrupted = make.counter(
            "trunkline_watcher_interrupted",
            "Lists and watches that came to nothing.",
            "kind",
            "why",
        )

    def leading(self, *, is_leading: bool) -> None:
        """Say whether this process watches; one that never may says nothing of it."""
        if self._leading is None:
            self._leading = Gauge(
                "trunkline_watcher_leading",
                "Whether this process watches.",
                registry=self._registry,
            )
        self._leading.set(is_leading)

    def watched(self, *, kind: str, wall: float) -> None:
        """Note that something is to be heard of a kind from this Unix time on."""
        if not self._heard.has(kind):
            self._heard.of(kind).set(wall)

    def left(self, *, kind: str) -> None:
        """Note that nothing is to be heard of a kind any more."""
        self._heard.forget(kind)
        self._objects.forget(kind)

    def heard(self, *, kind: str, wall: float, objects: int) -> None:
        """Note that the API server has said something of a kind at this Unix time."""
        self._heard.of(kind).set(wall)
        self._objects.of(kind).set(objects)

    def told(self, *, kind: str, events: int) -> None:
        """Count events that were new to the log."""
        self._events.of(kind).inc(events)

    def unreadable(self, *, kind: str) -> None:
        """Count an object that could not be read."""
        self._unreadable.of(kind).inc()

    def interrupted(self, *, kind: str, why: str) -> None:
        """Count a list or a watch that came to nothing, and why."""
        self._interrupted.of(kind, why).inc()


class Backlog(Collector):
    """What is still to be done, read from whoever knows at the moment of the scrape."""

    def __init__(
        self, *, runs: Callable[[], Mapping[str, int]], lag: Callable[[], int | None]
    ) -> None:
        """`runs` counts the runs in each state; `lag` the events not routed yet, None: unknown."""
        self._runs = runs
        self._lag = lag

    def collect(self) -> Iterable[Metric]:
        """Read both."""
        runs = GaugeMetricFamily("trunkline_runs", "Runs in each state.", labels=("state",))
        for state, count in self._runs().items():
            runs.add_metric((str(state),), count)
        yield runs
        lag = self._lag()
        if lag is not None:
            yield GaugeMetricFamily("trunkline_lag_events", "Events not routed yet.", value=lag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Everything that one hub counts. Each part is handed its group."""

    registry: CollectorRegistry
    receiver: ReceiverMetrics
    dispatch: DispatchMetrics
    watcher: WatcherMetrics
    loop_blocked: Counter
    """How often the event loop stood still; see `hub/telemetry/watchdog.py`."""

    def watch(self, backlog: Backlog) -> None:
        """Have the backlog read at every scrape."""
        self.registry.register(backlog)


def new_metrics() -> Metrics:
    """Return metrics that nothing was counted on yet, and those of the process itself."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return Metrics(
        registry=registry,
        receiver=ReceiverMetrics(registry),
        dispatch=DispatchMetrics(registry),
        watcher=WatcherMetrics(registry),
        loop_blocked=Counter(
            "trunkline_loop_blocked", "How often the event loop stood still.", registry=registry
        ),
    )
