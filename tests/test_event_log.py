"""Pages of events: what a filter means, how much one page reads, and where the next goes on."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_analytics import event_log
from copilot_analytics.batch import Batch
from copilot_analytics.errors import QuestionError
from copilot_analytics.event_log import EventFilter, EventLog, EventPage, EventPosition
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.periods import HOUR_MS, DateRange
from copilot_analytics.redaction import bound_id
from copilot_analytics.store_samples import DAYS, NOW_MS, event, numbered, sample_events
from copilot_analytics.stores import MemoryStore
from copilot_analytics.testing import FakeClock

EVENTS = sample_events(400)
NEWEST = sorted(EVENTS, key=lambda one: (one.timestamp, one.event_id), reverse=True)


def log_of(events: list[AnalyticsEvent]) -> EventLog:
    store = MemoryStore(clock=FakeClock(NOW_MS))
    store.write(Batch("writer", events))
    return EventLog(store)


LOG = log_of(EVENTS)


def walk(
    log: EventLog, filter: EventFilter, range: DateRange = DAYS, *, first: int
) -> list[EventPage]:
    pages = [log.events(filter, range, first=first)]
    while pages[-1].end is not None:
        pages.append(log.events(filter, range, first=first, after=pages[-1].end))
    return pages


def told(pages: list[EventPage]) -> list[AnalyticsEvent]:
    return [one for page in pages for one in page.events]


@pytest.mark.parametrize("first", [1, 7, 399, 400, 401])
def test_pages_hold_everything_once_newest_first(first: int) -> None:
    pages = walk(LOG, EventFilter(), first=first)
    assert told(pages) == NEWEST
    assert {len(page.events) for page in pages[:-1]} <= {first}
    assert pages[-1].events, "the last page says that it is the last"


@given(
    event_type=st.none() | st.sampled_from(EventType),
    user_id=st.sampled_from([None, "ada", "bob", "nobody"]),
    command=st.sampled_from([None, "search", "export", "unknown"]),
    error_type=st.sampled_from([None, "Error0", "Error1"]),
    fingerprint=st.sampled_from([None, "1-0", "1-3"]),
    conversation_id=st.sampled_from([None, "talk", "other"]),
    first=st.integers(1, 60),
)
@settings(max_examples=60, deadline=None)
def test_a_filter_is_all_of_what_it_says(
    event_type: EventType | None,
    user_id: str | None,
    command: str | None,
    error_type: str | None,
    fingerprint: str | None,
    conversation_id: str | None,
    first: int,
) -> None:
    asked = EventFilter(
        event_type=event_type,
        user_id=user_id,
        command=command,
        error_type=error_type,
        fingerprint=fingerprint,
        conversation_id=conversation_id,
    )
    expected = [
        one
        for one in NEWEST
        if event_type in (None, one.event_type)
        and user_id in (None, one.user_id)
        and conversation_id in (None, one.conversation_id)
        and command in (None, one.metadata.get("command_name"))
        and error_type in (None, one.metadata.get("error_type"))
        and fingerprint in (None, one.metadata.get("fingerprint"))
    ]
    assert told(walk(LOG, asked, first=first)) == expected


def test_days_bound_a_page_to_the_millisecond() -> None:
    today = DateRange(DAYS.end, DAYS.end)
    edges = [today.start_ms - 1, today.start_ms, today.end_ms - 1, today.end_ms]
    log = log_of(numbered(event(EventType.MESSAGE_SENT, at=at) for at in edges))
    assert [one.timestamp for one in told(walk(log, EventFilter(), today, first=9))] == [
        today.end_ms - 1,
        today.start_ms,
    ]


def test_a_page_reads_a_bounded_number_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is short, and carries on where it stopped reading."""
    monkeypatch.setattr(event_log, "MAX_READ_EVENTS", 100)
    monkeypatch.setattr(event_log, "_CHUNK_EVENTS", 50)
    rare = event(EventType.ACTION_EXECUTED, at=NOW_MS - 250, command_name="rare")
    log = log_of(
        numbered([*(event(EventType.MESSAGE_SENT, at=NOW_MS - n) for n in range(400)), rare])
    )
    pages = walk(log, EventFilter(command="rare"), first=5)
    assert [len(page.events) for page in pages] == [0, 0, 1, 0, 0]
    assert pages[0].end is not None
    assert pages[0].end.timestamp == NOW_MS - 99


def test_a_place_is_good_also_when_its_event_is_gone() -> None:
    place = EventPosition(NEWEST[10].timestamp, NEWEST[10].event_id + "A")
    page = LOG.events(EventFilter(), DAYS, first=3, after=place)
    assert list(page.events) == NEWEST[10:13]


@pytest.mark.parametrize("first", [0, -1, 1_001])
def test_a_page_of_no_size_is_refused(first: int) -> None:
    with pytest.raises(QuestionError, match="from 1 to 1000"):
        LOG.events(EventFilter(), DAYS, first=first)


def test_a_conversation_is_told_oldest_first_and_of_one_user() -> None:
    long = "t" * 300
    talk = [
        AnalyticsEvent("", kind, user, NOW_MS + n, bound_id(long), None, {}, "", 0)
        for n, (kind, user) in enumerate(
            [
                (EventType.MESSAGE_SENT, "ada"),
                (EventType.ACTION_EXECUTED, "ada"),
                (EventType.MESSAGE_SENT, "bob"),
                (EventType.STREAMING_COMPLETED, "ada"),
            ]
        )
    ]
    log = log_of(numbered([*talk, event(EventType.MESSAGE_SENT, at=NOW_MS - HOUR_MS)]))
    today = DateRange(DAYS.end, DAYS.end)
    page = log.conversation(long, "ada", today, first=2)
    assert [one.timestamp - NOW_MS for one in page.events] == [0, 1]
    rest = log.conversation(long, "ada", today, first=2, after=page.end)
    assert [one.timestamp - NOW_MS for one in rest.events] == [3]
    assert rest.end is None
    yesterday = DateRange(*[DAYS.end - dt.timedelta(days=1)] * 2)
    assert log.conversation(long, "ada", yesterday, first=2) == EventPage((), None)
