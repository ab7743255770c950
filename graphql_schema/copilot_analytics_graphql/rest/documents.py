"""What the answers look like, with the names and units of the original's API.

Rates are in percent and 0 without samples, as are averages and percentiles; durations are
milliseconds, instants are epoch milliseconds (UTC).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from copilot_analytics import queries
from copilot_analytics.periods import DateRange

from ..actions import UserActions

__all__ = [
    "Command",
    "CommandStatistics",
    "Dashboard",
    "ErrorPattern",
    "ErrorPatterns",
    "ErrorTypeCount",
    "Period",
    "PopularCommands",
    "Summary",
    "UserActivity",
    "UserDay",
    "commands_of",
    "patterns_of",
]

_Day = Annotated[str, Meta(extra_json_schema={"format": "date"})]
_Count = Annotated[int, Meta(ge=0)]
_Percent = Annotated[
    float, Meta(ge=0, le=100, description="In percent, 0..100; 0 without samples.")
]
_Milliseconds = Annotated[float, Meta(ge=0, description="In milliseconds; 0 without samples.")]
_Instant = Annotated[int, Meta(description="In milliseconds since 1970, UTC.")]


class Period(Struct, rename="camel"):
    """The days an answer is about, UTC, both included."""

    start_date: _Day
    end_date: _Day

    @classmethod
    def of(cls, range: DateRange) -> Period:
        """Return the days of a range."""
        return cls(range.first_day, range.last_day)


class Command(Struct, rename="camel"):
    """One command in a list."""

    command_name: str
    total_executions: _Count
    successful_executions: _Count
    failed_executions: _Count
    success_rate: _Percent
    average_execution_time: _Milliseconds
    last_executed: _Instant

    @classmethod
    def of(cls, row: queries.PopularCommand) -> Command:
        """Return a row as clients see it."""
        return cls(
            row.name,
            row.executions,
            row.successes,
            row.failures,
            _percent(row.success_rate),
            row.average_ms or 0.0,
            row.last_executed,
        )


class ErrorTypeCount(Struct, rename="camel"):
    """How often errors of one type occurred."""

    error_type: str
    count: _Count


class CommandStatistics(Struct, rename="camel"):
    """Everything about one command."""

    command_name: str
    total_executions: _Count
    successful_executions: _Count
    failed_executions: _Count
    success_rate: _Percent
    average_execution_time: _Milliseconds
    p50_execution_time: _Milliseconds
    p95_execution_time: _Milliseconds
    p99_execution_time: _Milliseconds
    last_executed: _Instant
    unique_users: Annotated[
        _Count, Meta(description="Signed-in users; from 512 a day on within about 2.3 %.")
    ]
    errors_by_type: list[ErrorTypeCount]
    period: Period

    @classmethod
    def of(cls, stats: queries.CommandStats, range: DateRange) -> CommandStatistics:
        """Return it as clients see it."""
        return cls(
            stats.name,
            stats.executions,
            stats.successes,
            stats.failures,
            _percent(stats.success_rate),
            stats.execution.average_ms or 0.0,
            stats.execution.p50_ms or 0.0,
            stats.execution.p95_ms or 0.0,
            stats.execution.p99_ms or 0.0,
            stats.last_executed or 0,
            stats.users.count,
            [ErrorTypeCount(each.error_type, each.count) for each in stats.errors_by_type],
            Period.of(range),
        )


class PopularCommands(Struct, rename="camel"):
    """The most executed commands."""

    commands: list[Command]
    total_commands: Annotated[_Count, Meta(description="How many ran in the period.")]
    period: Period


class ErrorPattern(Struct, rename="camel"):
    """Errors of one type and one normalised message."""

    error_type: str
    error_message: Annotated[
        str, Meta(description="Normalised: personal data and numbers are placeholders.")
    ]
    fingerprint: str
    count: Annotated[_Count, Meta(description="In the period.")]
    total_count: Annotated[_Count, Meta(description="Ever.")]
    first_occurrence: Annotated[_Instant, Meta(description="Ever.")]
    last_occurrence: Annotated[_Instant, Meta(description="In the period.")]
    affected_users: Annotated[
        list[str], Meta(description="Ids as stored, at most 100, over the pattern's life.")
    ]
    affected_user_count: Annotated[_Count, Meta(description="In the period.")]
    contexts: Annotated[
        list[dict[str, str]],
        Meta(description="Always empty, as in the original; GraphQL's `events` has them."),
    ]

    @classmethod
    def of(cls, row: queries.ErrorPattern) -> ErrorPattern:
        """Return a row as clients see it."""
        return cls(
            row.error_type,
            row.message,
            row.fingerprint,
            row.count,
            row.total_count,
            row.first_occurrence,
            row.last_occurrence,
            list(row.affected_user_ids),
            row.affected_users.count,
            [],
        )


class ErrorPatterns(Struct, rename="camel"):
    """The most frequent error patterns."""

    patterns: list[ErrorPattern]
    error_type: Annotated[str, Meta(description="The type asked for, or `all`.")]
    total_patterns: Annotated[_Count, Meta(description="How many there are in the period.")]
    period: Period


class Summary(Struct, rename="camel"):
    """A period's totals."""

    total_executions: _Count
    total_successful: _Count
    total_failed: _Count
    success_rate: _Percent
    average_execution_time: _Milliseconds
    total_errors: _Count
    unique_error_types: _Count
    total_messages: _Count
    active_users: Annotated[
        _Count, Meta(description="Signed-in users; from 512 a day on within about 2.3 %.")
    ]


class Dashboard(Struct, rename="camel"):
    """A period at a glance."""

    period: Period
    summary: Summary
    popular_commands: Annotated[list[Command], Meta(description="The 5 most executed.")]
    top_errors: Annotated[list[ErrorPattern], Meta(description="The 5 most frequent.")]

    @classmethod
    def of(cls, dashboard: queries.Dashboard) -> Dashboard:
        """Return it as clients see it."""
        totals = dashboard.summary.totals
        return cls(
            Period.of(dashboard.range),
            Summary(
                totals.executions,
                totals.successes,
                totals.failures,
                _percent(totals.success_rate),
                totals.execution.average_ms or 0.0,
                totals.errors,
                len(dashboard.summary.errors_by_type),
                totals.messages,
                totals.active_users.count,
            ),
            commands_of(dashboard.top_commands),
            patterns_of(dashboard.top_errors),
        )


class UserDay(Struct, rename="camel"):
    """One day of a user, UTC."""

    date: _Day
    messages: _Count
    actions: _Count
    failed_actions: _Count
    errors: _Count
    connections: _Count


class UserActivity(Struct, rename="camel"):
    """What one user did."""

    user_id: Annotated[str, Meta(description="As stored: a pseudonym where those are configured.")]
    total_messages: _Count
    total_actions: _Count
    successful_actions: _Count
    failed_actions: _Count
    success_rate: _Percent
    popular_commands: Annotated[
        list[str],
        Meta(description="The up to 5 most frequent among the latest 2,000 actions still stored."),
    ]
    first_activity: _Instant
    last_activity: _Instant
    average_response_time: Annotated[
        float,
        Meta(
            ge=0,
            description=(
                "How long the latest 1,000 successful actions still stored took, in milliseconds; "
                "0 without any."
            ),
        ),
    ]
    total_errors: _Count
    total_connections: _Count
    days: Annotated[list[UserDay], Meta(description="Those with any activity.")]
    period: Period

    @classmethod
    def of(
        cls, activity: queries.UserActivity, actions: UserActions, range: DateRange
    ) -> UserActivity:
        """Return it as clients see it."""
        return cls(
            activity.user_id,
            activity.messages,
            activity.executions,
            activity.executions - activity.failures,
            activity.failures,
            _percent(activity.success_rate),
            list(actions.commands),
            activity.first_seen or 0,
            activity.last_seen or 0,
            actions.average_ms or 0.0,
            activity.errors,
            activity.connections,
            [
                UserDay(
                    day.day, day.messages, day.executions, day.failures, day.errors, day.connections
                )
                for day in activity.days
            ],
            Period.of(range),
        )


def commands_of(rows: Iterable[queries.PopularCommand]) -> list[Command]:
    """Return rows as clients see them."""
    return [Command.of(row) for row in rows]


def patterns_of(rows: Iterable[queries.ErrorPattern]) -> list[ErrorPattern]:
    """Return rows as clients see them."""
    return [ErrorPattern.of(row) for row in rows]


def _percent(rate: float | None) -> float:
    return 0.0 if rate is None else rate * 100
