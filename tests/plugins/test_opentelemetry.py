"""The metrics through OpenTelemetry's real SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.metrics.view import View

from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.batch import Batch
from copilot_analytics.events import EventType
from copilot_analytics.metrics import METRICS, MetricKind, MetricName
from copilot_analytics.stores import MemoryStore
from copilot_analytics_plugins.opentelemetry import OpenTelemetryMetrics


class CountingStore(MemoryStore):
    def write(self, batch: Batch) -> None:
        super().write(batch)
        self.bytes_written = (self.bytes_written or 0) + 100 * len(batch.events)


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    analytics = Analytics(CountingStore(), config=AnalyticsConfig(flush_interval=3600.0))
    yield analytics
    analytics.close()


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    yield reader
    reader.shutdown()


def provider(reader: InMemoryMetricReader) -> MeterProvider:
    """As docs/metrics.md has it: without views the SDK gives every name in lower case."""
    views = [View(instrument_name=name.value, name=name.value) for name in MetricName]
    return MeterProvider([reader], views=views, shutdown_on_exit=False)


def collected(reader: InMemoryMetricReader) -> dict[str, Metric]:
    data = reader.get_metrics_data()
    return {
        metric.name: metric
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        if scope.scope.name == "copilot_analytics"
        for metric in scope.metrics
    }


def numbers(metric: Metric) -> dict[str | None, float]:
    """Each point's value, by the attribute besides the store's."""
    values: dict[str | None, float] = {}
    for point in metric.data.data_points:
        attributes = dict(point.attributes or {})
        assert attributes.pop("Store") == "memory://"
        own = METRICS[MetricName(metric.name)].dimension
        label = attributes.pop(own, None) if own else None
        assert not attributes
        assert label is None or isinstance(label, str)
        values[label] = point.value if isinstance(point, NumberDataPoint) else point.count
    return values


def test_all_metrics_are_collected_with_the_recorder_s_numbers(
    analytics: Analytics, reader: InMemoryMetricReader
) -> None:
    OpenTelemetryMetrics(analytics, provider(reader))
    for _ in range(5):
        analytics.service.track_command_execution("ada", "add", True, 12.0)
    analytics.service.track_error("ada", "Timeout")
    analytics.service.track_event(EventType.MESSAGE_SENT, "ada", timestamp=1)
    assert analytics.recorder.flush_blocking(30)
    asyncio.run(analytics.service.dashboard(analytics.service.today()))

    metrics = collected(reader)

    health = analytics.recorder.health()
    assert {name: numbers(metric) for name, metric in metrics.items()} == {
        MetricName.EVENTS_TRACKED: {None: health.accepted},
        MetricName.ERRORS: {None: 1},
        # By reason alone: who sums over attributes has the whole.
        MetricName.EVENTS_DROPPED: health.dropped,
        MetricName.EVENTS_PENDING: {None: 0},
        MetricName.EVENTS_SPOOLED: {None: 0},
        MetricName.BYTES_WRITTEN: {None: 100 * health.stored},
        MetricName.FLUSH_LATENCY: {None: 1},
        MetricName.QUERY_LATENCY: {"dashboard": 1},
    }


def test_units_and_kinds_are_opentelemetry_s(
    analytics: Analytics, reader: InMemoryMetricReader
) -> None:
    OpenTelemetryMetrics(analytics, provider(reader))
    analytics.service.track_command_execution("ada", "add", True)
    assert analytics.recorder.flush_blocking(30)

    for name, metric in collected(reader).items():
        described = METRICS[MetricName(name)]
        assert metric.description == described.meaning
        if described.kind is MetricKind.DURATION:
            assert metric.unit == "ms"
            assert isinstance(metric.data.data_points[0], HistogramDataPoint)
        else:
            assert metric.unit == ("By" if described.unit == "Bytes" else "1")
            assert isinstance(metric.data, Sum)
            assert metric.data.is_monotonic == (described.kind is MetricKind.COUNTER)
            assert metric.data.aggregation_temporality is AggregationTemporality.CUMULATIVE


def test_durations_are_recorded_as_they_are(
    analytics: Analytics, reader: InMemoryMetricReader
) -> None:
    OpenTelemetryMetrics(analytics, provider(reader))
    for _ in range(3):
        asyncio.run(analytics.service.dashboard(analytics.service.today()))

    (point,) = collected(reader)[MetricName.QUERY_LATENCY].data.data_points

    exact = analytics.metrics.read().durations[MetricName.QUERY_LATENCY, "dashboard"]
    assert isinstance(point, HistogramDataPoint)
    assert point.count == 3
    assert point.sum == pytest.approx(exact.total_ms)


def test_without_views_names_are_in_lower_case(
    analytics: Analytics, reader: InMemoryMetricReader
) -> None:
    OpenTelemetryMetrics(analytics, MeterProvider([reader], shutdown_on_exit=False))

    assert {"analyticseventstracked", "analyticserrors"} <= collected(reader).keys()


def test_closed_it_tells_nothing_any_more(
    analytics: Analytics, reader: InMemoryMetricReader
) -> None:
    metrics = OpenTelemetryMetrics(analytics, provider(reader))
    metrics.close()
    metrics.close()
    analytics.service.track_command_execution("ada", "add", True)
    assert analytics.recorder.flush_blocking(30)

    assert collected(reader) == {}
    assert analytics.guard.errors == {}


def test_without_a_provider_of_the_host_s_nothing_happens(analytics: Analytics) -> None:
    """The API's own provider takes everything and does nothing."""
    OpenTelemetryMetrics(analytics)
    analytics.service.track_command_execution("ada", "add", True)

    assert analytics.recorder.flush_blocking(30)
    assert analytics.guard.errors == {}
