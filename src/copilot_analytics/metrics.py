"""What analytics measures about itself, for the operator: names, units, dimensions and meanings.

docs/metrics.md tells how to publish it and what to alarm on. No name, dimension or value is ever
taken from a user, a message or a connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

__all__ = [
    "METRICS",
    "NAMESPACE",
    "STORE_DIMENSION",
    "MetricDefinition",
    "MetricKind",
    "MetricName",
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
            meaning="Bytes of the events and rollups that a remote store confirmed.",
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
