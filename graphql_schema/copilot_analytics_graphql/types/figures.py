"""Figures that several answers share: comparisons, latencies, distinct users, counts by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self, TypeVar

import strawberry

from copilot_analytics import queries
from copilot_analytics.periods import DateRange

from ..scalars import Count, Day

__all__ = [
    "CloseCodeCount",
    "CountComparison",
    "EndReasonCount",
    "ErrorTypeComparison",
    "ErrorTypeCount",
    "Latency",
    "LatencyBin",
    "LatencyComparison",
    "MeasureComparison",
    "Period",
    "Users",
    "comparisons",
]

_T = TypeVar("_T")


@strawberry.type(description="An inclusive range of days in UTC.")
class Period:
    """See `periods.DateRange`."""

    start: Day = strawberry.field(description="The first day.")
    end: Day = strawberry.field(description="The last day.")
    days: int = strawberry.field(description="How many days it has, both ends included.")

    @classmethod
    def of(cls, range: DateRange) -> Self:
        """Return the range."""
        return cls(start=Day(range.start), end=Day(range.end), days=range.days)


@strawberry.type(description="A count beside that of the previous period of equal length.")
class CountComparison:
    """See `queries.Comparison`; a count always has a value."""

    value: Count = strawberry.field(description="This period's count.")
    previous: Count | None = strawberry.field(
        description="The previous period's; null when any of its days is no longer kept."
    )
    change_ratio: float | None = strawberry.field(
        description="(value - previous) / previous; null when previous is null or 0."
    )

    @classmethod
    def of(cls, value: int, previous: int | None) -> Self:
        """Return the comparison of two counts."""
        return cls(
            value=Count(value),
            previous=None if previous is None else Count(previous),
            change_ratio=queries.Comparison(value, previous).change_ratio,
        )


@strawberry.type(
    description="A rate, average or percentile beside that of the previous period of equal length."
)
class MeasureComparison:
    """See `queries.Comparison`; a measure has no value without samples."""

    value: float | None = strawberry.field(
        description="This period's, in the field's unit; null without samples."
    )
    previous: float | None = strawberry.field(
        description=(
            "The previous period's; null without samples, or when any of its days is no longer "
            "kept."
        )
    )
    change_ratio: float | None = strawberry.field(
        description=(
            "(value - previous) / previous; null when value or previous is null, or previous is 0."
        )
    )

    @classmethod
    def of(cls, value: float | None, previous: float | None) -> Self:
        """Return the comparison of two measures."""
        return cls(
            value=value,
            previous=previous,
            change_ratio=queries.Comparison(value, previous).change_ratio,
        )


_AVERAGE = "The average, in milliseconds; null without samples."
_PERCENTILE = (
    "{percent} % of the samples are at most this, in milliseconds, within 2 %; null without "
    "samples."
)


@strawberry.type(description="How long something took, in milliseconds.")
class Latency:
    """See `queries.Latency`."""

    count: Count = strawberry.field(description="How many samples there are.")
    average_ms: float | None = strawberry.field(description=_AVERAGE)
    p50_ms: float | None = strawberry.field(description=_PERCENTILE.format(percent=50))
    p95_ms: float | None = strawberry.field(description=_PERCENTILE.format(percent=95))
    p99_ms: float | None = strawberry.field(description=_PERCENTILE.format(percent=99))

    @classmethod
    def of(cls, latency: queries.Latency) -> Self:
        """Return the distribution."""
        return cls(
            count=Count(latency.count),
            average_ms=latency.average_ms,
            p50_ms=latency.p50_ms,
            p95_ms=latency.p95_ms,
            p99_ms=latency.p99_ms,
        )


@strawberry.type(description="A part of a distribution of durations.")
class LatencyBin:
    """See `queries.LatencyBin`."""

    from_ms: float = strawberry.field(description="Durations above this, in milliseconds,")
    to_ms: float = strawberry.field(description="and at most this, in milliseconds.")
    count: Count = strawberry.field(description="How many there are.")

    @classmethod
    def of(cls, each: queries.LatencyBin) -> Self:
        """Return the part."""
        return cls(from_ms=each.from_ms, to_ms=each.to_ms, count=Count(each.count))


@strawberry.type(description="How long something took, beside the previous period.")
class LatencyComparison:
    """Two `queries.Latency`, figure by figure."""

    count: CountComparison = strawberry.field(description="How many samples there are.")
    average_ms: MeasureComparison = strawberry.field(description="The average, in milliseconds.")
    p50_ms: MeasureComparison = strawberry.field(
        description="The median, in milliseconds, within 2 %."
    )
    p95_ms: MeasureComparison = strawberry.field(
        description="The 95th percentile, in milliseconds, within 2 %."
    )
    p99_ms: MeasureComparison = strawberry.field(
        description="The 99th percentile, in milliseconds, within 2 %."
    )

    @classmethod
    def of(cls, value: queries.Latency, previous: queries.Latency | None) -> Self:
        """Return the comparison of two distributions."""
        before = previous or queries.Latency()
        return cls(
            count=CountComparison.of(value.count, None if previous is None else previous.count),
            average_ms=MeasureComparison.of(value.average_ms, before.average_ms),
            p50_ms=MeasureComparison.of(value.p50_ms, before.p50_ms),
            p95_ms=MeasureComparison.of(value.p95_ms, before.p95_ms),
            p99_ms=MeasureComparison.of(value.p99_ms, before.p99_ms),
        )


@strawberry.type(description="How many distinct signed-in users.")
class Users:
    """See `queries.DistinctUsers`."""

    count: Count = strawberry.field(description="How many.")
    exact: bool = strawberry.field(
        description="Whether the count is exact; else it is an estimate within about 2.3 %."
    )

    @classmethod
    def of(cls, users: queries.DistinctUsers) -> Self:
        """Return the count."""
        return cls(count=Count(users.count), exact=users.exact)


@strawberry.type(description="How often errors of one type occurred.")
class ErrorTypeCount:
    """See `queries.ErrorTypeCount`."""

    error_type: str = strawberry.field(description="The errors' class or code.")
    count: Count = strawberry.field(description="How many.")

    @classmethod
    def of(cls, entry: queries.ErrorTypeCount) -> Self:
        """Return the entry."""
        return cls(error_type=entry.error_type, count=Count(entry.count))


@strawberry.type(description="Errors of one type, beside those of the previous period.")
class ErrorTypeComparison:
    """Two `queries.ErrorTypeCount`."""

    error_type: str = strawberry.field(description="The errors' class or code.")
    count: Count = strawberry.field(description="How many in this period.")
    previous: Count | None = strawberry.field(
        description="How many in the previous one; null when any of its days is no longer kept."
    )
    change_ratio: float | None = strawberry.field(
        description="(count - previous) / previous; null when previous is null or 0."
    )

    @classmethod
    def all_of(
        cls,
        now: Sequence[queries.ErrorTypeCount],
        before: Sequence[queries.ErrorTypeCount] | None,
    ) -> list[Self]:
        """Return an entry for each of this period's types, in their order."""
        counts = {entry.error_type: entry.count for entry in before or ()}
        entries = []
        for entry in now:
            previous = None if before is None else counts.get(entry.error_type, 0)
            entries.append(
                cls(
                    error_type=entry.error_type,
                    count=Count(entry.count),
                    previous=None if previous is None else Count(previous),
                    change_ratio=queries.Comparison(entry.count, previous).change_ratio,
                )
            )
        return entries


@strawberry.type(description="How many sockets ended with one close code.")
class CloseCodeCount:
    """An entry of `traffic.Connections.close_codes`."""

    code: int = strawberry.field(description="The WebSocket close code, 1000..4999.")
    count: Count = strawberry.field(description="How many.")

    @classmethod
    def all_of(cls, counts: Mapping[int, int]) -> list[Self]:
        """Return the entries, in order of the code."""
        return [cls(code=code, count=Count(count)) for code, count in sorted(counts.items())]


@strawberry.type(description="How many streamed answers ended for one reason.")
class EndReasonCount:
    """An entry of `traffic.Streaming.ends`."""

    reason: str = strawberry.field(description="Why they ended: completed, interrupted, …")
    count: Count = strawberry.field(description="How many.")

    @classmethod
    def all_of(cls, counts: Mapping[str, int]) -> list[Self]:
        """Return the entries, in order of the reason."""
        return [cls(reason=reason, count=Count(count)) for reason, count in sorted(counts.items())]


def comparisons(
    now: _T, before: _T | None
) -> tuple[
    Callable[[Callable[[_T], int]], CountComparison],
    Callable[[Callable[[_T], float | None]], MeasureComparison],
    Callable[[Callable[[_T], queries.Latency]], LatencyComparison],
]:
    """Return what compares counts, measures and latencies of a period with the previous one's."""

    def count(of: Callable[[_T], int]) -> CountComparison:
        return CountComparison.of(of(now), None if before is None else of(before))

    def measure(of: Callable[[_T], float | None]) -> MeasureComparison:
        return MeasureComparison.of(of(now), None if before is None else of(before))

    def latency(of: Callable[[_T], queries.Latency]) -> LatencyComparison:
        return LatencyComparison.of(of(now), None if before is None else of(before))

    return count, measure, latency
