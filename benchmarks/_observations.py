"""Observations as a busy copilot makes them: 20 commands, 50 error patterns, many users."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.events import EventType, Observation
from copilot_analytics.periods import DAY_MS

DAYS = 30
USERS = 10_000
COMMANDS = tuple(f"command-{number:02d}" for number in range(20))
PATTERNS = tuple(
    (f"ErrorType{number % 5}", f"the {chr(97 + number % 26)}{chr(97 + number // 26)} step failed")
    for number in range(50)
)


def observations(count: int, *, users: int, start_ms: int, end_ms: int) -> Iterator[Observation]:
    """Yield about `count` observations, whole turns, evenly spread from start to end."""
    source = random.Random(7)
    names = [f"user-{number}" for number in range(users)]
    patterns = cycle(PATTERNS)
    turns = count // 5
    for turn in range(turns):
        at = start_ms + (end_ms - start_ms) * turn // turns
        user = names[int(users * source.random())]
        command = COMMANDS[int(20 * source.random() ** 2)]
        conversation, connection = f"conversation-{turn // 4}", f"connection-{turn // 8}"

        def seen(
            event_type: EventType,
            ms: int,
            at: int = at,
            user: str = user,
            conversation: str = conversation,
            connection: str = connection,
            **metadata: object,
        ) -> Observation:
            return Observation(event_type, user, at + ms, conversation, connection, metadata)

        took = source.lognormvariate(5, 0.8)
        yield seen(EventType.MESSAGE_SENT, 0, message_length=40, message_bytes=120)
        yield seen(EventType.INTENT_CLASSIFIED, 50, intent=command, confidence=0.9)
        if turn % 10 == 9:
            error_type, message = next(patterns)
            yield seen(
                EventType.ERROR_OCCURRED,
                60,
                error_type=error_type,
                error_message=message,
                command_name=command,
            )
            continue
        yield seen(EventType.STREAMING_STARTED, 60, intent=command)
        yield seen(
            EventType.STREAMING_COMPLETED,
            900,
            ttft_ms=took,
            duration_ms=840.0,
            chunk_count=50,
            token_count=50,
            end_reason="completed",
        )
        yield seen(
            EventType.ACTION_EXECUTED,
            900,
            command_name=command,
            success=True,
            execution_ms=took,
            intent=command,
        )


async def fill(path: Path, events: int, now_ms: int) -> None:
    """Make a SQLite file with so many events of `USERS` users in the last `DAYS` days."""
    config = AnalyticsConfig(max_pending=200_000)
    start_ms = (now_ms // DAY_MS - DAYS + 1) * DAY_MS
    async with Analytics(f"sqlite:///{path}", config=config) as analytics:
        seen = observations(events, users=USERS, start_ms=start_ms, end_ms=now_ms)
        for number, observation in enumerate(seen, start=1):
            analytics.recorder.record(observation)
            if number % 100_000 == 0:
                await analytics.recorder.flush()
        await analytics.recorder.flush()
        health = analytics.recorder.health()
        assert health.stored == health.accepted, health
