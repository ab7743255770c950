"""Error patterns: errors grouped by type and normalised message."""

from __future__ import annotations

from typing import Self

import strawberry

from copilot_analytics import queries, rankings
from copilot_analytics.periods import DateRange

from ..context import Context
from ..scalars import Count, Timestamp
from .figures import CountComparison, Users
from .series import TimeSeries

__all__ = ["ErrorPattern", "ErrorTrend"]


@strawberry.type(description="How an error pattern develops.")
class ErrorTrend:
    """See `rankings.ErrorTrend`."""

    count: CountComparison = strawberry.field(description="How many occurred.")
    daily: TimeSeries = strawberry.field(description="How many occurred on each day of the range.")

    @classmethod
    def of(cls, trend: rankings.ErrorTrend) -> Self:
        """Return the trend."""
        return cls(
            count=CountComparison.of(trend.count, trend.previous),
            daily=TimeSeries.of(trend.daily),
        )


async def _trend(
    root: strawberry.Parent[ErrorPattern], info: strawberry.Info[Context, None]
) -> ErrorTrend | None:
    pattern = (str(root.fingerprint), root.error_type)
    return ErrorTrend.of(await info.context.rows.error_trend(pattern, root.range))


@strawberry.type(description="Errors of one type and one normalised message.")
class ErrorPattern:
    """See `queries.ErrorPattern`."""

    fingerprint: strawberry.ID = strawberry.field(
        description="The pattern's id among the errors of its type; stable."
    )
    error_type: str = strawberry.field(description="The errors' class or code.")
    message: str = strawberry.field(
        description=(
            "The errors' message, normalised before it was stored: placeholders stand for "
            "addresses, numbers, quoted text and the like."
        )
    )
    count: Count = strawberry.field(description="How many occurred in the range.")
    total_count: Count = strawberry.field(description="How many occurred ever, as far as kept.")
    first_occurrence: Timestamp = strawberry.field(
        description="The first one ever, as far as kept."
    )
    last_occurrence: Timestamp = strawberry.field(description="The last one in the range.")
    affected_users: Users = strawberry.field(
        description="Distinct signed-in users who met it in the range."
    )
    affected_user_ids: list[strawberry.ID] = strawberry.field(
        description="Stored ids of users who ever met it, sorted; at most 100, so never count them."
    )

    range: strawberry.Private[DateRange]

    trend: ErrorTrend | None = strawberry.field(
        resolver=_trend,
        description=(
            "How it develops, day by day and beside the previous period; null, with an error, "
            "where it cannot be read."
        ),
    )

    @classmethod
    def of(cls, pattern: queries.ErrorPattern, range: DateRange) -> Self:
        """Return the pattern."""
        return cls(
            range=range,
            fingerprint=strawberry.ID(pattern.fingerprint),
            error_type=pattern.error_type,
            message=pattern.message,
            count=Count(pattern.count),
            total_count=Count(pattern.total_count),
            first_occurrence=Timestamp(pattern.first_occurrence),
            last_occurrence=Timestamp(pattern.last_occurrence),
            affected_users=Users.of(pattern.affected_users),
            affected_user_ids=[strawberry.ID(user) for user in pattern.affected_user_ids],
        )
