"""What tests of exports share: rows, stores with events in them, whole files."""

from __future__ import annotations

from collections.abc import Iterable

from copilot_analytics.answers import Answers
from copilot_analytics.batch import Batch
from copilot_analytics.events import AnalyticsEvent, EventType, MetadataValue
from copilot_analytics.exporting import Exporter, ExportRequest
from copilot_analytics.ids import EventIds
from copilot_analytics.periods import DateRange
from copilot_analytics.queries import (
    ActivityTotals,
    DistinctUsers,
    ErrorPattern,
    Latency,
    PopularCommand,
)
from copilot_analytics.store_samples import DAYS, NOW_MS
from copilot_analytics.stores import MemoryStore, Store
from copilot_analytics.testing import FakeClock

RANGE = DateRange.of("2026-10-27", "2026-11-25", now_ms=0)
EXPORTED_MS = 1_795_600_000_123
NOTHING = ActivityTotals(
    events={},
    executions=0,
    successes=0,
    failures=0,
    success_rate=None,
    execution=Latency(),
    messages=0,
    errors=0,
    active_users=DistinctUsers(0, exact=True),
    connections=0,
    anonymous_connections=0,
    reconnects=0,
    connection=Latency(),
    close_codes={},
    streams=0,
    stream_ends={},
    interruption_rate=None,
    ttft=Latency(),
    stream_duration=Latency(),
    tokens=0,
    tokens_per_second=None,
    clarifications=0,
    clarification_rate=None,
)
COMMAND = PopularCommand("open_ticket", 4, 3, 1, 0.75, 12.5, 1_795_500_000_000)
PATTERN = ErrorPattern(
    fingerprint="v1-abc",
    error_type="ValueError",
    message='no "<string>", sorry',
    count=2,
    total_count=9,
    first_occurrence=1_790_000_000_000,
    last_occurrence=1_795_500_000_000,
    affected_users=DistinctUsers(2, exact=True),
    affected_user_ids=("ada", "bob"),
)


def stored(events: Iterable[AnalyticsEvent]) -> MemoryStore:
    """Return a store of events."""
    store = MemoryStore(clock=FakeClock(NOW_MS))
    if held := tuple(events):
        store.write(Batch(held[0].writer, held))
    return store


def exporter(store: Store, now_ms: int = NOW_MS) -> Exporter:
    clock = FakeClock(now_ms)
    return Exporter(Answers(store, clock), store, clock)


def exported(store: Store, request: ExportRequest) -> bytes:
    """Return a whole file."""
    return b"".join(exporter(store).export(request).chunks)


def busy(commands: int, patterns: int) -> list[AnalyticsEvent]:
    """Return events of so many commands and error patterns, on the last of `DAYS`."""
    ids = EventIds()
    start = NOW_MS - commands - patterns
    ran: list[tuple[EventType, dict[str, MetadataValue]]] = [
        (EventType.ACTION_EXECUTED, {"command_name": f"command {n}", "success": True})
        for n in range(commands)
    ]
    failed: list[tuple[EventType, dict[str, MetadataValue]]] = [
        (
            EventType.ERROR_OCCURRED,
            {
                "error_type": f"Error{n % 7}",
                "error_message": f"step {n} failed",
                "fingerprint": f"v1-{n:05}",
            },
        )
        for n in range(patterns)
    ]
    return [
        AnalyticsEvent(
            event_id=ids.next(start + number),
            event_type=event_type,
            user_id=f"user {number % 11}",
            timestamp=start + number,
            conversation_id=None,
            connection_id=None,
            metadata=metadata,
            writer="writer",
            sequence=number + 1,
        )
        for number, (event_type, metadata) in enumerate([*ran, *failed])
    ]


__all__ = [
    "COMMAND",
    "DAYS",
    "EXPORTED_MS",
    "NOTHING",
    "PATTERN",
    "RANGE",
    "busy",
    "exported",
    "exporter",
    "stored",
]
