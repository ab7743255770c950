"""What the items of the DynamoDB table hold, as the API's own typed values; pure functions.

Events, commands and error patterns keep the attributes of the original table. Which counter is in
which attribute of a rollup is said in `_dynamodb_counters.py`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..distinct import EXACT_BELOW, Distinct
from ..encoding import from_stored_names, to_stored_names
from ..events import ALL_METADATA_KEYS, AnalyticsEvent, EventType, MetadataValue, ValueKind
from ..periods import day_of, hour_of
from ..rollups import Pattern, Rollup, RollupKind
from ._dynamodb_counters import counters_of
from ._dynamodb_keys import (
    date_partition,
    event_key,
    event_position,
    id_of,
    shard_of,
    type_partition,
)
from ._dynamodb_table import DATE_KEY, EVENT_SORT_KEY, PARTITION_KEY, SORT_KEY, TTL, TYPE_KEY

__all__ = [
    "FIRST",
    "HASHES",
    "INCOMPLETE",
    "PAIRS",
    "PATTERN_FIRST",
    "PATTERN_LAST",
    "Item",
    "complete_hashes",
    "distinct_of",
    "event_item",
    "event_of",
    "has_expired",
    "hashes_of",
    "last_of",
    "number",
    "pairs_of",
    "pattern_of",
    "rollup_of",
    "size_of",
    "stored_hashes",
    "stored_pairs",
    "text",
    "users_of",
]

Item = dict[str, Any]
"""Attributes by name, each as the API has it: `{"S": "text"}`, `{"N": "12"}`, …

Binary ones are given as bytes and come back as base64 text.
"""

FIRST = "first"
PATTERN_FIRST = "firstOccurrence"
PATTERN_LAST = "lastOccurrence"
HASHES = "hashes"
INCOMPLETE = "incomplete"
"""Says that the set of hashes is not everybody, however small: a sketch was merged in."""

PAIRS = "registers"

FLOATS = "floats"
"""The own keys of an event whose values are whole numbers that were floats: 1.0, not 1."""

_HASH_BYTES = 6
_RANKS = 64
"""A pair of a register and its rank is kept as one number: register × 64 + rank."""

_FLOATS = frozenset({ValueKind.DURATION, ValueKind.RATIO, ValueKind.AMOUNT})
_FLOAT_NAMES = frozenset(key.name for key in ALL_METADATA_KEYS.values() if key.kind in _FLOATS)


def text(value: str) -> dict[str, str]:
    """Return a text as the API has it."""
    return {"S": value}


def number(value: int) -> dict[str, str]:
    """Return an integer as the API has it."""
    return {"N": str(value)}


def size_of(item: Item) -> int:
    """Return how many bytes an event's item takes, by DynamoDB's rules for texts and numbers."""
    return sum(len(name.encode()) + _size_of_value(value) for name, value in item.items())


def _size_of_value(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        # Two digits a byte and one for the sign and the exponent, about.
        return (len(content.strip("-0.")) + 1) // 2 + 1
    if kind in ("SS", "NS", "BS"):
        return 3 + sum(1 + len(member) for member in content)
    if kind == "M":
        members = content.items()
        return 3 + sum(1 + len(name.encode()) + _size_of_value(v) for name, v in members)
    return 1


def has_expired(item: Item, now_ms: int) -> bool:
    """Say whether an item is past its retention."""
    expires = item.get(TTL)
    return expires is not None and int(expires["N"]) * 1000 <= now_ms


def event_item(event: AnalyticsEvent, *, shards: int, expires: int) -> Item:
    """Return the item of an event.

    Args:
        event: the event.
        shards: among how many shards of a day the indexes spread events.
        expires: when it may be deleted, epoch seconds.
    """
    partition, sort = event_key(event)
    day = day_of(event.timestamp)
    shard = shard_of(event.event_id, shards)
    item: Item = {
        PARTITION_KEY: text(partition),
        SORT_KEY: text(sort),
        DATE_KEY: text(date_partition(day, shard)),
        TYPE_KEY: text(type_partition(event.event_type, day, shard)),
        EVENT_SORT_KEY: text(event_position(event.timestamp, event.event_id)),
        "userId": text(event.user_id),
        "eventType": text(event.event_type.value),
        "timestamp": number(event.timestamp),
        "date": text(day),
        "hour": text(hour_of(event.timestamp)),
        "metadata": {"M": {name: _value(v) for name, v in to_stored_names(event.metadata).items()}},
        TTL: number(expires),
        "writer": text(event.writer),
        "seq": number(event.sequence),
    }
    if event.conversation_id is not None:
        item["conversationId"] = text(event.conversation_id)
    if event.connection_id is not None:
        item["connectionId"] = text(event.connection_id)
    floats = [
        name
        for name, value in event.metadata.items()
        if isinstance(value, float) and value.is_integer() and name not in ALL_METADATA_KEYS
    ]
    if floats:
        item[FLOATS] = {"SS": floats}
    return item


def event_of(item: Item) -> AnalyticsEvent:
    """Return the event of an item."""
    conversation, connection = item.get("conversationId"), item.get("connectionId")
    metadata = from_stored_names(item["metadata"]["M"])
    floats = _FLOAT_NAMES.union(item.get(FLOATS, {}).get("SS", ()))
    return AnalyticsEvent(
        event_id=id_of(item[EVENT_SORT_KEY]["S"]),
        event_type=EventType(item["eventType"]["S"]),
        user_id=item["userId"]["S"],
        timestamp=int(item["timestamp"]["N"]),
        conversation_id=conversation["S"] if conversation else None,
        connection_id=connection["S"] if connection else None,
        metadata={name: _value_of(value, name in floats) for name, value in metadata.items()},
        writer=item["writer"]["S"],
        sequence=int(item["seq"]["N"]),
    )


def _value(value: MetadataValue) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": repr(value)}


def _value_of(value: Mapping[str, Any], is_float: bool) -> MetadataValue:
    ((kind, content),) = value.items()
    if kind == "N":
        # The table knows one kind of number; what is no whole one, or never meant as one, is not.
        if is_float or not content.lstrip("-").isdigit():
            return float(content)
        return int(content)
    plain: MetadataValue = content
    return plain


def last_of(kind: RollupKind) -> str:
    """Return the attribute of a rollup's last event's time."""
    return "lastExecuted" if kind is RollupKind.COMMAND else "last"


def rollup_of(kind: RollupKind, item: Item) -> Rollup:
    """Return the rollup of an item, or of its row in `StatsIndex`, which has headlines only."""
    return Rollup(counters_of(kind, item), _time(item, FIRST), _time(item, last_of(kind)))


def _time(item: Item, attribute: str) -> int:
    value = item.get(attribute)
    return 0 if value is None else int(value["N"])


def pattern_of(dimension: str, item: Item) -> Pattern:
    """Return the error pattern of its lifetime row."""
    return Pattern(
        dimension,
        item["errorType"]["S"],
        item["errorMessage"]["S"],
        int(item["count"]["N"]),
        _time(item, PATTERN_FIRST),
        _time(item, PATTERN_LAST),
        users_of(item),
    )


def users_of(item: Item) -> tuple[str, ...]:
    """Return all users that a row lists as affected, sorted; a set, or the original's list."""
    value = item.get("affectedUsers")
    if value is None:
        return ()
    if "SS" in value:
        return tuple(sorted(value["SS"]))
    return tuple(sorted({entry["S"] for entry in value.get("L", ()) if "S" in entry}))


def hashes_of(hashes: Iterable[int]) -> dict[str, list[bytes]]:
    """Return hashes of users as the API has a set of them."""
    return {"BS": [user.to_bytes(_HASH_BYTES, "big") for user in sorted(hashes)]}


def pairs_of(pairs: Iterable[tuple[int, int]]) -> dict[str, list[str]]:
    """Return registers and their ranks as the API has a set of them."""
    return {"NS": [str(register * _RANKS + rank) for register, rank in pairs]}


def stored_hashes(item: Item) -> set[int]:
    """Return the hashes of an item with distinct users."""
    return {int.from_bytes(b64decode(user), "big") for user in item.get(HASHES, {}).get("BS", ())}


def complete_hashes(item: Item) -> set[int] | None:
    """Return the hashes of an item with distinct users; None if they are not all users."""
    hashes = stored_hashes(item)
    return None if INCOMPLETE in item or len(hashes) >= EXACT_BELOW else hashes


def stored_pairs(item: Item) -> Iterator[tuple[int, int]]:
    """Yield the registers of an item with distinct users and ranks they were raised to."""
    for pair in item.get(PAIRS, {}).get("NS", ()):
        yield divmod(int(pair), _RANKS)


def distinct_of(item: Item) -> Distinct:
    """Return the distinct users of an item: exact while its set of hashes is small enough."""
    hashes = complete_hashes(item)
    return Distinct.of_registers(stored_pairs(item)) if hashes is None else Distinct.of(hashes)
