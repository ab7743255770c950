from __future__ import annotations

import math
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.admission import OTHER, UNKNOWN_ERROR, Admission, Refusal
from copilot_analytics.encoding import decode_metadata, encode_metadata
from copilot_analytics.events import (
    METADATA_KEYS,
    AnalyticsEvent,
    EndReason,
    EventType,
    Observation,
    ValueKind,
)
from copilot_analytics.periods import DAY_MS
from copilot_analytics.redaction import fingerprint
from copilot_analytics.testing import FakeClock
from copilot_analytics.writer import Writer

NOW = 1_750_000_000_000
MINUTE_MS = 60_000


def admission(**options: Any) -> Admission:
    return Admission(FakeClock(NOW), Writer(), **options)


def observation(
    event_type: EventType = EventType.ACTION_EXECUTED,
    metadata: dict[str, Any] | None = None,
    *,
    user_id: Any = "user-1",
    timestamp: Any = NOW,
    conversation_id: Any = None,
    connection_id: Any = None,
) -> Observation:
    return Observation(
        event_type, user_id, timestamp, conversation_id, connection_id, metadata or {}
    )


def admitted(gate: Admission, seen: Observation) -> AnalyticsEvent:
    event = gate.admit(seen)
    assert isinstance(event, AnalyticsEvent)
    return event


def kept(gate: Admission, event_type: EventType, **metadata: Any) -> dict[str, Any]:
    return dict(admitted(gate, observation(event_type, metadata)).metadata)


def test_event_carries_everything_and_the_writers_number() -> None:
    writer = Writer()
    gate = Admission(FakeClock(NOW), writer)
    seen = observation(
        metadata={"command_name": "add-supplier", "success": True, "execution_ms": 12.34567},
        conversation_id="conversation-1",
        connection_id="connection-1",
    )
    first, second = admitted(gate, seen), admitted(gate, seen)
    assert first == AnalyticsEvent(
        event_id=first.event_id,
        event_type=EventType.ACTION_EXECUTED,
        user_id="user-1",
        timestamp=NOW,
        conversation_id="conversation-1",
        connection_id="connection-1",
        metadata={"command_name": "add-supplier", "success": True, "execution_ms": 12.346},
        writer=writer.id,
        sequence=1,
    )
    assert second.sequence == 2
    assert first.event_id < second.event_id
    assert gate.skipped == {}


@pytest.mark.parametrize(
    ("seen", "refusal"),
    [
        (observation(timestamp=NOW + 5 * MINUTE_MS + 1), Refusal.IN_FUTURE),
        (observation(timestamp=4_102_444_800_000), Refusal.IN_FUTURE),
        (observation(timestamp=10**30), Refusal.IN_FUTURE),
        (observation(timestamp=NOW - 90 * DAY_MS - 1), Refusal.TOO_OLD),
        (observation(timestamp=0), Refusal.TOO_OLD),
        (observation(timestamp=-1), Refusal.TOO_OLD),
        (observation(timestamp=float(NOW)), Refusal.INVALID),
        (observation(timestamp=math.nan), Refusal.INVALID),
        (observation(timestamp=True), Refusal.INVALID),
        (observation(timestamp=None), Refusal.INVALID),
        (observation(user_id=None), Refusal.NO_USER),
        (observation(user_id=""), Refusal.NO_USER),
        (observation(user_id=["user"]), Refusal.NO_USER),
        (Observation("MESSAGE_SENT", "u", NOW), Refusal.INVALID),  # type: ignore[arg-type]
        (Observation([], "u", NOW), Refusal.INVALID),  # type: ignore[arg-type]
        (
            Observation(EventType.MESSAGE_SENT, "u", NOW, metadata=None),  # type: ignore[arg-type]
            Refusal.INVALID,
        ),
    ],
)
def test_refused_observations_use_up_no_number(seen: Observation, refusal: Refusal) -> None:
    gate = admission()
    assert gate.admit(seen) is refusal
    assert admitted(gate, observation()).sequence == 1


@pytest.mark.parametrize("timestamp", [NOW + 5 * MINUTE_MS, NOW - 90 * DAY_MS])
def test_bounds_of_time_are_inclusive(timestamp: int) -> None:
    assert admitted(admission(), observation(timestamp=timestamp)).timestamp == timestamp


def test_bounds_of_time_move_with_the_clock() -> None:
    clock = FakeClock(NOW)
    gate = Admission(clock, Writer())
    admitted(gate, observation())
    clock.advance(DAY_MS)
    admitted(gate, observation(timestamp=NOW + DAY_MS))
    assert gate.admit(observation(timestamp=NOW + 2 * DAY_MS)) is Refusal.IN_FUTURE
    assert gate.admit(observation(timestamp=NOW - 90 * DAY_MS + 1)) is Refusal.TOO_OLD


class Code(IntEnum):
    AWAY = 1001


class Command(StrEnum):
    ADD = "add"


@pytest.mark.parametrize(
    ("event_type", "key", "value", "expected"),
    [
        (EventType.MESSAGE_SENT, "message_length", 0, 0),
        (EventType.MESSAGE_SENT, "message_length", 3.0, 3),
        (EventType.MESSAGE_SENT, "streaming", False, False),
        (EventType.ACTION_EXECUTED, "execution_ms", 0, 0.0),
        (EventType.ACTION_EXECUTED, "execution_ms", 2, 2.0),
        (EventType.ACTION_EXECUTED, "execution_ms", 0.0004, 0.0),
        (EventType.ACTION_EXECUTED, "execution_ms", 1e9 + 0.0006, 1e9 + 0.001),
        (EventType.ACTION_EXECUTED, "cost", Decimal("0.25"), 0.25),
        (EventType.ACTION_EXECUTED, "cost", 1, 1.0),
        (EventType.ACTION_EXECUTED, "command_name", Command.ADD, "add"),
        (EventType.ACTION_EXECUTED, "command_name", " add ", "add"),
        (EventType.ACTION_EXECUTED, "command_name", "a\0\ud800", "a\ufffd\ufffd"),
        (EventType.ACTION_EXECUTED, "command_name", "mail j@example.org", "mail <email>"),
        (EventType.INTENT_CLASSIFIED, "confidence", 1, 1.0),
        (EventType.INTENT_CLASSIFIED, "confidence", 0.25, 0.25),
        (EventType.STREAMING_COMPLETED, "end_reason", EndReason.ERROR, "error"),
        (EventType.STREAMING_COMPLETED, "end_reason", "max_tokens", "max_tokens"),
        (EventType.WEBSOCKET_DISCONNECTED, "close_code", Code.AWAY, 1001),
        (EventType.WEBSOCKET_DISCONNECTED, "close_code", 4999, 4999),
        (EventType.WEBSOCKET_CONNECTED, "subprotocol", "eyJhbGciOiJIUzI1.eyJz.x", "<token>"),
        (EventType.ERROR_OCCURRED, "correlation_id", 17, "17"),
        (EventType.ERROR_OCCURRED, "correlation_id", "550e8400-e29b", "550e8400-e29b"),
        (EventType.ERROR_OCCURRED, "correlation_id", "of j@example.org", "of <email>"),
        (EventType.ERROR_OCCURRED, "error_message", "user 'John'", "user <text>"),
    ],
)
def test_value_is_kept(event_type: EventType, key: str, value: object, expected: object) -> None:
    gate = admission()
    for _ in range(2):  # known values take a shorter way
        result = kept(gate, event_type, **{key: value})[key]
        assert (result, type(result)) == (expected, type(expected))
    assert gate.skipped == {}


@pytest.mark.parametrize(
    ("event_type", "key", "value", "reason"),
    [
        (EventType.ACTION_EXECUTED, "parameters", {"a": 1}, "unknown_key"),
        (EventType.ACTION_EXECUTED, "close_code", 1000, "unknown_key"),
        (EventType.ACTION_EXECUTED, 5, 5, "unknown_key"),
        (EventType.ACTION_EXECUTED, "execution_ms", math.nan, "out_of_range:execution_ms"),
        (EventType.ACTION_EXECUTED, "execution_ms", math.inf, "out_of_range:execution_ms"),
        (EventType.ACTION_EXECUTED, "execution_ms", -0.001, "out_of_range:execution_ms"),
        (EventType.ACTION_EXECUTED, "execution_ms", 10**400, "out_of_range:execution_ms"),
        (EventType.ACTION_EXECUTED, "execution_ms", 1e11, "out_of_range:execution_ms"),
        (EventType.ACTION_EXECUTED, "execution_ms", "12", "wrong_type:execution_ms"),
        (EventType.ACTION_EXECUTED, "execution_ms", True, "wrong_type:execution_ms"),
        (EventType.ACTION_EXECUTED, "cost", Decimal("sNaN"), "out_of_range:cost"),
        (EventType.ACTION_EXECUTED, "cost", -1.0, "out_of_range:cost"),
        (EventType.ACTION_EXECUTED, "success", 1, "wrong_type:success"),
        (EventType.ACTION_EXECUTED, "command_name", "", "empty:command_name"),
        (EventType.ACTION_EXECUTED, "command_name", " \t", "empty:command_name"),
        (EventType.ACTION_EXECUTED, "command_name", 17, "wrong_type:command_name"),
        (EventType.ACTION_EXECUTED, "command_name", ["add"], "wrong_type:command_name"),
        (EventType.MESSAGE_SENT, "message_length", -1, "out_of_range:message_length"),
        (EventType.MESSAGE_SENT, "message_length", 10**30, "out_of_range:message_length"),
        (EventType.MESSAGE_SENT, "message_length", 1.5, "out_of_range:message_length"),
        (EventType.MESSAGE_SENT, "message_length", math.nan, "out_of_range:message_length"),
        (EventType.MESSAGE_SENT, "message_length", math.inf, "out_of_range:message_length"),
        (EventType.MESSAGE_SENT, "message_length", "1", "wrong_type:message_length"),
        (EventType.MESSAGE_SENT, "message_length", False, "wrong_type:message_length"),
        (EventType.INTENT_CLASSIFIED, "confidence", 1.0001, "out_of_range:confidence"),
        (EventType.STREAMING_COMPLETED, "end_reason", "bored", "out_of_range:end_reason"),
        (EventType.STREAMING_COMPLETED, "end_reason", 1, "wrong_type:end_reason"),
        (EventType.WEBSOCKET_DISCONNECTED, "close_code", 999, "out_of_range:close_code"),
        (EventType.WEBSOCKET_DISCONNECTED, "close_code", 5000, "out_of_range:close_code"),
        (EventType.ACTION_FAILED, "error_message", b"no", "wrong_type:error_message"),
        (EventType.ACTION_FAILED, "error_message", ValueError("x"), "wrong_type:error_message"),
        (EventType.ACTION_FAILED, "fingerprint", "1-00", "computed:fingerprint"),
        (EventType.ACTION_FAILED, "fault_id", True, "wrong_type:fault_id"),
        (EventType.ACTION_FAILED, "fault_id", 2**64, "wrong_type:fault_id"),
        (EventType.WEBSOCKET_CONNECTED, "adapter", object(), "wrong_type:adapter"),
    ],
)
def test_value_is_left_out_and_counted(
    event_type: EventType, key: Any, value: object, reason: str
) -> None:
    gate = admission()
    event = admitted(gate, observation(event_type, {key: value, "variant": "b"}))
    assert event.metadata == {"variant": "b"}
    assert gate.skipped == {reason: 1}


def test_none_is_no_value() -> None:
    gate = admission()
    assert kept(gate, EventType.ACTION_EXECUTED, command_name=None) == {}
    assert gate.skipped == {}


def test_extra_keys_are_kept_in_every_event() -> None:
    gate = admission(extra_keys={"plan": ValueKind.LABEL, "seat_count": ValueKind.COUNT})
    for event_type in EventType:
        metadata = kept(gate, event_type, plan="pro", seat_count=3, other=1)
        assert metadata["plan"] == "pro"
        assert metadata["seat_count"] == 3
    assert gate.skipped == {"unknown_key": len(EventType)}


@pytest.mark.parametrize("field", ["conversation_id", "connection_id"])
@pytest.mark.parametrize(
    ("value", "expected", "skipped"),
    [
        ("thread 7", "thread 7", None),
        (42, "42", None),
        ("a\nb", "a\ufffdb", None),
        ("", None, "empty"),
        (1.5, None, "wrong_type"),
        (True, None, "wrong_type"),
    ],
)
def test_ids_of_conversation_and_connection(
    field: str, value: object, expected: str | None, skipped: str | None
) -> None:
    gate = admission()
    arguments: dict[str, Any] = {field: value}
    event = admitted(gate, observation(**arguments))
    assert getattr(event, field) == expected
    assert gate.skipped == ({f"{skipped}:{field}": 1} if skipped else {})


def test_long_names_and_ids_are_cut_and_stay_apart() -> None:
    gate = admission()
    events = [
        admitted(
            gate,
            observation(
                metadata={"command_name": "n" * length, "variant": "v" * length},
                user_id="u" * length,
            ),
        )
        for length in (200, 300)
    ]
    for event in events:
        assert len(str(event.metadata["command_name"])) == 128
        assert len(str(event.metadata["variant"])) == 128
    assert len(events[0].user_id) == 200
    assert len(events[1].user_id.encode()) == 256
    assert events[0].metadata["command_name"] != events[1].metadata["command_name"]
    assert len(kept(gate, EventType.ACTION_EXECUTED, command_name="n" * 10_000)) == 1


def test_a_kind_has_a_thousand_names_a_day() -> None:
    gate = admission()
    for number in range(1_010):
        name = f"command {number}"
        expected = name if number < 1_000 else OTHER
        assert kept(gate, EventType.ACTION_EXECUTED, command_name=name)["command_name"] == expected
    assert gate.skipped == {"over_limit:command_name": 10}
    # Known names, other kinds and other days are not concerned.
    assert kept(gate, EventType.ACTION_EXECUTED, command_name="command 7", intent="new") == {
        "command_name": "command 7",
        "intent": "new",
    }
    late = observation(metadata={"command_name": "new"}, timestamp=NOW - DAY_MS)
    assert admitted(gate, late).metadata == {"command_name": "new"}
    # Back on the first day, its names still count.
    assert kept(gate, EventType.ACTION_EXECUTED, command_name="new")["command_name"] == OTHER


def test_one_kind_counts_its_names_over_all_types_of_event() -> None:
    gate = admission(max_names=1)
    kept(gate, EventType.ACTION_EXECUTED, command_name="a")
    assert kept(gate, EventType.ACTION_FAILED, command_name="b")["command_name"] == OTHER


def test_names_of_days_that_are_too_old_are_forgotten() -> None:
    clock = FakeClock(NOW)
    gate = Admission(clock, Writer(), max_names=1)
    for day in range(200):
        event = admitted(gate, observation(metadata={"intent": "x"}, timestamp=NOW + day * DAY_MS))
        assert event.metadata == {"intent": "x"}
        clock.advance(DAY_MS)
    assert all(len(names._days) <= 92 for names in gate._names.values())


def test_errors_of_one_kind_have_one_fingerprint() -> None:
    gate = admission()
    first, second = (
        kept(
            gate,
            EventType.ERROR_OCCURRED,
            error_type="ValueError",
            error_message=f"order {number} of 'customer {number}'",
        )
        for number in (17, 4711)
    )
    assert first == second
    assert first["error_message"] == "order <number> of <text>"
    assert first["fingerprint"] == fingerprint("ValueError", "order <number> of <text>")


def test_an_error_without_a_type_or_message_is_grouped_all_the_same() -> None:
    gate = admission()
    assert kept(gate, EventType.ERROR_OCCURRED) == {
        "error_type": UNKNOWN_ERROR,
        "fingerprint": fingerprint(UNKNOWN_ERROR, ""),
    }
    assert "error_type" in kept(gate, EventType.ACTION_FAILED, error_message="no")
    assert kept(gate, EventType.ACTION_FAILED, command_name="add") == {"command_name": "add"}


def test_type_only_keeps_nothing_of_a_message() -> None:
    gate = admission(error_text="type_only")
    metadata = kept(gate, EventType.ERROR_OCCURRED, error_type="E", error_message="of John Smith")
    assert metadata == {"error_type": "E", "fingerprint": fingerprint("E", "")}
    assert gate.skipped == {}


def test_patterns_beyond_the_limit_are_one_that_tells_nothing() -> None:
    gate = admission(max_names=2)
    patterns = [
        kept(gate, EventType.ERROR_OCCURRED, error_type="E", error_message=message)
        for message in ("one", "two", "three", "four", "two")
    ]
    assert [pattern["error_message"] for pattern in patterns] == ["one", "two", OTHER, OTHER, "two"]
    assert patterns[2] == patterns[3]
    assert patterns[2]["fingerprint"] == OTHER
    assert gate.skipped == {"over_limit:fingerprint": 2}


def test_what_is_known_is_bounded() -> None:
    gate = admission()
    for number in range(25_000):
        event = admitted(
            gate,
            observation(
                EventType.ERROR_OCCURRED,
                {"variant": f"v{number}", "error_message": f"{number:b}".replace("1", "l")},
                user_id=f"user-{number}",
            ),
        )
        assert event.user_id == f"user-{number}"
    assert len(gate._known_ids) <= 10_000
    assert len(gate._known_labels) <= 1_000
    assert len(gate._known_texts) <= 1_000


def test_no_raw_message_stays_in_memory() -> None:
    gate = admission()
    kept(gate, EventType.ERROR_OCCURRED, error_message="of j@example.org", error_type="j@x.org")
    held = repr((gate._known_texts, gate._known_labels, gate._known_ids))
    assert "example.org" not in held
    assert "x.org" not in repr([names._today for names in gate._names.values()])


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.decimals()
    | st.sampled_from(EndReason),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
METADATA = st.dictionaries(
    st.sampled_from(sorted({name for keys in METADATA_KEYS.values() for name in keys}))
    | st.text()
    | st.integers(),
    ANYTHING,
    max_size=8,
)


@given(st.sampled_from(EventType), METADATA, ANYTHING, ANYTHING, ANYTHING)
def test_whatever_is_observed_is_refused_or_fit_to_be_stored(
    event_type: EventType,
    metadata: dict[Any, Any],
    user_id: object,
    conversation_id: object,
    timestamp: object,
) -> None:
    gate = admission()
    for at in (NOW, timestamp):
        event = gate.admit(
            observation(
                event_type,
                metadata,
                user_id=user_id,
                timestamp=at,
                conversation_id=conversation_id,
            )
        )
        if isinstance(event, AnalyticsEvent):
            assert event.metadata.keys() <= METADATA_KEYS[event_type].keys()
            assert [decode_metadata(text) for text in encode_metadata([event.metadata])] == [
                event.metadata
            ]
            assert len(event.user_id.encode()) <= 256
            assert all(
                abs(value) < 2**63
                for value in event.metadata.values()
                if not isinstance(value, str)
            )
        else:
            assert event in Refusal


class Number(IntEnum):
    ONE = 1


class Text(StrEnum):
    A = "a"


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, 1, 7, -1, 10**12, 10**12 + 1, 2**70, 0.0, 0.5, 1.0, 12.34567, -0.1),
        *(
            math.nan,
            math.inf,
            -math.inf,
            1e300,
            1000,
            4999,
            5000,
            Decimal("1.5"),
            Number.ONE,
        ),
        *(
            "",
            " ",
            "track-order",
            "a@b.example",
            "completed",
            EndReason.CLOSED,
            "x" * 300,
            b"x",
            [],
        ),
    ]
)
IDS = st.sampled_from(["user-1", "user-2", "", None, 5, True, "x" * 300, "a\x00b", Text.A])
OBSERVATIONS = st.lists(
    st.builds(
        observation,
        st.sampled_from([*EventType, "MESSAGE_SENT"]),
        st.dictionaries(
            st.sampled_from(sorted({name for keys in METADATA_KEYS.values() for name in keys})),
            VALUES,
            max_size=4,
        ),
        user_id=st.just("user-1") | IDS,
        timestamp=st.just(NOW) | st.sampled_from([NOW + 1, NOW + DAY_MS, 0, True, float(NOW)]),
        conversation_id=st.none() | IDS,
        connection_id=st.just("c-1") | IDS,
    ),
    max_size=12,
)


def told(event: AnalyticsEvent | Refusal) -> Any:
    if isinstance(event, Refusal):
        return event
    metadata = {name: (type(value), value) for name, value in event.metadata.items()}
    ids = (event.user_id, event.conversation_id, event.connection_id)
    return event.event_type, event.timestamp, metadata, ids, tuple(map(type, ids))


@given(st.lists(OBSERVATIONS, max_size=3))
def test_the_usual_are_admitted_together_as_they_are_alone(
    slices: list[list[Observation]],
) -> None:
    alone, together = admission(), admission()
    for seen in slices:
        copies = [
            observation(
                one.event_type,
                dict(one.metadata),
                user_id=one.user_id,
                timestamp=one.timestamp,
                conversation_id=one.conversation_id,
                connection_id=one.connection_id,
            )
            for one in seen
        ]
        expected = [alone.admit(one) for one in copies]
        events, refusals = together.admit_all(seen)
        assert list(map(told, events)) == [told(one) for one in expected if one not in refusals]
        assert refusals == [one for one in expected if isinstance(one, Refusal)]
        assert [event.sequence for event in events] == [
            one.sequence for one in expected if not isinstance(one, Refusal)
        ]
        assert alone.skipped == together.skipped


def test_the_usual_and_the_unusual_are_numbered_in_their_order() -> None:
    """Ids of one millisecond sort as their observations came."""
    gate = admission()
    shipped = {"command_name": "ship", "success": True}
    gate.admit(observation(metadata=dict(shipped)))

    events, refusals = gate.admit_all(
        [
            observation(metadata=dict(shipped)),
            observation(metadata={"command_name": "new", "success": True}),
            observation(EventType.ERROR_OCCURRED, metadata={"error_type": "Broken"}),
            observation(metadata=dict(shipped)),
        ]
    )

    assert [event.metadata.get("command_name") for event in events] == ["ship", "new", None, "ship"]
    assert [event.event_id for event in events] == sorted(event.event_id for event in events)
    assert [event.sequence for event in events] == [2, 3, 4, 5]
    assert refusals == []
