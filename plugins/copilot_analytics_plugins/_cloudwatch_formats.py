"""A reading of the metrics in CloudWatch's two formats: log lines (EMF), and PutMetricData."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import TypeVar

from copilot_analytics.histogram import value_of
from copilot_analytics.metrics import METRICS, Durations, MetricName, Reading, Series

__all__ = ["EMF_VALUES", "PUT_VALUES", "emf_lines", "metric_data"]

_T = TypeVar("_T")

EMF_VALUES = 100
"""The most values of one metric in one EMF document."""

PUT_VALUES = 150
"""The most distinct values of one metric in one datum of PutMetricData."""


def emf_lines(
    reading: Reading, *, namespace: str, dimensions: Mapping[str, str], now_ms: int
) -> list[str]:
    """Return what a reading says as documents of the embedded metric format, a line each.

    The format has no counts, so each duration is a value of its own, a hundred to a line.

    Args:
        reading: what was added since the last publication.
        namespace: where the metrics belong.
        dimensions: of all metrics.
        now_ms: the time that the values are of, epoch milliseconds.
    """
    # A line has one set of dimensions, and a metric at most once.
    documents: defaultdict[tuple[frozenset[tuple[str, str]], int], dict[MetricName, object]]
    documents = defaultdict(dict)
    for series, number in chain(reading.counters.items(), reading.gauges.items()):
        documents[_own_dimension(series), 0][series[0]] = number
    for series, durations in reading.durations.items():
        values = list(chain.from_iterable(repeat(*each) for each in _values(durations)))
        for line, part in enumerate(_parts(values, EMF_VALUES)):
            documents[_own_dimension(series), line][series[0]] = part
    return [
        _document(numbers, namespace=namespace, dimensions={**dimensions, **dict(own)}, at=now_ms)
        for (own, _), numbers in documents.items()
    ]


def _document(
    numbers: Mapping[MetricName, object],
    *,
    namespace: str,
    dimensions: Mapping[str, str],
    at: int,
) -> str:
    directive = {
        "Namespace": namespace,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": METRICS[name].unit} for name in numbers],
    }
    about = {"Timestamp": at, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": about, **dimensions, **numbers}, separators=(",", ":"))


def metric_data(
    reading: Reading, *, dimensions: Mapping[str, str], now_ms: int
) -> list[dict[str, object]]:
    """Return what a reading says as the MetricData of PutMetricData.

    Args:
        reading: what was added since the last publication.
        dimensions: of all metrics.
        now_ms: the time that the values are of, epoch milliseconds.
    """
    at = datetime.fromtimestamp(now_ms / 1000, UTC)

    def datum(series: Series, **values: object) -> dict[str, object]:
        members = {**dimensions, **dict(_own_dimension(series))}
        return {
            "MetricName": series[0].value,
            "Dimensions": [{"Name": name, "Value": value} for name, value in members.items()],
            "Timestamp": at,
            "Unit": METRICS[series[0]].unit,
            **values,
        }

    data = [
        datum(series, Value=number)
        for series, number in chain(reading.counters.items(), reading.gauges.items())
    ]
    for series, durations in reading.durations.items():
        for part in _parts(list(_values(durations)), PUT_VALUES):
            values, counts = zip(*part, strict=True)
            data.append(datum(series, Values=values, Counts=counts))
    return data


def _own_dimension(series: Series) -> frozenset[tuple[str, str]]:
    """Return the dimension that a series has besides those of all; none if it is a whole."""
    name, label = series
    own = METRICS[name].dimension
    return frozenset() if own is None or label is None else frozenset({(own, label)})


def _values(durations: Durations) -> Iterator[tuple[float, int]]:
    """Yield each duration's value, in milliseconds to four digits, with how often it occurred."""
    for bucket, count in sorted(durations.buckets.items()):
        yield float(f"{value_of(bucket):.4g}"), count


def _parts(values: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
