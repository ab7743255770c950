"""Commands: the ranking and everything about one of them."""

from __future__ import annotations

from typing import Annotated, Self

import strawberry

from copilot_analytics import queries
from copilot_analytics.periods import DateRange

from ..context import Context
from ..enums import Interval, Metric
from ..scalars import Count, Timestamp
from .figures import ErrorTypeCount, Latency, LatencyBin, Users
from .series import TimeSeries

__all__ = ["CommandStats", "PopularCommand"]

_Metric = Annotated[Metric, strawberry.argument(description="What to show.")]
_Interval = Annotated[Interval, strawberry.argument(description="The periods' width: DAY or WEEK.")]


async def _series(
    root: strawberry.Parent[CommandStats],
    info: strawberry.Info[Context, None],
    metric: _Metric = Metric.EXECUTIONS,
    interval: _Interval = Interval.DAY,
) -> TimeSeries | None:
    series = await info.context.questions.time_series(
        metric, root.range, interval=interval, command=root.name
    )
    return TimeSeries.of(series)


@strawberry.type(description="Everything about one command in a range.")
class CommandStats:
    """See `queries.CommandStats`."""

    name: str = strawberry.field(description="The command's name.")
    executions: Count = strawberry.field(description="How often it ran; 0 if it never did.")
    successes: Count = strawberry.field(description="How often it did what was asked.")
    failures: Count = strawberry.field(description="How often it did not.")
    success_rate: float | None = strawberry.field(
        description="successes / executions, 0..1; null if it never ran."
    )
    execution: Latency = strawberry.field(description="How long it took.")
    histogram: list[LatencyBin] = strawberry.field(
        description=(
            "How long it took, as a distribution: at most 24 bins of equal ratio, in order, those "
            "without samples included; empty without any."
        )
    )
    last_executed: Timestamp | None = strawberry.field(
        description="The last time it ran in the range; null if it never did."
    )
    users: Users = strawberry.field(description="Distinct signed-in users who ran it.")
    errors_by_type: list[ErrorTypeCount] = strawberry.field(
        description="The errors it raised, most frequent first; ties by name."
    )

    range: strawberry.Private[DateRange]

    series: TimeSeries | None = strawberry.field(
        resolver=_series,
        description=(
            "One metric of the command over the range; null, with an error, where it cannot be "
            "read."
        ),
    )

    @classmethod
    def of(cls, stats: queries.CommandStats, range: DateRange) -> Self:
        """Return the command's figures."""
        return cls(
            range=range,
            name=stats.name,
            executions=Count(stats.executions),
            successes=Count(stats.successes),
            failures=Count(stats.failures),
            success_rate=stats.success_rate,
            execution=Latency.of(stats.execution),
            histogram=[LatencyBin.of(each) for each in stats.histogram],
            last_executed=None if stats.last_executed is None else Timestamp(stats.last_executed),
            users=Users.of(stats.users),
            errors_by_type=[ErrorTypeCount.of(entry) for entry in stats.errors_by_type],
        )


async def _stats(
    root: strawberry.Parent[PopularCommand], info: strawberry.Info[Context, None]
) -> CommandStats | None:
    stats = await info.context.rows.command_stats(root.name, root.range)
    return CommandStats.of(stats, root.range)


@strawberry.type(description="One command in a ranking.")
class PopularCommand:
    """See `queries.PopularCommand`."""

    name: str = strawberry.field(description="The command's name.")
    executions: Count = strawberry.field(description="How often it ran.")
    successes: Count = strawberry.field(description="How often it did what was asked.")
    failures: Count = strawberry.field(description="How often it did not.")
    success_rate: float | None = strawberry.field(
        description="successes / executions, 0..1; null if it never ran."
    )
    average_ms: float | None = strawberry.field(
        description="How long it took on average, in milliseconds; null where no time is known."
    )
    last_executed: Timestamp = strawberry.field(description="The last time it ran in the range.")

    range: strawberry.Private[DateRange]

    stats: CommandStats | None = strawberry.field(
        resolver=_stats,
        description=(
            "Everything about the command in the range; null, with an error, where it cannot be "
            "read."
        ),
    )

    @classmethod
    def of(cls, command: queries.PopularCommand, range: DateRange) -> Self:
        """Return the command."""
        return cls(
            range=range,
            name=command.name,
            executions=Count(command.executions),
            successes=Count(command.successes),
            failures=Count(command.failures),
            success_rate=command.success_rate,
            average_ms=command.average_ms,
            last_executed=Timestamp(command.last_executed),
        )
