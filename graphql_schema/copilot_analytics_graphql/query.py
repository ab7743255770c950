"""The questions: the root of the schema."""

from __future__ import annotations

from typing import Annotated

import strawberry

from copilot_analytics.exporting import ExportRequest, parse_position

from . import event_log, lists
from .context import Context
from .enums import ExportFormat, ExportSection, Interval, Metric, SeriesGroup
from .permissions import AdminOnly, OwnActivity, OwnEvents
from .ranges import RangeArgument
from .types import (
    CommandStats,
    Connection,
    Connections,
    Conversation,
    Dashboard,
    ErrorPattern,
    EventConnection,
    Export,
    Intent,
    PopularCommand,
    RecorderHealth,
    Streaming,
    TimeSeries,
    UserActivity,
    UserSummary,
)

__all__ = ["Query"]

Info = strawberry.Info[Context, None]

_Top = Annotated[
    int, strawberry.argument(description="How many commands and error patterns, 1..1000.")
]
_CommandName = Annotated[str, strawberry.argument(description="The command's name, exactly.")]
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
_OfCommand = Annotated[
    str | None, strawberry.argument(description="Of this command only, by day or week.")
]
_OfIntent = Annotated[
    str | None, strawberry.argument(description="Of this intent only, by day or week.")
]
_OfErrorType = Annotated[
    str | None, strawberry.argument(description="Of this error type only, by day or week.")
]
_OfUser = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description=(
            "Of this user only, by day or week: by the id as the application knows it, or as "
            "answers show it."
        )
    ),
]
_GroupBy = Annotated[
    SeriesGroup | None,
    strawberry.argument(
        description=(
            "Besides the whole, each of the names of this kind that matter most: those with the "
            "most of the metric, or that occur most where it is an average, a rate, a percentile "
            "or counts something else; by day or week."
        )
    ),
]
_TopNames = Annotated[
    int, strawberry.argument(description="How many names `groupBy` shows, 1..20.")
]
_Format = Annotated[ExportFormat, strawberry.argument(description="The file's format.")]
_Section = Annotated[
    ExportSection | None,
    strawberry.argument(
        description="The table of a CSV; without it, an archive of all. JSON holds them all."
    ),
]
_ByteOrderMark = Annotated[
    bool,
    strawberry.argument(description="Whether a CSV begins with a byte order mark, for Excel."),
]
_After = Annotated[
    str | None,
    strawberry.argument(
        description=(
            "Only events after this place, for an NDJSON download that broke off: "
            "timestamp:eventId of its last whole line."
        )
    ),
]


async def _dashboard(info: Info, range: RangeArgument = None, top: _Top = 5) -> Dashboard | None:
    context = info.context
    return Dashboard.of(await context.questions.dashboard(context.range(range), top=top))


async def _command_stats(
    info: Info, name: _CommandName, range: RangeArgument = None
) -> CommandStats | None:
    context = info.context
    days = context.range(range)
    return CommandStats.of(await context.questions.command_stats(name, days), days)


async def _user_activity(
    info: Info, user_id: _UserId = None, range: RangeArgument = None
) -> UserActivity | None:
    context = info.context
    user, stored = context.user(user_id)
    activity = await context.questions.user_activity(user, context.range(range), stored=stored)
    return UserActivity.of(activity)


async def _time_series(
    info: Info,
    metric: _Metric,
    range: RangeArgument = None,
    interval: _Interval = Interval.DAY,
    command: _OfCommand = None,
    intent: _OfIntent = None,
    error_type: _OfErrorType = None,
    user_id: _OfUser = None,
    group_by: _GroupBy = None,
    top: _TopNames = 5,
) -> TimeSeries | None:
    context = info.context
    user, stored = (None, False) if user_id is None else context.user(user_id)
    series = await context.questions.time_series(
        metric,
        context.range(range),
        interval=interval,
        command=command,
        intent=intent,
        error_type=error_type,
        user_id=user,
        stored=stored,
        group_by=group_by,
        top=top,
    )
    return TimeSeries.of(series)


async def _streaming(info: Info, range: RangeArgument = None) -> Streaming | None:
    context = info.context
    days = context.range(range)
    return Streaming.of(days, await context.questions.streaming(days))


async def _connections(info: Info, range: RangeArgument = None) -> Connections | None:
    context = info.context
    days = context.range(range)
    return Connections.of(days, await context.questions.connections(days))


async def _export(
    info: Info,
    format: _Format,
    range: RangeArgument = None,
    section: _Section = None,
    byte_order_mark: _ByteOrderMark = False,
    after: _After = None,
) -> Export | None:
    context = info.context
    request = ExportRequest(
        context.range(range),
        format,
        section,
        byte_order_mark=byte_order_mark,
        after=None if after is None else parse_position(after),
    )
    return Export.of(request, context)


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
    popular_commands: Connection[PopularCommand] | None = strawberry.field(
        resolver=lists.popular_commands,
        permission_classes=[AdminOnly],
        description="The commands that ran, the highest by `orderBy` first; ties by name.",
    )
    error_patterns: Connection[ErrorPattern] | None = strawberry.field(
        resolver=lists.error_patterns,
        permission_classes=[AdminOnly],
        description="Error patterns, the most frequent first.",
    )
    intents: Connection[Intent] | None = strawberry.field(
        resolver=lists.intents,
        permission_classes=[AdminOnly],
        description="What messages were taken to mean, the highest by `orderBy` first.",
    )
    streaming: Streaming | None = strawberry.field(
        resolver=_streaming,
        permission_classes=[AdminOnly],
        description="How streamed answers do: how fast they begin and come, and how they end.",
    )
    connections: Connections | None = strawberry.field(
        resolver=_connections,
        permission_classes=[AdminOnly],
        description="How connections do: how many, for how long, and how they end.",
    )
    users: Connection[UserSummary] | None = strawberry.field(
        resolver=lists.users,
        permission_classes=[AdminOnly],
        description=(
            "Signed-in users with any event, the highest by `orderBy` first; nothing is kept of "
            "each anonymous one."
        ),
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
            "One metric over time: by hour, day or ISO week of everything, by day or week of one "
            "command, intent, error type or user, or of the names that matter most."
        ),
    )
    events: EventConnection | None = strawberry.field(
        resolver=event_log.events,
        permission_classes=[OwnEvents],
        description=(
            "Single events, newest first: anybody's for an admin, only their own for a user; never "
            "cached."
        ),
    )
    conversation: Conversation | None = strawberry.field(
        resolver=event_log.conversation,
        permission_classes=[OwnActivity],
        description=(
            "What happened in one conversation, oldest first: anybody's for an admin, only their "
            "own for a user; never cached."
        ),
    )
    export: Export | None = strawberry.field(
        resolver=_export,
        permission_classes=[AdminOnly],
        description="Commands, error patterns and summary, or events, as a file; never cached.",
    )
    recorder_health: RecorderHealth | None = strawberry.field(
        resolver=_recorder_health,
        permission_classes=[AdminOnly],
        description="How recording goes, now; never cached.",
    )
