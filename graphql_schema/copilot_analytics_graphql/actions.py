"""What a user's latest actions were: what no rollup of users tells, so their events do."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from copilot_analytics.event_log import EventFilter
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.periods import DateRange
from copilot_analytics.queries import MAX_LIMIT

from .source import Service

__all__ = ["UserActions", "latest_actions"]

_TOP_COMMANDS = 5


@dataclass(frozen=True, slots=True)
class UserActions:
    """A user's latest actions, at most 1,000 that succeeded and 1,000 that failed.

    Attributes:
        commands: the 5 most frequent commands, ties by name.
        average_ms: how long those that succeeded took; None where no time is known.
    """

    commands: tuple[str, ...]
    average_ms: float | None


async def latest_actions(
    service: Service, user_id: str, range: DateRange, *, stored: bool
) -> UserActions:
    """Return what the events of a range tell, as long as they are kept."""
    executed, failed = await asyncio.gather(
        *(
            service.events(
                EventFilter(event_type=event_type, user_id=user_id),
                range,
                first=MAX_LIMIT,
                stored=stored,
            )
            for event_type in (EventType.ACTION_EXECUTED, EventType.ACTION_FAILED)
        )
    )
    names = Counter(
        str(event.metadata["command_name"])
        for event in (*executed.events, *failed.events)
        if "command_name" in event.metadata
    )
    ranked = sorted(names.items(), key=lambda item: (-item[1], item[0]))
    times = [time for event in executed.events if (time := _time_ms(event)) is not None]
    return UserActions(
        tuple(name for name, _ in ranked[:_TOP_COMMANDS]),
        sum(times) / len(times) if times else None,
    )


def _time_ms(event: AnalyticsEvent) -> float | None:
    time = event.metadata.get("execution_ms")
    return float(time) if isinstance(time, int | float) else None
