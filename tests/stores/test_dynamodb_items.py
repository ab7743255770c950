from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.distinct import EXACT_BELOW, Distinct, register_and_rank
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.rollups import HEADLINES, Rollup, RollupKind
from copilot_analytics.store_samples import HOSTILE_NAMES, NOW_MS, numbered, sample_events
from copilot_analytics.stores._dynamodb_counters import (
    COLUMNS,
    attribute_of,
    counter_of,
    counter_values,
)
from copilot_analytics.stores._dynamodb_items import (
    Item,
    distinct_of,
    event_item,
    event_of,
    hashes_of,
    pairs_of,
    pattern_of,
    rollup_of,
    size_of,
)
from copilot_analytics.stores._dynamodb_table import PROJECTED

# What a counter may be called: headlines, every family, and what is still to come.
counters = st.one_of(
    st.sampled_from(sorted({name for names in HEADLINES.values() for name in names})),
    st.builds("{}.{}".format, st.sampled_from("xtskc"), st.integers(-177, 467)),
    st.builds(
        "{}.{}".format,
        st.sampled_from(["e", "end", "close", "error", "command"]),
        st.sampled_from(HOSTILE_NAMES),
    ),
    st.sampled_from(["tokens", "ttft_us", "new", "new.family", "n_n", "c1", "count", "h5"]),
)


@given(
    st.sampled_from(list(RollupKind)), st.dictionaries(counters, st.integers(1, 2**60), max_size=9)
)
def test_counters_come_back_from_their_attributes(kind: RollupKind, values: dict[str, int]) -> None:
    item: Item = counter_values(kind, values)
    assert len(item) == len(values)
    assert rollup_of(kind, item) == Rollup(values)


def test_attributes_of_other_things_are_no_counters() -> None:
    others = ("PK", "SK", "ttl", "first", "last", "lastExecuted", "commandName", "userId", "w_aB-_")
    for kind in RollupKind:
        assert not [name for name in others if counter_of(kind, name)]


def test_the_index_holds_every_headline_under_a_name_of_its_own() -> None:
    """But for the activity, which is read from the table."""
    for kind, headlines in HEADLINES.items():
        columns = [attribute_of(kind, counter) for counter in headlines]
        assert len(set(columns)) == len(headlines)
        if kind is not RollupKind.ACTIVITY:
            assert set(columns) <= set(PROJECTED)
            assert COLUMNS[kind].keys() == set(headlines)


def test_a_command_keeps_the_original_s_attributes() -> None:
    counted = {"executions": 3, "successes": 2, "failures": 1, "execution_us": 1_234_567}
    assert counter_values(RollupKind.COMMAND, {**counted, "x.12": 3, "error.a.b": 1}) == {
        "totalExecutions": {"N": "3"},
        "successfulExecutions": {"N": "2"},
        "failedExecutions": {"N": "1"},
        "totalExecutionTime": {"N": "1234.567"},
        "h12": {"N": "3"},
        "error_a.b": {"N": "1"},
    }


def test_an_event_s_item_is_that_of_the_format() -> None:
    (one,) = numbered(
        [
            AnalyticsEvent(
                "",
                EventType.ACTION_EXECUTED,
                "ada#1",
                NOW_MS,
                "talk",
                None,
                {"command_name": "search", "success": True, "execution_ms": 12.0},
                "",
                0,
            )
        ]
    )
    item = event_item(one, shards=1, expires=1_800_000_000)
    assert item == {
        "PK": {"S": "EVENT#ACTION_EXECUTED"},
        "SK": {"S": f"ada%231#{NOW_MS}#{one.event_id}"},
        "dateShard": {"S": "2025-11-25#0"},
        "typeDateShard": {"S": "ACTION_EXECUTED#2025-11-25#0"},
        "timestampId": {"S": f"{NOW_MS}#{one.event_id}"},
        "userId": {"S": "ada#1"},
        "conversationId": {"S": "talk"},
        "eventType": {"S": "ACTION_EXECUTED"},
        "timestamp": {"N": str(NOW_MS)},
        "date": {"S": "2025-11-25"},
        "hour": {"S": "2025-11-25T12"},
        "metadata": {
            "M": {
                "commandName": {"S": "search"},
                "success": {"BOOL": True},
                "executionMs": {"N": "12.0"},
            }
        },
        "ttl": {"N": "1800000000"},
        "writer": {"S": "writer"},
        "seq": {"N": "1"},
    }
    assert event_of(item) == one
    # As DynamoDB returns it: it keeps no trailing zeros.
    item["metadata"]["M"]["executionMs"] = {"N": "12"}
    assert type(event_of(item).metadata["execution_ms"]) is float


def test_events_come_back_and_stay_below_one_kilobyte() -> None:
    """Above it every event would cost three more units."""
    for one in sample_events(60):
        item = event_item(one, shards=4, expires=1_800_000_000)
        assert event_of(item) == one
        assert size_of(item) < 700


@pytest.mark.parametrize("stored", [{"SS": ["bob", "ada"]}, {"L": [{"S": "bob"}, {"S": "ada"}]}])
def test_affected_users_are_a_set_or_the_original_s_list(stored: dict[str, object]) -> None:
    item: Item = {
        "errorType": {"S": "Timeout"},
        "errorMessage": {"S": "no answer"},
        "count": {"N": "2"},
        "firstOccurrence": {"N": "1"},
        "lastOccurrence": {"N": "2"},
        "affectedUsers": stored,
    }
    assert pattern_of("1-f:Timeout", item).users == ("ada", "bob")


@pytest.mark.parametrize("count", [1, EXACT_BELOW - 1, EXACT_BELOW, 2_000])
def test_distinct_users_are_exact_only_while_the_set_is_whole(count: int) -> None:
    users = [number * 141_650_939 for number in range(1, count + 1)]
    kept = hashes_of(users[:EXACT_BELOW])
    pairs = pairs_of(map(register_and_rank, users))
    # Binary values come back as base64 text.
    encoded = {"BS": [base64.b64encode(one).decode() for one in kept["BS"]]}
    assert distinct_of({"hashes": encoded, "registers": pairs}) == Distinct.of(users)


@given(
    st.dictionaries(
        st.sampled_from(["score", "tier", "ratio_of_own"]),
        st.one_of(
            st.integers(-(2**53), 2**53),
            st.integers(-(2**53), 2**53).map(float),
            st.floats(-1e15, 1e15),
            st.booleans(),
            st.text(max_size=5),
        ),
    )
)
def test_own_metadata_comes_back_as_what_it_was(own: dict[str, int | float | bool | str]) -> None:
    """Also whole numbers that were floats: the table knows one kind of number."""
    (event,) = numbered(
        [
            AnalyticsEvent(
                event_id="01JCX0000000000000000000AA",
                event_type=EventType.MESSAGE_SENT,
                user_id="ada",
                timestamp=NOW_MS,
                conversation_id=None,
                connection_id=None,
                metadata={"message_length": 3, **own},
                writer="",
                sequence=0,
            )
        ]
    )
    item = event_item(event, shards=1, expires=0)
    found = event_of(item).metadata

    assert found == event.metadata
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in event.metadata.items()
    }
