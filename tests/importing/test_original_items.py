"""What the items of an original copilot's table say, and what they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from copilot_analytics.events import EventType
from copilot_analytics.importing._original_items import (
    CommandRow,
    ItemError,
    command_row,
    error_row,
    observation_of,
    plain,
)
from copilot_analytics.store_samples import NOW_MS

from .original import typed


def test_typed_values_become_plain_ones() -> None:
    """Whatever DynamoDB may hold; what is neither text, number nor a collection is None."""
    value = {"a": [1, 2.5, "x", True, None], "b": {"c": -3}}
    assert plain(typed(value)) == value
    assert plain({"SS": ["a"]}) == ["a"]
    assert plain({"NS": ["1", "2.5"]}) == [1, 2.5]
    assert plain({"B": "AAEC"}) is None


def test_keys_say_what_attributes_do_not() -> None:
    """Also of a user with the separator in their id."""
    found = observation_of("EVENT#MESSAGE_SENT", f"a#b#{NOW_MS}#r1", {})
    assert found.event_type is EventType.MESSAGE_SENT
    assert (found.user_id, found.timestamp, found.metadata) == ("a#b", NOW_MS, {})
    row = command_row("COMMAND#a#b", "STATS#2025-11-25", {"successfulExecutions": 2})
    assert row == CommandRow(
        name="a#b",
        day="2025-11-25",
        executions=2,
        successes=2,
        failures=0,
        execution_us=0,
        last=None,
    )


def test_old_names_of_metadata_are_mapped() -> None:
    """Unless the item has today's too."""
    metadata = {"executionTime": 5, "commandName": "x", "tokensUsed": 3, "whatever": 1}
    found = observation_of("EVENT#ACTION_EXECUTED", f"u#{NOW_MS}#r", {"metadata": metadata})
    assert found.metadata == {
        "execution_ms": 5,
        "command_name": "x",
        "token_count": 3,
        "whatever": 1,
    }
    both = {"metadata": {"executionMs": 7, "executionTime": 5}}
    found = observation_of("EVENT#ACTION_EXECUTED", f"u#{NOW_MS}#r", both)
    assert found.metadata == {"execution_ms": 7}


def test_an_error_of_one_time_has_it_twice() -> None:
    """And ends that are the wrong way round are put right."""
    one = error_row("ERROR#E", "PATTERN#h", {"count": 1, "firstOccurrence": NOW_MS})
    assert (one.error_type, one.message, one.first, one.last) == ("E", "", NOW_MS, NOW_MS)
    times = {"firstOccurrence": NOW_MS, "lastOccurrence": 5}
    turned = error_row("ERROR#E", "PATTERN#h", {"count": 1.0, **times, "affectedUsers": ["", 3]})
    assert (turned.first, turned.last, turned.users) == (5, NOW_MS, ())


@pytest.mark.parametrize(
    ("sk", "metadata", "reason"),
    [
        ("u#x#r", None, "bad_time"),
        ("alone", None, "bad_time"),
        (f"u#{NOW_MS}#r", "{", "bad_metadata"),
        (f"u#{NOW_MS}#r", "[1]", "bad_metadata"),
        (f"u#{NOW_MS}#r", 3, "bad_metadata"),
    ],
)
def test_an_event_that_says_nothing_is_none(sk: str, metadata: object, reason: str) -> None:
    with pytest.raises(ItemError) as raised:
        observation_of("EVENT#MESSAGE_SENT", sk, {"metadata": metadata})
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("sk", "item"),
    [
        ("STATS#2025-11-25", {"totalExecutions": -1}),
        ("STATS#2025-11-25", {"totalExecutions": 1.5}),
        ("STATS#2025-11-25", {"failedExecutions": "many"}),
        ("STATS#2025-11-25", {"failedExecutions": True}),
        ("STATS#2025-11-25", {"totalExecutions": 10**13}),
        ("STATS#2025-11-25", {"totalExecutionTime": "long"}),
        ("STATS#2025-11-25", {"totalExecutionTime": -1}),
        ("STATS#2025-11-25", {"totalExecutionTime": float("nan")}),
        ("STATS#2025-11-25", {"commandName": " "}),
        ("STATS#20251125", {}),
        ("2025-11-25", {}),
    ],
)
def test_a_row_that_counts_nothing_is_none(sk: str, item: dict[str, Any]) -> None:
    with pytest.raises(ItemError, match="bad_command_row"):
        command_row("COMMAND#x", sk, item)


@pytest.mark.parametrize(
    ("sk", "item"),
    [
        ("PATTERN#h", {"count": 1}),
        ("PATTERN#h", {"count": 0, "firstOccurrence": 5}),
        ("PATTERN#h", {"count": "x", "firstOccurrence": 5}),
        ("PATTERN#h", {"count": 1, "firstOccurrence": 5, "errorType": 3}),
        ("STATS#2025-11-25", {"count": 1, "firstOccurrence": 5}),
    ],
)
def test_an_error_that_says_nothing_is_none(sk: str, item: dict[str, Any]) -> None:
    with pytest.raises(ItemError, match="bad_error_row"):
        error_row("ERROR#E", sk, item)
