"""Events as lines and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.events import AnalyticsEvent, EventType, Observation
from copilot_analytics.ndjson import (
    MAX_LINE_BYTES,
    Line,
    LineError,
    decode_event,
    encode_event,
    time_of,
)
from copilot_analytics.store_samples import HOSTILE_NAMES, NOW_MS, sample_events


def _event(**metadata: Any) -> AnalyticsEvent:
    return AnalyticsEvent(
        "01ABC", EventType.ACTION_EXECUTED, "ada", NOW_MS, None, "c-1", metadata, "writer", 7
    )


def test_a_line_is_documented_json() -> None:
    """In camelCase, without what the event does not have, and without who wrote it."""
    line = encode_event(_event(command_name="search", execution_ms=2.5, my_key=True))
    assert line == (
        b'{"eventId":"01ABC","eventType":"ACTION_EXECUTED","userId":"ada",'
        b'"timestamp":1764072000000,"connectionId":"c-1",'
        b'"metadata":{"commandName":"search","executionMs":2.5,"myKey":true}}\n'
    )
    assert b"metadata" not in encode_event(_event())


def test_events_come_back_as_they_were() -> None:
    """All types, and whatever names they have; a line each."""
    events = [*sample_events(200), *(_event(command_name=name) for name in HOSTILE_NAMES)]
    for event in events:
        line = encode_event(event)
        assert line.count(b"\n") == 1
        assert decode_event(line) == Line(
            event.event_id,
            Observation(
                event.event_type,
                event.user_id,
                event.timestamp,
                event.conversation_id,
                event.connection_id,
                event.metadata,
            ),
        )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b" " * MAX_LINE_BYTES + b"{}", "too_long"),
        (b"null", "not_an_object"),
        (b"{}", "unknown_type"),
        (b'{"eventType":["MESSAGE_SENT"]}', "unknown_type"),
        (b'{"eventType":"MESSAGE_SENT"}', "bad_time"),
        (b'{"eventType":"MESSAGE_SENT","timestamp":true}', "bad_time"),
        (b'{"eventType":"MESSAGE_SENT","timestamp":1,"metadata":"x"}', "bad_metadata"),
    ],
)
def test_what_is_no_event_says_why(line: bytes, reason: str) -> None:
    with pytest.raises(LineError) as raised:
        decode_event(line)
    assert raised.value.reason == reason


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["eventType", "timestamp", "userId", "eventId", "metadata", "x"]),
                inner | st.just("MESSAGE_SENT") | st.just(NOW_MS),
                max_size=6,
            )
        ),
        max_leaves=8,
    )
)
def test_any_json_is_an_event_or_none(value: object) -> None:
    """Nothing else is ever raised."""
    try:
        line = decode_event(json.dumps(value).encode())
    except LineError:
        return
    assert line.observation.event_type is EventType.MESSAGE_SENT


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (NOW_MS, NOW_MS),
        (float(NOW_MS), NOW_MS),
        (str(NOW_MS), NOW_MS),
        ("2025-11-25T12:00:00Z", NOW_MS),
        ("2025-11-25T13:00:00.250+01:00", NOW_MS + 250),
        ("1969-12-31T23:59:59Z", -1_000),
        ("2025-11-25T12:00:00", None),
        ("2025-11-25", None),
        ("tomorrow", None),
        ("9" * 400, None),
        ("٣", None),
        (float("inf"), None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_times_are_milliseconds_or_iso_8601(value: object, milliseconds: int | None) -> None:
    """A text without its offset from UTC tells no moment."""
    assert time_of(value) == milliseconds
