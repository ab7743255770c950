"""The questions: the root of the schema."""

from __future__ import annotations

from typing import Annotated

import strawberry

from copilot_analytics.errors import QuestionError
from copilot_analytics.identity import is_pseudonym

from .context import Context
from .enums import ExportFormat, ExportSection, Interval, Metric
from .permissions import AdminOnly, OwnActivity
from .ranges import RangeArgument
from .types import (
    CommandStats,
    Dashboard,
    ErrorPattern,
    Export,
    PopularCommand,
    RecorderHealth,
    TimeSeries,
    UserActivity,
)

__all__ = ["Query"]

Info = strawberry.Info[Context, None]

_Top = Annotated[
    int, strawberry.argument(description="How many commands and error patterns, 1..1000.")
]
_Limit = Annotated[int, strawberry.argument(description="How many at most, 1..1000.")]
_CommandName = Annotated[str, strawberry.argument(description="The command's name, exactly.")]
_ErrorType = Annotated[
    str | None, strawberry.argument(description="Only errors of this type; all by default.")
]
_UserId = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description=(
            "The user's id as the application knows it, from an admin also as answers show it; "
            "by default whoever asks."
        )
    ),
]
_Metric = Annotated[Metric, strawberry.argument(description="What to show.")]
_Interval = Annotated[Interval, strawberry.argument(description="The periods' width.")]
_OfCommand = Annotated[str | None, strawberry.argument(description="Of this command only, by day.")]
_OfIntent = Annotated[str | None, strawberry.argument(description="Of this intent only, by day.")]
_OfErrorType = Annotated[
    str | None, strawberry.argument(description="Of this error type only, by day.")
]
_Format = Annotated[ExportFormat, strawberry.argument(description="The file's format.")]
_Section = Annotated[
    ExportSection | None,
    strawberry.argument(description="The table of a CSV, required for it; JSON holds them all."),
]


async def _dashboard(info: Info, range: RangeArgument = None, top: _Top = 5) -> Dashboard | None:
    context = info.context
    return Dashboard.of(await context.questions.dashboard(context.range(range), top=top))


async def _command_stats(
    info: Info, name: _CommandName, range: RangeArgument = None
) -> CommandStats | None:
    context = info.context
    return CommandStats.of(await context.questions.command_stats(name, context.range(range)))


async def _popular_commands(
    info: Info, range: RangeArgument = None, limit: _Limit = 10
) -> list[PopularCommand] | None:
    context = info.context
    commands = await context.questions.popular_commands(context.range(range), limit=limit)
    return [PopularCommand.of(command) for command in commands]


async def _error_patterns(
    info: Info, range: RangeArgument = None, error_type: _ErrorType = None, limit: _Limit = 10
) -> list[ErrorPattern] | None:
    context = info.context
    patterns = await context.questions.error_patterns(
        context.range(range), error_type=error_type, limit=limit
    )
    return [ErrorPattern.of(pattern) for pattern in patterns]


async def _user_activity(
    info: Info, user_id: _UserId = None, range: RangeArgument = None
) -> UserActivity | None:
    context = info.context
    if user_id == "":
        raise QuestionError("user_id", user_id, "give a user's id, or leave it out for your own")
    asked = context.principal.id if user_id is None else user_id
    # An admin sees pseudonyms in other answers, and may ask about them. From anybody else one is
    # an id like any other: nobody becomes another user by its choice.
    stored = context.principal.sees_all and is_pseudonym(asked)
    activity = await context.questions.user_activity(asked, context.range(range), stored=stored)
    return UserActivity.of(activity)


async def _time_series(
    info: Info,
    metric: _Metric,
    range: RangeArgument = None,
    interval: _Interval = Interval.DAY,
    command: _OfCommand = None,
    intent: _OfIntent = None,
    error_type: _OfErrorType = None,
) -> TimeSeries | None:
    context = info.context
    series = await context.questions.time_series(
        metric,
        context.range(range),
        interval=interval,
        command=command,
        intent=intent,
        error_type=error_type,
    )
    return TimeSeries.of(series)


async def _export(
    info: Info, format: _Format, range: RangeArgument = None, section: _Section = None
) -> Export | None:
    context = info.context
    return Export.of(await context.questions.export(context.range(range), format, section))


async def _recorder_health(info: Info) -> RecorderHealth | None:
    questions, responses = info.context.questions, info.context.responses
    return RecorderHealth.of(
        await questions.recorder_health(), questions.cache_statistics, responses.statistics
    )


@strawberry.type(
    description=(
        "What happened on the copilot's sockets. Each field is null, with an error that says why, "
        "where it cannot be answered; the others are answered all the same."
    )
)
class Query:
    """The root: one field a question."""

    dashboard: Dashboard | None = strawberry.field(
        resolver=_dashboard,
        permission_classes=[AdminOnly],
        description="Totals, their comparison with the previous period, top commands and errors.",
    )
    command_stats: CommandStats | None = strawberry.field(
        resolver=_command_stats,
        permission_classes=[AdminOnly],
        description="Everything about one command; zeros and nulls if it never ran.",
    )
    popular_commands: list[PopularCommand] | None = strawberry.field(
        resolver=_popular_commands,
        permission_classes=[AdminOnly],
        description="The most executed commands; ties by name.",
    )
    error_patterns: list[ErrorPattern] | None = strawberry.field(
        resolver=_error_patterns,
        permission_classes=[AdminOnly],
        description="The most frequent error patterns.",
    )
    user_activity: UserActivity | None = strawberry.field(
        resolver=_user_activity,
        permission_classes=[OwnActivity],
        description="What one user did: anybody for an admin, only themselves for a user.",
    )
    time_series: TimeSeries | None = strawberry.field(
        resolver=_time_series,
        permission_classes=[AdminOnly],
        description=(
            "One metric over time: by hour or day of everything, by day of one command, intent or "
            "error type."
        ),
    )
    export: Export | None = strawberry.field(
        resolver=_export,
        permission_classes=[AdminOnly],
        description="Commands, error patterns and summary as a file.",
    )
    recorder_health: RecorderHealth | None = strawberry.field(
        resolver=_recorder_health,
        permission_classes=[AdminOnly],
        description="How recording goes, now; never cached.",
    )
