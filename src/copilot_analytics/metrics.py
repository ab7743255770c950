"""What analytics measures about itself, for the operator: names, units, dimensions and meanings.

docs/metrics.md tells how to publish it and what to alarm on. No name, dimension or value is ever
taken from a user, a message or a connection.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Protocol

from ._exits import end_at_exit
from ._forking import renew_in_children
from ._measurements import Durations, Measurements
from .queries import RecorderHealth

__all__ = [
    "METRICS",
    "NAMESPACE",
    "STORE_DIMENSION",
    "Durations",
    "MetricDefinition",
    "MetricKind",
    "MetricName",
    "MetricSink",
    "Metrics",
    "Reading",
    "Series",
]

NAMESPACE = "CopilotAnalytics"
"""Where sinks that have namespaces publish, unless told otherwise."""

STORE_DIMENSION = "Store"
"""The dimension of every metric: a DynamoDB table's name; any other store's URL."""


class MetricName(StrEnum):
    """The name of each metric, the same in every sink."""

    EVENTS_TRACKED = "AnalyticsEventsTracked"
    ERRORS = "AnalyticsErrors"
    EVENTS_DROPPED = "AnalyticsEventsDropped"
    EVENTS_PENDING = "AnalyticsEventsPending"
    EVENTS_SPOOLED = "AnalyticsEventsSpooled"
    BYTES_WRITTEN = "AnalyticsBytesWritten"
    FLUSH_LATENCY = "AnalyticsFlushLatency"
    QUERY_LATENCY = "AnalyticsQueryLatency"


class MetricKind(StrEnum):
    """How values of a metric are to be read."""

    COUNTER = auto()
    """Grows from 0 since the process started; sinks with periods publish what a period adds."""
    GAUGE = auto()
    """As of now; the sum over processes is the whole."""
    DURATION = auto()
    """Many single values, in milliseconds; kept in buckets, each within 2 % of its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDefinition:
    """One metric.

    Attributes:
        name: its name.
        kind: how its values are to be read.
        unit: their unit, by CloudWatch's name.
        dimension: what it is broken down by, besides the store; None if by nothing. The whole is
            published as well, under the store alone.
        meaning: what is counted or measured, as a sentence.
    """

    name: MetricName
    kind: MetricKind
    unit: str
    dimension: str | None = None
    meaning: str


METRICS = {
    definition.name: definition
    for definition in (
        MetricDefinition(
            name=MetricName.EVENTS_TRACKED,
            kind=MetricKind.COUNTER,
            unit="Count",
            meaning="Events that the recorder accepted.",
        ),
        MetricDefinition(
            name=MetricName.ERRORS,
            kind=MetricKind.COUNTER,
            unit="Count",
            meaning="Errors of the copilot: events of type ERROR_OCCURRED among those accepted.",
        ),
        MetricDefinition(
            name=MetricName.EVENTS_DROPPED,
            kind=MetricKind.COUNTER,
            unit="Count",
            dimension="Reason",
            meaning="Events that were lost: not accepted, or given up later.",
        ),
        MetricDefinition(
            name=MetricName.EVENTS_PENDING,
            kind=MetricKind.GAUGE,
            unit="Count",
            meaning="Events that wait in memory for the store.",
        ),
        MetricDefinition(
            name=MetricName.EVENTS_SPOOLED,
            kind=MetricKind.GAUGE,
            unit="Count",
            meaning="Events that wait on disk for a remote store.",
        ),
        MetricDefinition(
            name=MetricName.BYTES_WRITTEN,
            kind=MetricKind.COUNTER,
            unit="Bytes",
            meaning="Bytes of the events that a remote store confirmed, as the store counts them.",
        ),
        MetricDefinition(
            name=MetricName.FLUSH_LATENCY,
            kind=MetricKind.DURATION,
            unit="Milliseconds",
            meaning="How long each attempt to write a batch took, also one that failed.",
        ),
        MetricDefinition(
            name=MetricName.QUERY_LATENCY,
            kind=MetricKind.DURATION,
            unit="Milliseconds",
            dimension="Question",
            meaning="How long each question to the store took, from being asked to its answer.",
        ),
    )
}
"""Every metric, by its name."""

Series = tuple[MetricName, str | None]
"""A metric, and the value of its own dimension; None for the whole."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Every metric at one moment.

    A series is there from its first value on; those without a dimension of their own always are,
    but for what the store does not tell.

    Attributes:
        counters: since the process started; from `since`, what was added.
        gauges: as of the moment.
        durations: since the process started; from `since`, what was added.
    """

    counters: Mapping[Series, int] = field(default_factory=dict)
    gauges: Mapping[Series, int] = field(default_factory=dict)
    durations: Mapping[Series, Durations] = field(default_factory=dict)

    def since(self, earlier: Reading) -> Reading:
        """Return what this reading adds to an earlier one of the same process; gauges as here.

        Each reader keeps its own last reading, so that several can read independently.
        """
        return Reading(
            {
                series: count - earlier.counters.get(series, 0)
                for series, count in self.counters.items()
            },
            self.gauges,
            {
                series: durations.since(earlier.durations.get(series, Durations()))
                for series, durations in self.durations.items()
            },
        )


class MetricSink(Protocol):
    """Publishes metrics somewhere; see `Metrics.attach`. Neither method may raise."""

    def close(self, timeout: float) -> object:
        """Publish what is not published yet and end, within so many seconds; idempotent."""
        ...

    def renew_in_child(self) -> None:
        """Start anew in a forked child: what was measured before is its parent's."""
        ...


class Metrics:
    """Every metric of an `Analytics`; read by whoever publishes them. See `Analytics.metrics`.

    Thread-safe. A forked child starts from zero.

    Args:
        measurements: what is measured on the way.
        store: the store's URL.
        health: tells the recorder's counts.
        bytes_written: tells what the store has written, in bytes; None if it does not count.

    Attributes:
        store: the value of the dimension `Store`.
    """

    EXIT_SECONDS = 5.0
    """How long the exit of the interpreter waits for sinks that nobody closed."""

    def __init__(
        self,
        measurements: Measurements,
        *,
        store: str,
        health: Callable[[], RecorderHealth],
        bytes_written: Callable[[], int | None],
    ) -> None:
        self.store = _store_name(store)
        self._measurements = measurements
        self._health = health
        self._bytes_written = bytes_written
        self._sinks: list[MetricSink] = []
        self._lock = threading.Lock()
        renew_in_children(self)
        end_at_exit(self, after_recorders=True)

    def renew_in_child(self) -> None:
        """Have the sinks start anew in a forked child."""
        self._lock = threading.Lock()
        for sink in self._sinks:
            sink.renew_in_child()

    def read(self) -> Reading:
        """Return every metric, now; see `Reading.since` for what changed."""
        health = self._health()
        durations = self._measurements.durations()
        lost = Counter(health.dropped)
        lost.update(health.rejected)
        # Where analytics is switched off nothing is to be kept, so that nothing is lost.
        lost.pop("disabled", None)
        counters: dict[Series, int] = {
            (MetricName.EVENTS_TRACKED, None): health.accepted,
            (MetricName.ERRORS, None): self._measurements.errors,
            (MetricName.EVENTS_DROPPED, None): lost.total(),
        }
        counters |= {(MetricName.EVENTS_DROPPED, reason): n for reason, n in lost.items()}
        if (bytes_written := self._bytes_written()) is not None:
            counters[MetricName.BYTES_WRITTEN, None] = bytes_written
        writes = durations.pop(None)
        return Reading(
            counters,
            {
                (MetricName.EVENTS_PENDING, None): health.pending,
                (MetricName.EVENTS_SPOOLED, None): health.spooled,
            },
            {
                (MetricName.FLUSH_LATENCY, None): writes,
                (MetricName.QUERY_LATENCY, None): sum(durations.values(), Durations()),
                **{(MetricName.QUERY_LATENCY, name): one for name, one in durations.items()},
            },
        )

    def listen(self, listener: Callable[[Series, float], object]) -> Callable[[], None]:
        """Have every single duration told from now on, in the thread that measured it.

        Args:
            listener: called with the most detailed series and the milliseconds.

        Returns:
            What ends it.
        """

        def told(question: str | None, ms: float) -> None:
            name = MetricName.FLUSH_LATENCY if question is None else MetricName.QUERY_LATENCY
            listener((name, question), ms)

        return self._measurements.listen(told)

    def attach(self, sink: MetricSink) -> None:
        """Have a sink closed with the `Analytics`, or by the exit, and renewed in forked children.

        In either case after the recorder. It is held until it is closed.
        """
        with self._lock:
            if sink not in self._sinks:
                self._sinks.append(sink)

    def detach(self, sink: MetricSink) -> None:
        """Forget a sink that was closed; nothing if it is not attached."""
        with self._lock:
            if sink in self._sinks:
                self._sinks.remove(sink)

    @property
    def sinks(self) -> tuple[MetricSink, ...]:
        """The sinks that are attached."""
        with self._lock:
            return tuple(self._sinks)

    def close_sinks(self, timeout: float) -> None:
        """Close every sink that is attached, one after the other, within a time in seconds."""
        end = time.monotonic() + timeout
        for sink in self.sinks:
            sink.close(max(0.0, end - time.monotonic()))
            self.detach(sink)

    def end_at_exit(self) -> None:
        """Close the sinks that nobody closed before the interpreter ends."""
        self.close_sinks(self.EXIT_SECONDS)


def _store_name(url: str) -> str:
    """Return a store's URL without its options; of a DynamoDB table the name alone."""
    return url.partition("?")[0].removeprefix("dynamodb://")
