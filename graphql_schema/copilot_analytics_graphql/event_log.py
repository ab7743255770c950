"""The questions about single events: never cached, and a user's own only unless an admin asks."""

from __future__ import annotations

from typing import Annotated

import strawberry

from copilot_analytics.errors import QuestionError
from copilot_analytics.event_log import EventFilter, EventPosition
from copilot_analytics.queries import MAX_LIMIT

from .context import Context
from .filters import EventFilterInput
from .ranges import RangeArgument, range_as_given
from .types import Conversation, EventConnection

__all__ = ["asked_filter", "conversation", "events"]

Info = strawberry.Info[Context, None]

_First = Annotated[int, strawberry.argument(description=f"How many at most, 1..{MAX_LIMIT}.")]
_After = Annotated[
    str | None,
    strawberry.argument(description="Only what follows the place with this cursor of this list."),
]
_ConversationId = Annotated[strawberry.ID, strawberry.argument(description="The conversation.")]
_UserId = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description=(
            "Whose conversation it is, by the id as the application knows it or as answers show "
            "it; an admin has to say, for a user it is their own."
        )
    ),
]


_Filter = Annotated[
    EventFilterInput | None, strawberry.argument(description="Which events; all by default.")
]


async def events(
    info: Info,
    filter: _Filter = None,
    range: RangeArgument = None,
    first: _First = 50,
    after: _After = None,
) -> EventConnection | None:
    """Answer `events`."""
    context = info.context
    asked = filter or EventFilterInput()
    cursors = context.cursors.of_list("events", [asked, range_as_given(range)], context.principal)
    page = await context.questions.events(
        asked_filter(context, asked),
        context.range(range),
        first=first,
        after=cursors.place(after, EventPosition),
        stored=True,
    )
    return EventConnection.of(page, cursors, after)


def asked_filter(context: Context, asked: EventFilterInput | None) -> EventFilter:
    """Return which events a client asks about; only their own, unless they are an admin.

    Raises:
        QuestionError: the user's id is empty.
    """
    asked = asked or EventFilterInput()
    user = None
    if asked.user_id is not None or not context.principal.sees_all:
        user = context.stored_user(asked.user_id)
    return EventFilter(
        event_type=asked.event_type,
        user_id=user,
        conversation_id=asked.conversation_id,
        command=asked.command,
        error_type=asked.error_type,
        fingerprint=asked.fingerprint,
    )


async def conversation(
    info: Info,
    id: _ConversationId,
    user_id: _UserId = None,
    range: RangeArgument = None,
    first: _First = 200,
    after: _After = None,
) -> Conversation | None:
    """Answer `conversation`."""
    context = info.context
    if user_id is None and context.principal.sees_all:
        raise QuestionError("user_id", user_id, "say whose conversation it is")
    user, stored = context.user(user_id)
    cursors = context.cursors.of_list(
        "conversation", [id, user_id, range_as_given(range)], context.principal
    )
    page = await context.questions.conversation(
        id,
        user,
        context.range(range),
        first=first,
        after=cursors.place(after, EventPosition),
        stored=stored,
    )
    return Conversation(
        id=id,
        user_id=strawberry.ID(user if stored else context.source.stored_user_id(user)),
        events=EventConnection.of(page, cursors, after),
    )
