"""Listeners of the recorder: told of what is admitted, and never in its way."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence

import pytest

from copilot_analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.stores.base import EventSelection


def test_listeners_are_told_of_admitted_events_in_order_until_they_stop() -> None:
    heard: list[AnalyticsEvent] = []
    threads: set[str] = set()

    def listener(events: Sequence[AnalyticsEvent]) -> None:
        threads.add(threading.current_thread().name)
        heard.extend(events)

    with_address = {"error_type": "E", "error_message": "mail ada@example.com"}
    analytics = Analytics("memory://")
    stop = analytics.service.listen(listener)
    for number in range(300):
        analytics.service.track_command_execution("ada", f"c{number}", True)
    analytics.service.track_event("ERROR_OCCURRED", "ada", metadata=with_address)
    assert analytics.recorder.flush_blocking()
    stop()
    stop()
    analytics.service.track_command_execution("ada", "later", True)
    analytics.close()

    assert [event.metadata.get("command_name") for event in heard[:300]] == [
        f"c{number}" for number in range(300)
    ]
    assert heard[300].metadata["error_message"] == "mail <email>"
    assert len(heard) == 301
    assert threads == {"copilot-analytics-recorder"}


def test_a_listener_that_fails_is_counted_and_harms_nobody() -> None:
    heard: list[AnalyticsEvent] = []

    def fail(events: Sequence[AnalyticsEvent]) -> None:
        raise LookupError

    analytics = Analytics("memory://", config=AnalyticsConfig(strict=True))
    analytics.service.listen(fail)
    analytics.service.listen(heard.extend)
    analytics.service.track_command_execution("ada", "add", True)
    assert analytics.recorder.flush_blocking()
    health = analytics.recorder.health()
    analytics.close()

    assert (len(heard), health.stored) == (1, 1)
    assert health.errors == {"recorder.listener": 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_nobody_listens_in_a_forked_child() -> None:
    heard: list[AnalyticsEvent] = []
    analytics = Analytics("memory://")
    analytics.service.listen(heard.extend)

    child = os.fork()
    if child == 0:
        analytics.service.track_command_execution("ada", "add", True)
        stored = analytics.recorder.flush_blocking(5)
        os._exit(0 if stored and not heard else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    analytics.close()


async def _newest(analytics: Analytics, limit: int) -> list[object]:
    everything = EventSelection(start_ms=0, end_ms=2**53)
    events = await analytics.service.newest_events(everything, limit=limit)
    return [event.metadata.get("command_name") for event in events]


def test_the_newest_events_come_oldest_first() -> None:
    analytics = Analytics("memory://")
    now = analytics.clock.now_ms()
    for number in range(5):
        analytics.service.track_event(
            EventType.ACTION_EXECUTED,
            "ada",
            metadata={"command_name": f"c{number}", "success": True},
            timestamp=now + number,
        )
    assert analytics.recorder.flush_blocking()

    assert asyncio.run(_newest(analytics, 3)) == ["c2", "c3", "c4"]
    analytics.close()
