"""What can be followed: the root of subscriptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from copilot_analytics.errors import QuestionError

from .context import Context
from .event_log import asked_filter
from .filters import EventFilterInput
from .permissions import AdminOnly, OwnEvents
from .ranges import RangeArgument, range_as_given
from .types import Dashboard, EventRecorded

__all__ = ["Subscription"]

Info = strawberry.Info[Context, None]

MAX_SECONDS = 3_600

_Top = Annotated[
    int, strawberry.argument(description="How many commands and error patterns, 1..1000.")
]
_Every = Annotated[
    int,
    strawberry.argument(description=f"How often to look, in seconds, 1..{MAX_SECONDS:,}."),
]
_Filter = Annotated[
    EventFilterInput | None, strawberry.argument(description="Which events; all by default.")
]


async def _dashboard_updated(
    info: Info, range: RangeArgument = None, top: _Top = 5, every: _Every = 5
) -> AsyncGenerator[Dashboard | None, None]:
    context = info.context
    if not 1 <= every <= MAX_SECONDS:
        raise QuestionError("every", every, f"give a number of seconds from 1 to {MAX_SECONDS}")

    async def ask() -> Dashboard:
        return Dashboard.of(await context.questions.dashboard(context.range(range), top=top))

    key = ("dashboard", range_as_given(range), top, every, context.scope)
    followed = context.updates.follow(key, ask, every)
    try:
        async for answer in followed:
            # An error takes the field's place, as it does in a query.
            yield answer  # type: ignore[misc]
    finally:
        await followed.aclose()


async def _event_recorded(
    info: Info, filter: _Filter = None
) -> AsyncGenerator[EventRecorded | None, None]:
    followed = info.context.tail.follow(asked_filter(info.context, filter))
    try:
        async for told in followed:
            yield told
    finally:
        followed.close()


@strawberry.type(
    description=(
        "What can be followed, on a WebSocket only, until either side ends it. Each field is null, "
        "with an error that says why, where it cannot be answered."
    )
)
class Subscription:
    """The root of subscriptions."""

    dashboard_updated = strawberry.subscription(
        resolver=_dashboard_updated,
        permission_classes=[AdminOnly],
        description=(
            "The dashboard now, and again whenever it has changed: as fresh as the query, which "
            "answers about today from at most 3 s ago. Whoever is slow gets the newest only."
        ),
    )
    event_recorded = strawberry.subscription(
        resolver=_event_recorded,
        permission_classes=[OwnEvents],
        description=(
            "Events from now on: anybody's for an admin, only their own for a user. Those of this "
            "process come as it records them, those of others once they are stored, unless that is "
            "more than 30 s after they happened."
        ),
    )
