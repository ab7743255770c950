from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics import Analytics, AnalyticsConfig, AnalyticsService, EventType
from copilot_analytics.batch import Batch
from copilot_analytics.errors import StoreUnavailableError
from copilot_analytics.event_log import EventFilter
from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.exporting import ExportRequest
from copilot_analytics.queries import ExportFormat, Metric
from copilot_analytics.stores import MemoryStore, SQLiteStore
from copilot_analytics.stores.base import Erasure
from copilot_analytics.testing import FakeClock

NOON = 1_773_576_000_000  # 2026-03-15T12:00Z
STRICT = AnalyticsConfig(strict=True)
LENIENT = AnalyticsConfig()


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    made = Analytics("memory://", config=STRICT, clock=FakeClock(NOON))
    yield made
    made.close()


def stored(analytics: Analytics) -> list[AnalyticsEvent]:
    assert analytics.recorder.flush_blocking(30)
    with analytics.store.snapshot(dt.date(2026, 3, 15)) as snapshot:
        return list(snapshot.events())


def test_an_event_of_any_type_is_stored_as_given(analytics: Analytics) -> None:
    analytics.service.track_event(
        EventType.MESSAGE_SENT,
        "ada",
        conversation_id="c-1",
        connection_id="s-1",
        metadata={"message_length": 12},
        timestamp=NOON - 5,
    )
    analytics.service.track_event("CLARIFICATION_REQUESTED", "ada")

    first, second = stored(analytics)
    assert (first.event_type, first.user_id, first.timestamp) == (
        EventType.MESSAGE_SENT,
        "ada",
        NOON - 5,
    )
    assert (first.conversation_id, first.connection_id) == ("c-1", "s-1")
    assert first.metadata == {"message_length": 12}
    assert (second.event_type, second.timestamp) == (EventType.CLARIFICATION_REQUESTED, NOON)


def test_what_is_tracked_is_the_caller_s_to_change_afterwards(analytics: Analytics) -> None:
    metadata = {"message_length": 1}
    analytics.service.track_event(EventType.MESSAGE_SENT, "ada", metadata=metadata)
    metadata["message_length"] = 2

    assert stored(analytics)[0].metadata == {"message_length": 1}


@pytest.mark.parametrize(
    ("success", "event_type"),
    [(True, EventType.ACTION_EXECUTED), (False, EventType.ACTION_FAILED)],
)
def test_a_command_is_executed_or_failed(
    analytics: Analytics, success: bool, event_type: EventType
) -> None:
    analytics.service.track_command_execution("ada", "add-supplier", success, 12.5, "c-1")

    (event,) = stored(analytics)
    assert (event.event_type, event.conversation_id) == (event_type, "c-1")
    assert event.metadata == {
        "command_name": "add-supplier",
        "success": success,
        "execution_ms": 12.5,
    }


def test_a_command_s_time_may_be_unknown(analytics: Analytics) -> None:
    analytics.service.track_command_execution("ada", "add-supplier", True)

    assert "execution_ms" not in stored(analytics)[0].metadata


def test_an_error_is_stored_without_personal_data(analytics: Analytics) -> None:
    analytics.service.track_error(
        "ada",
        "SupplierError",
        "no supplier for ada@example.com",
        conversation_id="c-1",
        metadata={"command_name": "add-supplier"},
    )

    (event,) = stored(analytics)
    assert event.event_type is EventType.ERROR_OCCURRED
    assert event.metadata["error_type"] == "SupplierError"
    assert event.metadata["error_message"] == "no supplier for <email>"
    assert event.metadata["command_name"] == "add-supplier"
    assert "fingerprint" in event.metadata


WRONG: list[tuple[Callable[[AnalyticsService], Any], type[Exception], str]] = [
    (lambda s: s.track_event("SENT", "ada"), ValueError, "'SENT' is no event type: give one of"),
    (lambda s: s.track_event(None, "ada"), ValueError, "None is no event type"),  # type: ignore[arg-type]
    (lambda s: s.track_event("MESSAGE_SENT", 7), TypeError, "user_id is a int: give str"),  # type: ignore[arg-type]
    (
        lambda s: s.track_event("MESSAGE_SENT", "ada", metadata=["x"]),  # type: ignore[arg-type]
        TypeError,
        "metadata is a list: give Mapping",
    ),
    (
        lambda s: s.track_command_execution("ada", "add", "yes"),  # type: ignore[arg-type]
        TypeError,
        "success is a str: give bool",
    ),
    (
        lambda s: s.track_command_execution("ada", "add", True, "12"),  # type: ignore[arg-type]
        TypeError,
        "execution_time is a str: give int or float",
    ),
    (lambda s: s.track_error("ada", KeyError), TypeError, "error_type is a type: give str"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("wrong", "error", "text"), WRONG)
def test_wrong_arguments_say_what_is_wrong_in_strict_mode(
    analytics: Analytics,
    wrong: Callable[[AnalyticsService], Any],
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error, match=re.escape(text)):
        wrong(analytics.service)


@pytest.mark.parametrize(("wrong", "error", "text"), WRONG)
def test_wrong_arguments_are_counted_and_harmless_otherwise(
    wrong: Callable[[AnalyticsService], Any], error: type[Exception], text: str
) -> None:
    analytics = Analytics("memory://", config=LENIENT)

    assert wrong(analytics.service) is None

    health = analytics.recorder.health()
    assert (health.accepted, sum(health.errors.values())) == (0, 1)
    analytics.close()


@pytest.mark.parametrize(
    "execution_time", [float("nan"), float("inf"), -1.0, 10.0**12], ids=["nan", "inf", "<0", "huge"]
)
def test_durations_that_are_none_are_left_out_and_counted(
    analytics: Analytics, execution_time: float
) -> None:
    analytics.service.track_command_execution("ada", "add", True, execution_time)

    assert "execution_ms" not in stored(analytics)[0].metadata
    assert analytics.recorder.health().skipped == {"out_of_range:execution_ms": 1}


def test_tracking_works_from_any_thread_and_inside_a_loop(analytics: Analytics) -> None:
    async def track() -> None:
        analytics.service.track_command_execution("ada", "async", True)

    asyncio.run(track())
    thread = threading.Thread(
        target=analytics.service.track_command_execution, args=("ada", "thread", True)
    )
    thread.start()
    thread.join()

    names = [event.metadata["command_name"] for event in stored(analytics)]
    assert names == ["async", "thread"]


def test_what_was_tracked_is_answered(analytics: Analytics) -> None:
    async def ask() -> None:
        service = analytics.service
        service.track_command_execution("ada", "add", True, 100.0)
        service.track_command_execution("bob", "add", False, 300.0)
        service.track_error("ada", "Timeout", "no answer")
        assert await analytics.flush(30)

        days = service.range("2026-03-15", "2026-03-15")
        assert days == service.today()
        board = await service.dashboard(days)
        assert board.summary.totals.success_rate == 0.5
        assert board.summary.totals.execution.average_ms == 200.0
        assert [error.error_type for error in board.top_errors] == ["Timeout"]
        series = await service.time_series(Metric.EXECUTIONS, days)
        assert series.values == (2,)
        export = await service.export(ExportRequest(days, ExportFormat.JSON))
        assert export.filename == "copilot-analytics-2026-03-15_2026-03-15.json"
        document = json.loads(b"".join([chunk async for chunk in export.chunks]))
        assert [row["name"] for row in document["commands"]] == ["add"]

    asyncio.run(ask())


def test_users_are_asked_for_as_the_application_knows_them() -> None:
    config = AnalyticsConfig(strict=True, pseudonymise_key="k" * 32)
    analytics = Analytics("memory://", config=config, clock=FakeClock(NOON))
    analytics.service.track_command_execution("ada@example.com", "add", True)

    assert "ada" not in stored(analytics)[0].user_id
    activity = asyncio.run(
        analytics.service.user_activity("ada@example.com", analytics.service.today())
    )
    assert activity.executions == 1
    assert activity.user_id == analytics.stored_user_id("ada@example.com")
    analytics.close()


def test_health_has_the_store_s_figures(analytics: Analytics) -> None:
    analytics.service.track_command_execution("ada", "add", True)
    assert analytics.recorder.flush_blocking(30)

    health = asyncio.run(analytics.service.recorder_health())

    assert (health.running, health.stored) == (True, 1)
    assert health.store == "memory://"
    assert health.store_statistics["events"] == 1


def test_health_is_told_also_where_the_store_cannot_be_read(tmp_path: Path) -> None:
    analytics = Analytics(SQLiteStore(tmp_path / "no such folder" / "x.db"), config=LENIENT)
    analytics.service.track_command_execution("ada", "add", True)

    health = asyncio.run(analytics.service.recorder_health())

    assert (health.accepted, health.pending, health.store_statistics) == (1, 1, {})
    analytics.close(0)


def test_events_are_asked_for_by_the_id_that_the_application_knows() -> None:
    """Or by the pseudonym that answers show."""
    with_key = AnalyticsConfig(strict=True, pseudonymise_key="k" * 32)

    async def ask() -> None:
        async with Analytics("memory://", config=with_key, clock=FakeClock(NOON)) as analytics:
            service, days = analytics.service, analytics.service.today()
            service.track_event("MESSAGE_SENT", "ada", conversation_id="c-1")
            service.track_event("MESSAGE_SENT", "bob", conversation_id="c-1")
            assert await analytics.flush(30)
            (mine,) = (await service.events(EventFilter(user_id="ada"), days)).events
            assert mine.user_id == analytics.stored_user_id("ada")
            same = await service.events(EventFilter(user_id=mine.user_id), days, stored=True)
            assert same.events == (mine,)
            assert not (await service.events(EventFilter(user_id=mine.user_id), days)).events
            assert (await service.conversation("c-1", "ada", days)).events == (mine,)
            told = await service.conversation("c-1", mine.user_id, days, stored=True)
            assert told.events == (mine,)

    asyncio.run(ask())


def test_a_user_is_erased_with_what_was_recorded_just_before() -> None:
    """By the id that the application knows, or by the pseudonym."""
    with_key = AnalyticsConfig(strict=True, pseudonymise_key="k" * 32, flush_interval=60)

    async def erase() -> None:
        async with Analytics("memory://", config=with_key, clock=FakeClock(NOON)) as analytics:
            service = analytics.service
            for user in ("ada", "bob", "eve"):
                service.track_event("MESSAGE_SENT", user)
            assert await service.erase_user("ada") == Erasure(events=1, rollups=1, distinct=1)
            assert await service.erase_user("ada") == Erasure()
            pseudonym = analytics.stored_user_id("bob")
            assert (await service.erase_user(pseudonym)).events == 1
            assert await service.erase_user("bob") == Erasure()
            (left,) = (await service.events(EventFilter(), service.today())).events
            assert left.user_id == analytics.stored_user_id("eve")

    asyncio.run(erase())


def test_nobody_is_erased_while_events_cannot_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be the user's, and would come back."""
    monkeypatch.setattr("copilot_analytics.service._FLUSH_SECONDS", 0.01)
    available = threading.Event()

    class Waiting(MemoryStore):
        def write(self, batch: Batch) -> None:
            assert available.wait(30)
            super().write(batch)

    async def erase() -> None:
        clock = FakeClock(NOON)
        async with Analytics(Waiting(clock=clock), config=STRICT, clock=clock) as analytics:
            analytics.service.track_event("MESSAGE_SENT", "ada")
            with pytest.raises(StoreUnavailableError, match="wait to be stored"):
                await analytics.service.erase_user("ada")
            available.set()
            assert await analytics.flush(30)
            assert (await analytics.service.erase_user("ada")).events == 1

    asyncio.run(erase())


def test_an_erased_user_is_not_left_in_the_spool(tmp_path: Path) -> None:
    """Its files are gone once what they hold is stored."""
    config = AnalyticsConfig(strict=True, spool="on", spool_dir=str(tmp_path))

    def copies() -> int:
        files = (file for file in tmp_path.rglob("*") if file.is_file())
        return sum(file.read_bytes().count(b"a-long-user-id") for file in files)

    async def erase() -> None:
        class Looking(MemoryStore):
            def write(self, batch: Batch) -> None:
                spooled.append(copies())
                super().write(batch)

        async with Analytics(Looking(), config=config) as analytics:
            analytics.service.track_event("MESSAGE_SENT", "a-long-user-id")
            assert (await analytics.service.erase_user("a-long-user-id")).events == 1
            assert copies() == 0

    spooled: list[int] = []
    asyncio.run(erase())
    assert spooled == [1]
