"""Any metric over time, in columns."""

from __future__ import annotations

from typing import Self

import strawberry

from copilot_analytics import queries

from ..enums import Interval, Metric
from ..scalars import Timestamp

__all__ = ["SeriesPart", "TimeSeries"]

_VALUES = (
    "Each period's value, in the metric's unit: 0 where nothing was counted, null where a rate, "
    "average or percentile has no samples."
)


@strawberry.type(description="The part of a time series that belongs to one name.")
class SeriesPart:
    """See `queries.SeriesPart`."""

    name: str = strawberry.field(description="The command, intent or error type.")
    values: list[float | None] = strawberry.field(description=_VALUES)

    @classmethod
    def of(cls, part: queries.SeriesPart) -> Self:
        """Return the part."""
        return cls(name=part.name, values=list(part.values))


@strawberry.type(
    description=(
        "One metric over time, in columns: `at[i]` and `values[i]` belong together, and every "
        "period of the range is there."
    )
)
class TimeSeries:
    """See `queries.TimeSeries`."""

    metric: Metric = strawberry.field(description="What is shown.")
    interval: Interval = strawberry.field(description="The periods' width.")
    at: list[Timestamp] = strawberry.field(
        description=(
            "Each period's start; a week's is its Monday, also where the range begins later in it."
        )
    )
    values: list[float | None] = strawberry.field(description=_VALUES)
    parts: list[SeriesPart] = strawberry.field(
        description=(
            "With `groupBy`: the same for each of the names that matter most, at most `top`, ties "
            "by name; else empty."
        )
    )

    @classmethod
    def of(cls, series: queries.TimeSeries) -> Self:
        """Return the series."""
        return cls(
            metric=series.metric,
            interval=series.interval,
            at=[Timestamp(at) for at in series.at],
            values=list(series.values),
            parts=[SeriesPart.of(part) for part in series.parts],
        )
