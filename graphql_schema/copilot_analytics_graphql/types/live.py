"""What subscriptions tell besides answers."""

from __future__ import annotations

from typing import Any

import strawberry

from copilot_analytics.events import AnalyticsEvent

from ..scalars import Count
from .events import Event

__all__ = ["EventRecorded"]


def _event(root: strawberry.Parent[Any]) -> Event:
    return Event.of(root.recorded)


@strawberry.type(description="An event that was just recorded.")
class EventRecorded:
    """An event of the live tail; only what is asked for is made of it."""

    recorded: strawberry.Private[AnalyticsEvent]
    missed: Count = strawberry.field(
        description=(
            "How many events, at least, were left out just before this one, because whoever "
            "subscribed or the server could not keep up; `events` has them."
        )
    )

    event: Event = strawberry.field(resolver=_event, description="The event.")

    @classmethod
    def of(cls, event: AnalyticsEvent, missed: int) -> EventRecorded:
        """Return what is told of an event."""
        return cls(recorded=event, missed=Count(missed))
