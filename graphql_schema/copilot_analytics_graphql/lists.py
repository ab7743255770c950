"""The questions whose answers are lists, read page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import strawberry

from copilot_analytics.rankings import Position

from .context import Context
from .cursors import ListCursors
from .enums import CommandOrder, IntentOrder, UserOrder
from .ranges import RangeArgument, range_as_given
from .types import Connection, ErrorPattern, Intent, PopularCommand, UserSummary

__all__ = ["error_patterns", "intents", "popular_commands", "users"]

Info = strawberry.Info[Context, None]

_First = Annotated[int, strawberry.argument(description="How many at most, 1..1000.")]
_After = Annotated[
    str | None,
    strawberry.argument(description="Only what follows the entry with this cursor of this list."),
]
_CommandOrder = Annotated[CommandOrder, strawberry.argument(description="What comes first.")]
_IntentOrder = Annotated[IntentOrder, strawberry.argument(description="What comes first.")]
_UserOrder = Annotated[UserOrder, strawberry.argument(description="What comes first.")]
_InName = Annotated[
    str | None,
    strawberry.argument(description="Only those whose name contains this, whatever its case."),
]
_InPattern = Annotated[
    str | None,
    strawberry.argument(
        description="Only those whose type or normalised message contains this, whatever its case."
    ),
]
_InUser = Annotated[
    str | None,
    strawberry.argument(
        description=(
            "Only those whose stored id contains this, whatever its case; also a whole id as the "
            "application knows it."
        )
    ),
]
_ErrorType = Annotated[
    str | None, strawberry.argument(description="Only errors of this type; all by default.")
]
_Fingerprint = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only those with this fingerprint: one for each error type."),
]


async def popular_commands(
    info: Info,
    range: RangeArgument = None,
    order_by: _CommandOrder = CommandOrder.EXECUTIONS,
    search: _InName = None,
    first: _First = 10,
    after: _After = None,
) -> Connection[PopularCommand] | None:
    """Answer `popularCommands`."""
    context = info.context
    days = context.range(range)
    cursors = _cursors(context, "popularCommands", range, [order_by.value, search])
    page = await context.questions.popular_commands(
        days,
        order_by=order_by,
        search=search,
        first=first,
        after=cursors.place(after, Position),
    )
    return Connection.of(page, lambda command: PopularCommand.of(command, days), cursors)


async def error_patterns(
    info: Info,
    range: RangeArgument = None,
    error_type: _ErrorType = None,
    fingerprint: _Fingerprint = None,
    search: _InPattern = None,
    first: _First = 10,
    after: _After = None,
) -> Connection[ErrorPattern] | None:
    """Answer `errorPatterns`."""
    context = info.context
    days = context.range(range)
    cursors = _cursors(context, "errorPatterns", range, [error_type, fingerprint, search])
    page = await context.questions.error_patterns(
        days,
        error_type=error_type,
        fingerprint=fingerprint,
        search=search,
        first=first,
        after=cursors.place(after, Position),
    )
    return Connection.of(page, lambda pattern: ErrorPattern.of(pattern, days), cursors)


async def intents(
    info: Info,
    range: RangeArgument = None,
    order_by: _IntentOrder = IntentOrder.COUNT,
    search: _InName = None,
    first: _First = 10,
    after: _After = None,
) -> Connection[Intent] | None:
    """Answer `intents`."""
    context = info.context
    cursors = _cursors(context, "intents", range, [order_by.value, search])
    page = await context.questions.intents(
        context.range(range),
        order_by=order_by,
        search=search,
        first=first,
        after=cursors.place(after, Position),
    )
    return Connection.of(page, Intent.of, cursors)


async def users(
    info: Info,
    range: RangeArgument = None,
    order_by: _UserOrder = UserOrder.EXECUTIONS,
    search: _InUser = None,
    first: _First = 10,
    after: _After = None,
) -> Connection[UserSummary] | None:
    """Answer `users`."""
    context = info.context
    cursors = _cursors(context, "users", range, [order_by.value, search])
    page = await context.questions.users(
        context.range(range),
        order_by=order_by,
        search=search,
        first=first,
        after=cursors.place(after, Position),
    )
    return Connection.of(page, UserSummary.of, cursors)


def _cursors(
    context: Context, name: str, range: RangeArgument, arguments: Sequence[str | None]
) -> ListCursors:
    return context.cursors.of_list(name, [*range_as_given(range), *arguments], context.principal)
