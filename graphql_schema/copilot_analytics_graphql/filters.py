"""Which events a client asks about."""

from __future__ import annotations

import strawberry

from .enums import EventType

__all__ = ["EventFilterInput"]


@strawberry.input(
    name="EventFilter",
    description=(
        "Which events: all that is given has to hold. Type, user and range are looked up; the rest "
        "filters what these select, so that a page may be short."
    ),
)
class EventFilterInput:
    """What a client gives; see `event_log.EventFilter`."""

    event_type: EventType | None = strawberry.field(default=None, description="Of this type.")
    user_id: strawberry.ID | None = strawberry.field(
        default=None,
        description=(
            "Of this user, by the id as the application knows it, from an admin also as answers "
            "show it. A user sees their own only, and may leave it out."
        ),
    )
    conversation_id: strawberry.ID | None = strawberry.field(
        default=None, description="Of this conversation."
    )
    command: str | None = strawberry.field(default=None, description="That name this command.")
    error_type: str | None = strawberry.field(
        default=None, description="That name this error type."
    )
    fingerprint: strawberry.ID | None = strawberry.field(
        default=None, description="Of the error patterns with this fingerprint."
    )
