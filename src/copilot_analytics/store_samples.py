"""Events for tests of stores, and what a store that holds them must answer, by brute force."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from .aggregation import Deltas, aggregate
from .batch import Batch
from .distinct import Distinct
from .events import AnalyticsEvent, EventType, MetadataValue
from .periods import DAY_MS, HOUR_MS, DateRange, day_of
from .rollups import DISTINCT_KINDS, Rollup, RollupKind
from .stores.base import Store

__all__ = [
    "DAYS",
    "HOSTILE_NAMES",
    "NOW_MS",
    "assert_holds",
    "batches_of",
    "event",
    "numbered",
    "sample_events",
]

NOW_MS = 1_764_072_000_000
"""2025-11-25T12:00Z, where the clock of these tests stands."""

DAYS = DateRange(dt.date(2025, 11, 22), dt.date(2025, 11, 25))
"""The days of `sample_events`."""

HOSTILE_NAMES = (
    "#",
    "a#b",
    "a",
    "b",
    "a#b#",
    'it\'s "quoted"',
    "'; DROP TABLE rollups; --",
    "nul\0inside",
    "\0",
    "👩‍🚀🚀",
    "é",
    "e\u0301",
    "É",
    "100%_",
    " ",
    " padded ",
    "tab\tand\nline",
    "../../etc/passwd",
    "all",
    "(other)",
    "null",
    "0",
    "ﷺ" * 128,
)
"""Names that a store may take for something else than themselves, or for one another."""


def event(
    event_type: EventType,
    user_id: str = "ada",
    at: int = NOW_MS,
    **metadata: MetadataValue,
) -> AnalyticsEvent:
    """Return an event as admission makes them, but for its id and number; see `numbered`."""
    return AnalyticsEvent("", event_type, user_id, at, "talk", "socket", metadata, "", 0)


def numbered(
    events: Iterable[AnalyticsEvent], writer: str = "writer", *, first: int = 1
) -> list[AnalyticsEvent]:
    """Return events numbered in their order, as one writer's; the same ids in every process."""
    return [
        AnalyticsEvent(
            f"{one.timestamp:013}{blake2b(f'{writer}:{number}'.encode()).hexdigest():.13}".upper(),
            one.event_type,
            one.user_id,
            one.timestamp,
            one.conversation_id,
            one.connection_id,
            one.metadata,
            writer,
            number,
        )
        for number, one in enumerate(events, start=first)
    ]


def sample_events(count: int, *, seed: int = 0, writer: str = "writer") -> list[AnalyticsEvent]:
    """Return events of every type with everything that is counted, over the last four days."""
    rng = random.Random(seed)
    events = []
    for _ in range(count):
        event_type = rng.choice(list(EventType))
        user_id = rng.choice(["ada", "bob", "eve", "anonymous:1", f"user-{rng.randrange(40)}"])
        at = NOW_MS - rng.randrange(3 * DAY_MS + 11 * HOUR_MS)
        events.append(event(event_type, user_id, at, **_sample_metadata(event_type, rng)))
    return numbered(events, writer)


def _sample_metadata(event_type: EventType, rng: random.Random) -> dict[str, MetadataValue]:
    command = rng.choice(["search", "export", "add-supplier"])
    duration = round(rng.lognormvariate(5, 2), 3)
    match event_type:
        case EventType.INTENT_CLASSIFIED | EventType.CLARIFICATION_REQUESTED:
            return {"intent": command, "confidence": rng.random()}
        case EventType.ACTION_EXECUTED | EventType.ACTION_FAILED:
            return {"command_name": command, "execution_ms": duration, "intent": "find"}
        case EventType.STREAMING_COMPLETED | EventType.STREAMING_INTERRUPTED:
            reason = rng.choice(["completed", "closed"])
            return {
                "ttft_ms": duration,
                "duration_ms": 2 * duration,
                "token_count": rng.randrange(500),
                "end_reason": reason,
            }
        case EventType.ERROR_OCCURRED:
            number = rng.randrange(4)
            return {
                "error_type": f"Error{number % 2}",
                "error_message": f"the step of {number} failed",
                "fingerprint": f"1-{number}",
                "command_name": command,
            }
        case EventType.WEBSOCKET_CONNECTED:
            return {"reconnect": rng.random() < 0.5}
        case EventType.WEBSOCKET_DISCONNECTED:
            return {"connection_ms": duration, "close_code": rng.choice([1000, 1006])}
        case _:
            return {}


def batches_of(events: Sequence[AnalyticsEvent], *sizes: int) -> Iterator[Batch]:
    """Yield one writer's events in batches of these sizes, over and over."""
    start = turn = 0
    while start < len(events):
        end = start + sizes[turn % len(sizes)]
        yield Batch(events[0].writer, events[start:end])
        start, turn = end, turn + 1


def assert_holds(
    store: Store, events: Sequence[AnalyticsEvent], days: DateRange | None = None
) -> None:
    """Assert that a store's every answer is that of exactly these events, by brute force.

    Args:
        store: what is asked.
        events: everything it should hold.
        days: which days are asked for; those of `sample_events` by default.
    """
    span = days or DAYS
    expected = aggregate(events)
    for kind in RollupKind:
        _assert_kind(store, kind, expected, span)
    lives = store.patterns([*expected.patterns, "unknown:Error"])
    assert lives.keys() == expected.patterns.keys()
    for dimension, delta in expected.patterns.items():
        life = lives[dimension]
        assert life.dimension == dimension
        for name in ("error_type", "message", "count", "first", "last", "users"):
            assert getattr(life, name) == getattr(delta, name), (dimension, name)
    for day in span.each_day():
        _assert_day(store, dt.date.fromisoformat(day), events, expected)
    if not store.remote:
        assert store.statistics()["events"] == len(events)


def _assert_kind(store: Store, kind: RollupKind, expected: Deltas, span: DateRange) -> None:
    days = set(span.each_day())
    totals: dict[str, Rollup] = {}
    hashes: dict[str, set[int]] = {}
    series: dict[tuple[str, bool], dict[str, Rollup]] = {}
    for key, rollup in expected.rollups.items():
        if key.kind is kind and key.period[:10] in days:
            hourly = key.period not in days
            series.setdefault((key.dimension, hourly), {})[key.period] = rollup
            if not hourly:
                totals.setdefault(key.dimension, Rollup({})).add(rollup)
                hashes.setdefault(key.dimension, set()).update(expected.distinct.get(key, ()))
    assert store.totals(kind, span, detail=True) == totals
    assert store.totals(kind, span) == {
        dimension: total.headlines(kind) for dimension, total in totals.items()
    }
    for (dimension, hourly), rows in series.items():
        assert store.series(kind, dimension, span, hourly=hourly) == rows
        assert store.series(kind, dimension, span, hourly=hourly, detail=False) == {
            period: rollup.headlines(kind) for period, rollup in rows.items()
        }
    if kind in DISTINCT_KINDS:
        users = {dimension: Distinct.of(found) for dimension, found in hashes.items() if found}
        assert store.distinct(kind, list(hashes), span) == users
        assert store.count_distinct(kind, list(hashes), span) == {
            dimension: found.count() for dimension, found in users.items()
        }


def _assert_day(
    store: Store, day: dt.date, events: Sequence[AnalyticsEvent], expected: Deltas
) -> None:
    name = day.isoformat()
    with store.snapshot(day) as snapshot:
        assert list(snapshot.events()) == sorted(
            (one for one in events if day_of(one.timestamp) == name),
            key=lambda one: (one.timestamp, one.event_id),
        )
        assert dict(snapshot.rollups()) == {
            key: rollup for key, rollup in expected.rollups.items() if key.period[:10] == name
        }
        assert dict(snapshot.distinct()) == {
            key: Distinct.of(hashes)
            for key, hashes in expected.distinct.items()
            if key.period == name
        }
