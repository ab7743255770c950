from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.periods import DateRange
from copilot_analytics.rollups import RollupKey, RollupKind
from copilot_analytics.store_samples import HOSTILE_NAMES, NOW_MS, event, numbered
from copilot_analytics.stores._dynamodb_keys import (
    erased_key,
    erased_rollup,
    escaped,
    event_bounds,
    event_key,
    event_position,
    id_of,
    months_of,
    parts_of,
    pattern_key,
    rollup_key,
    shard_of,
    sketch_key,
    stats_bounds,
    stats_dimension,
    stats_key,
    stats_partitions,
    user_bounds,
    user_prefix,
)

names = st.one_of(st.sampled_from(HOSTILE_NAMES), st.text("#%23$5ab:", min_size=1, max_size=6))
dimensions = st.builds("{}:{}".format, st.text("1-f#%", min_size=1, max_size=4), names)
times = st.integers(0, 9_999_999_999_999)
ids = st.text("09AZ", max_size=4)


def _keys(kind: RollupKind) -> st.SearchStrategy[RollupKey]:
    named = dimensions if kind is RollupKind.PATTERN else names
    return st.builds(RollupKey, st.just(kind), named, st.just("2025-11-25"))


keys = st.sampled_from([kind for kind in RollupKind if kind is not RollupKind.ACTIVITY]).flatmap(
    _keys
)


@given(st.lists(names, min_size=1, max_size=4))
def test_parts_come_back_as_they_were(parts: list[str]) -> None:
    assert parts_of("#".join(map(escaped, parts))) == parts


@given(names)
def test_an_escaped_part_holds_no_separator(name: str) -> None:
    assert "#" not in escaped(name)


@given(keys, keys)
@settings(max_examples=200)
def test_no_two_rollups_share_an_item(one: RollupKey, other: RollupKey) -> None:
    """Nor a sketch, a row of the index or a note, whatever their names are made of."""
    for place in (rollup_key, sketch_key, erased_key, lambda key: stats_key(key, 4)):
        assert (place(one) == place(other)) is (one == other)
    assert erased_rollup(erased_key(one)[1]) == one
    assert stats_dimension(stats_key(one, 4)[1]) == one.dimension
    assert rollup_key(one) != pattern_key(one.dimension)


def _event(user_id: str, timestamp: int, event_id: str) -> AnalyticsEvent:
    (one,) = numbered([event(EventType.MESSAGE_SENT, user_id, timestamp)])
    return AnalyticsEvent(
        event_id,
        one.event_type,
        one.user_id,
        one.timestamp,
        one.conversation_id,
        one.connection_id,
        one.metadata,
        one.writer,
        one.sequence,
    )


@given(names, names, times, ids)
def test_a_user_s_bounds_hold_their_own_events_alone(
    user: str, other: str, timestamp: int, event_id: str
) -> None:
    _, sort = event_key(_event(user, timestamp, event_id))
    low, high = user_bounds(other)
    assert (low <= sort <= high) is (user == other)
    assert sort.startswith(user_prefix(other)) is (user == other)


@given(times, ids, times, ids)
def test_positions_sort_as_events_do(one: int, one_id: str, other: int, other_id: str) -> None:
    first, second = event_position(one, one_id), event_position(other, other_id)
    assert (first < second) is ((one, one_id) < (other, other_id))
    assert id_of(first) == one_id


@given(times, times, times, ids)
def test_bounds_hold_the_events_of_a_span(start: int, end: int, at: int, event_id: str) -> None:
    low, high = event_bounds(start, end)
    assert (low <= event_position(at, event_id) <= high) is (start <= at <= end)


def test_the_keys_of_the_format() -> None:
    """They are stored for years: none may ever change."""
    assert event_key(_event("a#b", NOW_MS, "01")) == (
        "EVENT#MESSAGE_SENT",
        "a%23b#1764072000000#01",
    )
    day = "2025-11-25"
    expected = {
        RollupKey(RollupKind.ACTIVITY, "all", day): ("ACTIVITY#all", f"STATS#{day}"),
        RollupKey(RollupKind.ACTIVITY, "all", f"{day}T09"): ("ACTIVITY#all", f"HOUR#{day}T09"),
        RollupKey(RollupKind.COMMAND, "a%", day): ("COMMAND#a%25", f"STATS#{day}"),
        RollupKey(RollupKind.INTENT, "find", day): ("INTENT#find", f"STATS#{day}"),
        RollupKey(RollupKind.USER, "ada", day): ("USER#ada", f"STATS#{day}"),
        RollupKey(RollupKind.ERROR, "E", day): ("ERROR#E", f"STATS#{day}"),
        RollupKey(RollupKind.PATTERN, "1-f:E:2", day): ("ERROR#E:2", f"PATTERN#1-f#{day}"),
    }
    assert {key: rollup_key(key) for key in expected} == expected
    assert pattern_key("1-f:E:2") == ("ERROR#E:2", "PATTERN#1-f")
    command = RollupKey(RollupKind.COMMAND, "a#b", day)
    assert stats_key(command, 4) == ("command#2025-11", f"{day}#a%23b")
    assert stats_key(RollupKey(RollupKind.USER, "ada", day), 4) == (
        "user#2025-11#0",
        f"{day}#ada",
    )
    assert sketch_key(command) == ("SKETCH#command#a%23b", day)
    assert [shard_of(f"user-{n}", 4) for n in range(6)] == [2, 0, 2, 0, 3, 1]


def test_partitions_of_a_range_are_its_months_and_shards() -> None:
    days = DateRange(dt.date(2025, 12, 31), dt.date(2026, 1, 1))
    assert list(months_of(days)) == ["2025-12", "2026-01"]
    assert stats_partitions(RollupKind.ERROR, days, 2) == ["error#2025-12", "error#2026-01"]
    assert stats_partitions(RollupKind.USER, days, 2) == [
        "user#2025-12#0",
        "user#2025-12#1",
        "user#2026-01#0",
        "user#2026-01#1",
    ]
    low, high = stats_bounds(days)
    inside = ("2025-12-31#a", "2026-01-01#\N{ROCKET}")
    outside = ("2025-12-30#a", "2026-01-02#a")
    assert all(low <= key <= high for key in inside)
    assert not any(low <= key <= high for key in outside)
