"""The metrics of analytics through OpenTelemetry, for whatever the host exports them to.

    OpenTelemetryMetrics(analytics)

once the host's meter provider is set. docs/metrics.md has the names and what they mean. Only the
API is needed here; what is exported where is the host's SDK's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import version

from copilot_analytics.analytics import Analytics
from copilot_analytics.errors import MissingDependencyError
from copilot_analytics.metrics import (
    METRICS,
    STORE_DIMENSION,
    MetricDefinition,
    MetricKind,
    Series,
)

try:
    from opentelemetry.metrics import (
        CallbackOptions,
        Histogram,
        MeterProvider,
        Observation,
        get_meter_provider,
    )
except ImportError as exc:
    raise MissingDependencyError("opentelemetry", "opentelemetry") from exc

__all__ = ["OpenTelemetryMetrics"]

_UNITS = {"Count": "1", "Bytes": "By", "Milliseconds": "ms"}
"""UCUM's names, which OpenTelemetry asks for, by CloudWatch's."""


class OpenTelemetryMetrics:
    """Has a meter provider collect the metrics of an `Analytics`.

    Counters and gauges are read when they are collected; durations are recorded in the thread that
    measured them, never on an event loop. Make one a process: after a fork, where servers fork
    their workers, as OpenTelemetry itself asks.

    Args:
        analytics: whose metrics.
        meter_provider: collects them; None means the global one. Not owned.

    Raises:
        MissingDependencyError: OpenTelemetry's API is not installed (when this is imported).
    """

    def __init__(self, analytics: Analytics, meter_provider: MeterProvider | None = None) -> None:
        self._metrics = analytics.metrics
        self._closed = False
        self._histograms: dict[str, Histogram] = {}
        meter = (meter_provider or get_meter_provider()).get_meter(
            "copilot_analytics", version("copilot-analytics")
        )
        for name, metric in METRICS.items():
            unit = _UNITS[metric.unit]
            if metric.kind is MetricKind.DURATION:
                self._histograms[name] = meter.create_histogram(
                    name.value, unit=unit, description=metric.meaning
                )
                continue
            create = (
                meter.create_observable_counter
                if metric.kind is MetricKind.COUNTER
                else meter.create_observable_up_down_counter
            )
            create(name.value, [self._observer(metric)], unit=unit, description=metric.meaning)
        self._end_listening = self._metrics.listen(self._record)

    def close(self) -> None:
        """Tell the meter provider nothing any more; idempotent.

        Not needed where it lives as long as its `Analytics`: what was counted stays to be read.
        """
        self._closed = True
        self._end_listening()

    def _observer(
        self, metric: MetricDefinition
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            if self._closed:
                return
            reading = self._metrics.read()
            counted = metric.kind is MetricKind.COUNTER
            for series, number in (reading.counters if counted else reading.gauges).items():
                # A backend sums over attributes: a whole beside its parts would count twice.
                whole = series[1] is None and metric.dimension is not None
                if series[0] is metric.name and not whole:
                    yield Observation(number, self._attributes(series))

        return observe

    def _record(self, series: Series, ms: float) -> None:
        self._histograms[series[0]].record(ms, self._attributes(series))

    def _attributes(self, series: Series) -> dict[str, str]:
        name, label = series
        attributes = {STORE_DIMENSION: self._metrics.store}
        own = METRICS[name].dimension
        if own is not None and label is not None:
            attributes[own] = label
        return attributes
