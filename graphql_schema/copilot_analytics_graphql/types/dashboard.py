"""The dashboard: totals beside the previous period's, top commands, top errors."""

from __future__ import annotations

from typing import Self

import strawberry

from copilot_analytics import queries

from ..enums import EventType
from ..ranges import previous_range
from ..scalars import Count
from .commands import PopularCommand
from .figures import (
    CloseCodeCount,
    CountComparison,
    EndReasonCount,
    ErrorTypeComparison,
    LatencyComparison,
    MeasureComparison,
    Period,
    comparisons,
)
from .patterns import ErrorPattern

__all__ = ["Dashboard", "EventCount", "Summary"]


@strawberry.type(description="How many events of one type were recorded.")
class EventCount:
    """An entry of `queries.ActivityTotals.events`."""

    type: EventType = strawberry.field(description="The events' type.")
    count: Count = strawberry.field(description="How many.")


@strawberry.type(description="A range's totals, each beside the previous period's.")
class Summary:
    """See `queries.Summary` and `queries.ActivityTotals`."""

    executions: CountComparison = strawberry.field(description="Commands run, steps included.")
    successes: CountComparison = strawberry.field(description="Commands that did what was asked.")
    failures: CountComparison = strawberry.field(description="Commands that did not.")
    success_rate: MeasureComparison = strawberry.field(description="successes / executions, 0..1.")
    execution: LatencyComparison = strawberry.field(description="How long commands took.")
    messages: CountComparison = strawberry.field(description="Messages that users sent.")
    errors: CountComparison = strawberry.field(description="Errors.")
    errors_by_type: list[ErrorTypeComparison] = strawberry.field(
        description="This period's errors, most frequent first; ties by name."
    )
    active_users: CountComparison = strawberry.field(
        description="Distinct signed-in users with any event."
    )
    active_users_exact: bool = strawberry.field(
        description="Whether this period's activeUsers is exact; else it is within about 2.3 %."
    )
    connections: CountComparison = strawberry.field(description="Sockets accepted.")
    anonymous_connections: CountComparison = strawberry.field(
        description="Of these, those of nobody signed in."
    )
    reconnects: CountComparison = strawberry.field(
        description="Of these, those of users who came back after a lost connection."
    )
    connection: LatencyComparison = strawberry.field(description="How long sockets stayed open.")
    close_codes: list[CloseCodeCount] = strawberry.field(
        description="This period's ended sockets by close code, in order of the code."
    )
    streams: CountComparison = strawberry.field(description="Streamed answers that ended.")
    stream_ends: list[EndReasonCount] = strawberry.field(
        description="This period's ended streams by reason, in order of the reason."
    )
    interruption_rate: MeasureComparison = strawberry.field(
        description="Interrupted streams / ended streams, 0..1."
    )
    ttft: LatencyComparison = strawberry.field(
        description="Time to first token: from the user's message to the first content."
    )
    stream_duration: LatencyComparison = strawberry.field(
        description="From a stream's start to its end."
    )
    tokens: CountComparison = strawberry.field(description="Tokens that servers reported.")
    tokens_per_second: MeasureComparison = strawberry.field(
        description="Tokens a second, over the streams that report tokens."
    )
    clarifications: CountComparison = strawberry.field(description="Times the copilot asked back.")
    clarification_rate: MeasureComparison = strawberry.field(
        description="clarifications / messages, 0..1."
    )
    events: list[EventCount] = strawberry.field(
        description="This period's events by type; every type is there."
    )

    @classmethod
    def of(cls, summary: queries.Summary) -> Self:
        """Return the totals beside the previous period's."""
        now = summary.totals
        count, measure, latency = comparisons(now, summary.previous)
        return cls(
            executions=count(lambda totals: totals.executions),
            successes=count(lambda totals: totals.successes),
            failures=count(lambda totals: totals.failures),
            success_rate=measure(lambda totals: totals.success_rate),
            execution=latency(lambda totals: totals.execution),
            messages=count(lambda totals: totals.messages),
            errors=count(lambda totals: totals.errors),
            errors_by_type=ErrorTypeComparison.all_of(
                summary.errors_by_type, summary.previous_errors_by_type
            ),
            active_users=count(lambda totals: totals.active_users.count),
            active_users_exact=now.active_users.exact,
            connections=count(lambda totals: totals.connections),
            anonymous_connections=count(lambda totals: totals.anonymous_connections),
            reconnects=count(lambda totals: totals.reconnects),
            connection=latency(lambda totals: totals.connection),
            close_codes=CloseCodeCount.all_of(now.close_codes),
            streams=count(lambda totals: totals.streams),
            stream_ends=EndReasonCount.all_of(now.stream_ends),
            interruption_rate=measure(lambda totals: totals.interruption_rate),
            ttft=latency(lambda totals: totals.ttft),
            stream_duration=latency(lambda totals: totals.stream_duration),
            tokens=count(lambda totals: totals.tokens),
            tokens_per_second=measure(lambda totals: totals.tokens_per_second),
            clarifications=count(lambda totals: totals.clarifications),
            clarification_rate=measure(lambda totals: totals.clarification_rate),
            events=[
                EventCount(type=type, count=Count(now.events.get(type, 0))) for type in EventType
            ],
        )


@strawberry.type(description="What the administrator looks at first.")
class Dashboard:
    """See `queries.Dashboard`."""

    range: Period = strawberry.field(description="The days it is about.")
    previous_range: Period | None = strawberry.field(
        description=(
            "The days of equal length before them, which comparisons refer to; null where the "
            "calendar has none."
        )
    )
    summary: Summary = strawberry.field(description="Totals and comparisons.")
    top_commands: list[PopularCommand] = strawberry.field(
        description="The most executed commands, at most `top`; ties by name."
    )
    top_errors: list[ErrorPattern] = strawberry.field(
        description="The most frequent error patterns, at most `top`; ties by name."
    )

    @classmethod
    def of(cls, dashboard: queries.Dashboard) -> Self:
        """Return the dashboard."""
        previous = previous_range(dashboard.range)
        return cls(
            range=Period.of(dashboard.range),
            previous_range=None if previous is None else Period.of(previous),
            summary=Summary.of(dashboard.summary),
            top_commands=[
                PopularCommand.of(command, dashboard.range) for command in dashboard.top_commands
            ],
            top_errors=[
                ErrorPattern.of(pattern, dashboard.range) for pattern in dashboard.top_errors
            ],
        )
