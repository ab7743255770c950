from __future__ import annotations

import re

import pytest

from copilot_analytics.events import (
    ALL_METADATA_KEYS,
    METADATA_KEYS,
    AnalyticsEvent,
    EndReason,
    EventType,
    MetadataKey,
    Observation,
    ValueKind,
)


def test_there_are_fourteen_types_whose_values_are_their_names() -> None:
    assert len(EventType) == 14
    assert all(event_type.value == event_type.name for event_type in EventType)
    assert set(METADATA_KEYS) == set(EventType)


@pytest.mark.parametrize("event_type", EventType)
def test_keys_are_snake_case_and_stored_in_camel_case(event_type: EventType) -> None:
    for name, key in METADATA_KEYS[event_type].items():
        assert key.name == name
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", key.stored) == name
        assert key.meaning.endswith(".")


def test_a_name_has_one_kind_and_one_stored_name_in_every_event() -> None:
    kinds: dict[str, set[tuple[ValueKind, str]]] = {}
    for keys in METADATA_KEYS.values():
        for name, key in keys.items():
            kinds.setdefault(name, set()).add((key.kind, key.stored))
    assert all(len(each) == 1 for each in kinds.values())
    assert kinds.keys() == ALL_METADATA_KEYS.keys()
    assert len({key.stored for key in ALL_METADATA_KEYS.values()}) == len(ALL_METADATA_KEYS)


def test_no_key_takes_the_text_of_a_message() -> None:
    texts = [key.name for key in ALL_METADATA_KEYS.values() if key.kind is ValueKind.TEXT]
    assert texts == ["error_message"]


@pytest.mark.parametrize(
    ("event_type", "names"),
    [
        (EventType.MESSAGE_SENT, {"message_length", "message_bytes"}),
        (EventType.INTENT_CLASSIFIED, {"intent", "confidence", "classification_ms", "model"}),
        (EventType.ACTION_EXECUTED, {"command_name", "success", "execution_ms"}),
        (EventType.ACTION_FAILED, {"command_name", "error_type", "error_message", "fingerprint"}),
        (EventType.STREAMING_COMPLETED, {"ttft_ms", "duration_ms", "token_count", "end_reason"}),
        (EventType.MULTI_STEP_FAILED, {"steps_total", "steps_completed", "step_number"}),
        (EventType.WEBSOCKET_DISCONNECTED, {"close_code", "connection_ms", "messages"}),
    ],
)
def test_documented_keys(event_type: EventType, names: set[str]) -> None:
    assert names | {"variant"} <= METADATA_KEYS[event_type].keys()


def test_tables_and_events_cannot_be_changed() -> None:
    tables: list[dict[object, object]] = [
        METADATA_KEYS,  # type: ignore[list-item]
        METADATA_KEYS[EventType.MESSAGE_SENT],  # type: ignore[list-item]
        ALL_METADATA_KEYS,  # type: ignore[list-item]
    ]
    for table in tables:
        with pytest.raises(TypeError):
            table["message_text"] = MetadataKey("a", "a", ValueKind.TEXT, "")
    event = AnalyticsEvent("id", EventType.MESSAGE_SENT, "u", 1, None, None, {}, "w", 1)
    with pytest.raises(AttributeError):
        event.user_id = "v"  # type: ignore[misc]


def test_observations_do_not_share_their_metadata() -> None:
    first, second = (Observation(EventType.MESSAGE_SENT, "u", 1) for _ in range(2))
    first.metadata["message_length"] = 1
    assert second.metadata == {}


def test_end_reasons_are_stable() -> None:
    assert [reason.value for reason in EndReason] == [
        "completed",
        "interrupted",
        "superseded",
        "error",
        "closed",
        "cancelled",
        "max_tokens",
        "content_filter",
    ]
