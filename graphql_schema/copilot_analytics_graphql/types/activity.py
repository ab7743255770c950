"""Who uses the copilot, and what one of them did."""

from __future__ import annotations

import datetime as dt
from typing import Self

import strawberry

from copilot_analytics import queries, rankings

from ..scalars import Count, Day, Timestamp

__all__ = ["UserActivity", "UserDay", "UserSummary"]


@strawberry.type(description="One user's day.")
class UserDay:
    """See `queries.UserDay`."""

    day: Day = strawberry.field(description="The day, UTC.")
    messages: Count = strawberry.field(description="Messages sent.")
    executions: Count = strawberry.field(description="Commands run.")
    failures: Count = strawberry.field(description="Of these, those that failed.")
    errors: Count = strawberry.field(description="Errors met.")
    connections: Count = strawberry.field(description="Sockets opened.")

    @classmethod
    def of(cls, day: queries.UserDay) -> Self:
        """Return the day."""
        return cls(
            day=Day(dt.date.fromisoformat(day.day)),
            messages=Count(day.messages),
            executions=Count(day.executions),
            failures=Count(day.failures),
            errors=Count(day.errors),
            connections=Count(day.connections),
        )


@strawberry.type(description="What one user did in a range.")
class UserActivity:
    """See `queries.UserActivity`."""

    user_id: strawberry.ID = strawberry.field(
        description="The user's id as stored: a pseudonym where those are configured."
    )
    messages: Count = strawberry.field(description="Messages sent.")
    executions: Count = strawberry.field(description="Commands run.")
    failures: Count = strawberry.field(description="Of these, those that failed.")
    success_rate: float | None = strawberry.field(
        description="Commands that did what was asked / commands run, 0..1; null without any."
    )
    errors: Count = strawberry.field(description="Errors met.")
    connections: Count = strawberry.field(description="Sockets opened.")
    last_seen: Timestamp | None = strawberry.field(
        description="The last event in the range; null without any."
    )
    days: list[UserDay] = strawberry.field(
        description="The days with any activity, in order; at most one a day of the range."
    )

    @classmethod
    def of(cls, activity: queries.UserActivity) -> Self:
        """Return the user's activity."""
        return cls(
            user_id=strawberry.ID(activity.user_id),
            messages=Count(activity.messages),
            executions=Count(activity.executions),
            failures=Count(activity.failures),
            success_rate=activity.success_rate,
            errors=Count(activity.errors),
            connections=Count(activity.connections),
            last_seen=None if activity.last_seen is None else Timestamp(activity.last_seen),
            days=[UserDay.of(day) for day in activity.days],
        )


@strawberry.type(description="One signed-in user in a list.")
class UserSummary:
    """See `rankings.UserSummary`."""

    user_id: strawberry.ID = strawberry.field(
        description="The user's id as stored: a pseudonym where those are configured."
    )
    messages: Count = strawberry.field(description="Messages sent.")
    executions: Count = strawberry.field(description="Commands run.")
    failures: Count = strawberry.field(description="Of these, those that failed.")
    success_rate: float | None = strawberry.field(
        description="Commands that did what was asked / commands run, 0..1; null without any."
    )
    errors: Count = strawberry.field(description="Errors met.")
    connections: Count = strawberry.field(description="Sockets opened.")
    first_seen: Timestamp = strawberry.field(description="The first event in the range.")
    last_seen: Timestamp = strawberry.field(description="The last event in the range.")

    @classmethod
    def of(cls, user: rankings.UserSummary) -> Self:
        """Return the user."""
        return cls(
            user_id=strawberry.ID(user.user_id),
            messages=Count(user.messages),
            executions=Count(user.executions),
            failures=Count(user.failures),
            success_rate=user.success_rate,
            errors=Count(user.errors),
            connections=Count(user.connections),
            first_seen=Timestamp(user.first_seen),
            last_seen=Timestamp(user.last_seen),
        )
