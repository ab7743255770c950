"""The keys of every item in the DynamoDB table: pure functions, the only place that makes them.

A key is parts joined by `#`. What users and applications name is escaped, so that no name can
reach into another's items; what this project names (types, days, hours, numbers) needs none.
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

from ..events import AnalyticsEvent, EventType
from ..periods import DateRange
from ..rollups import RollupKey, RollupKind

__all__ = [
    "ACTIVITY_PK",
    "DAY_PREFIX",
    "HOUR_PREFIX",
    "INDEXED_KINDS",
    "SETTINGS_KEY",
    "STATE",
    "Key",
    "date_partition",
    "erased_key",
    "erased_partition",
    "erased_rollup",
    "escaped",
    "event_bounds",
    "event_key",
    "event_partition",
    "event_position",
    "generation_key",
    "id_of",
    "months_of",
    "parts_of",
    "pattern_key",
    "rollup_key",
    "rollup_span",
    "shard_of",
    "sketch_key",
    "split_pattern",
    "stats_bounds",
    "stats_dimension",
    "stats_key",
    "stats_partition",
    "stats_partitions",
    "type_partition",
    "user_bounds",
    "user_partition",
    "user_prefix",
]

Key = tuple[str, str]
"""A partition key and a sort key."""

ACTIVITY_PK = "ACTIVITY#all"
DAY_PREFIX = "STATS#"
HOUR_PREFIX = "HOUR#"
STATE = "STATE"
SETTINGS_KEY: Key = ("SETTINGS#all", STATE)

INDEXED_KINDS = frozenset(RollupKind) - {RollupKind.ACTIVITY}
"""The kinds that have rows in `StatsIndex`; there is one activity a day, read from the table."""

_PARTITIONS = {
    RollupKind.COMMAND: "COMMAND#",
    RollupKind.INTENT: "INTENT#",
    RollupKind.ERROR: "ERROR#",
    RollupKind.PATTERN: "ERROR#",
    RollupKind.USER: "USER#",
}

_AFTER = "$"
"""The sign that follows `#`: ends a range of keys with parts of their own."""

_TIME_DIGITS = 13
"""Digits of a timestamp in a sort key, so that text sorts as time: until the year 2286."""


def escaped(part: str) -> str:
    """Return a part of a key without `#`: `a#b` becomes `a%23b`, and `%` itself `%25`."""
    return part.replace("%", "%25").replace("#", "%23")


def parts_of(key: str) -> list[str]:
    """Return the parts of a key as they were before they were escaped and joined."""
    return [part.replace("%23", "#").replace("%25", "%") for part in key.split("#")]


def event_partition(event_type: EventType) -> str:
    """Return the partition of all events of a type."""
    return f"EVENT#{event_type.value}"


def user_prefix(user_id: str) -> str:
    """Return how the sort keys of a user's events, and nobody else's, start."""
    return f"{escaped(user_id)}#"


def user_bounds(user_id: str) -> tuple[str, str]:
    """Return sort keys between which all events of a user, and nobody else's, are."""
    part = escaped(user_id)
    return f"{part}#", f"{part}{_AFTER}"


def user_partition(user_id: str) -> str:
    """Return the partition of a user's rollups."""
    return f"{_PARTITIONS[RollupKind.USER]}{escaped(user_id)}"


def event_position(timestamp: int, event_id: str = "") -> str:
    """Return what follows the user in an event's sort key; sorts as (timestamp, event id).

    It ends the key, so the id needs no escape, and the order is that of the ids themselves.
    """
    return f"{timestamp:0{_TIME_DIGITS}}#{event_id}"


def event_bounds(start_ms: int, end_ms: int) -> tuple[str, str]:
    """Return positions between which those of all events of a time are, both ends inclusive."""
    return event_position(max(start_ms, 0)), f"{max(end_ms, 0):0{_TIME_DIGITS}}{_AFTER}"


def id_of(position: str) -> str:
    """Return the event id of a position."""
    return position.partition("#")[2]


def event_key(event: AnalyticsEvent) -> Key:
    """Return the key of an event: its type, then its user, time and id."""
    return (
        event_partition(event.event_type),
        user_prefix(event.user_id) + event_position(event.timestamp, event.event_id),
    )


def shard_of(name: str, shards: int) -> int:
    """Return which of so many shards a name belongs to; the same in every process."""
    return crc32(name.encode("utf-8", "surrogatepass")) % shards


def date_partition(day: str, shard: int) -> str:
    """Return a partition of `DateIndex`: one shard of a day's events."""
    return f"{day}#{shard}"


def type_partition(event_type: EventType, day: str, shard: int) -> str:
    """Return a partition of `EventTypeIndex`: one shard of a day's events of a type."""
    return f"{event_type.value}#{day}#{shard}"


def split_pattern(dimension: str) -> tuple[str, str]:
    """Return the fingerprint and the error type of a pattern's dimension."""
    fingerprint, _, error_type = dimension.partition(":")
    return fingerprint, error_type


def rollup_key(key: RollupKey) -> Key:
    """Return the key of a rollup."""
    if key.kind is RollupKind.ACTIVITY:
        return ACTIVITY_PK, f"{HOUR_PREFIX if 'T' in key.period else DAY_PREFIX}{key.period}"
    if key.kind is RollupKind.PATTERN:
        partition, life = pattern_key(key.dimension)
        return partition, f"{life}#{key.period}"
    return f"{_PARTITIONS[key.kind]}{escaped(key.dimension)}", f"{DAY_PREFIX}{key.period}"


def pattern_key(dimension: str) -> Key:
    """Return the key of an error pattern's lifetime row."""
    fingerprint, error_type = split_pattern(dimension)
    return (
        f"{_PARTITIONS[RollupKind.PATTERN]}{escaped(error_type)}",
        f"PATTERN#{escaped(fingerprint)}",
    )


def sketch_key(key: RollupKey) -> Key:
    """Return the key of the distinct users of a rollup."""
    return f"SKETCH#{key.kind.value}#{escaped(key.dimension)}", key.period


def stats_key(key: RollupKey, shards: int) -> Key:
    """Return where a day's rollup of an indexed kind is in `StatsIndex`."""
    shard = shard_of(key.dimension, shards)
    return (
        stats_partition(key.kind, key.period[:7], shard),
        f"{key.period}#{escaped(key.dimension)}",
    )


def stats_bounds(days: DateRange) -> tuple[str, str]:
    """Return sort keys of `StatsIndex` between which those of some days are."""
    return f"{days.first_day}#", f"{days.last_day}{_AFTER}"


def stats_dimension(sort_key: str) -> str:
    """Return the dimension of a sort key of `StatsIndex`."""
    return parts_of(sort_key)[1]


def stats_partition(kind: RollupKind, month: str, shard: int) -> str:
    """Return a partition of `StatsIndex`: a kind's rollups of a month, of users one shard of them.

    There may be 10,000 users, each with a row that is written with every batch; of everything else
    there are at most 1,000, and one partition takes them.
    """
    if kind is RollupKind.USER:
        return f"{kind.value}#{month}#{shard}"
    return f"{kind.value}#{month}"


def stats_partitions(kind: RollupKind, days: DateRange, shards: int) -> list[str]:
    """Return the partitions of `StatsIndex` that hold a kind's rollups of some days, in order."""
    numbers = range(shards) if kind is RollupKind.USER else range(1)
    return [stats_partition(kind, month, shard) for month in months_of(days) for shard in numbers]


def rollup_span(
    kind: RollupKind, dimension: str, first: str, last: str
) -> tuple[str, tuple[str, str]]:
    """Return the partition and the bounds of one dimension's rollups of some periods."""
    partition, low = rollup_key(RollupKey(kind, dimension, first))
    return partition, (low, rollup_key(RollupKey(kind, dimension, last))[1])


def erased_partition(day: str) -> str:
    """Return the partition of what tells which rollups of a day count events erased since."""
    return f"ERASED#{day}"


def erased_key(key: RollupKey) -> Key:
    """Return the key of what tells that a rollup counts events erased since."""
    sort = f"{key.kind.value}#{escaped(key.dimension)}#{key.period}"
    return erased_partition(key.period[:10]), sort


def erased_rollup(sort_key: str) -> RollupKey:
    """Return which rollup the sort key of an `erased_key` tells of."""
    kind, dimension, period = parts_of(sort_key)
    return RollupKey(RollupKind(kind), dimension, period)


def generation_key(month: str) -> Key:
    """Return the key of the write generations of a month's days."""
    return f"GENERATION#{month}", STATE


def months_of(days: DateRange) -> Iterator[str]:
    """Yield every month, `YYYY-MM`, that a range touches, in order."""
    first, last = (day.year * 12 + day.month - 1 for day in (days.start, days.end))
    for month in range(first, last + 1):
        yield f"{month // 12:04}-{month % 12 + 1:02}"
