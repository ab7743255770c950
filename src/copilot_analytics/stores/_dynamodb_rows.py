"""What a batch changes in one rollup or one error pattern, as one conditional update.

Each update carries everything that a writer's events `first..last` add to the row, on condition
that the row has none of them: `w_<writer>`, the row's mark, is below `first`. It is then set to
`last`. A refusal brings the row as it is, and its mark says how far it has come: after a lost
response, a death between two requests or a replay with other batches, whoever writes the same
events again adds exactly those that are missing.

The times of the first and the last event are conditions of the same update in the usual case, that
the row's are no later and no earlier; where a refusal shows another case, the next update has it.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b

from ..aggregation import PatternDelta
from ..periods import DAY_MS
from ..rollups import Rollup, RollupKey, RollupKind
from ._dynamodb_items import (
    FIRST,
    PATTERN_FIRST,
    PATTERN_LAST,
    Item,
    counter_values,
    last_of,
    number,
    text,
)
from ._dynamodb_keys import INDEXED_KINDS, pattern_key, rollup_key, split_pattern, stats_key
from ._dynamodb_table import STATS_PARTITION_KEY, STATS_SORT_KEY, TTL
from ._dynamodb_updates import Update

__all__ = [
    "PATTERN_DAYS",
    "guard",
    "marked_up_to",
    "marks_name",
    "pattern_update",
    "rollup_update",
]

PATTERN_DAYS = 400
"""How many days the lifetime row of an error pattern outlives its last occurrence."""

_MARK_BYTES = 8
"""Of a hash of the writer's id: every row carries the marks of all writers, and 1 KB is a unit."""

_SUBJECTS = {
    RollupKind.COMMAND: "commandName",
    RollupKind.INTENT: "intent",
    RollupKind.ERROR: "errorType",
    RollupKind.USER: "userId",
}
"""The attribute that names what a rollup is about."""


def marks_name(writer: str) -> str:
    """Return the attribute of a writer's marks: `w_` and 11 characters."""
    digest = blake2b(writer.encode("utf-8", "surrogatepass"), digest_size=_MARK_BYTES).digest()
    return f"w_{urlsafe_b64encode(digest).decode().rstrip('=')}"


def guard(update: Update, mark: str, first: int, last: int) -> None:
    """Let an update add events `first..last` of a writer only where none of them is."""
    update.require_absent_or(mark, [(mark, "<", number(first))])
    update.set(mark, number(last))


def marked_up_to(row: Item, mark: str) -> int | None:
    """Return the number of a writer's last event that a row has; None if it has none."""
    value = row.get(mark)
    return None if value is None else int(value["N"])


def rollup_update(
    key: RollupKey, rollup: Rollup, row: Item | None, *, shards: int, expires: int
) -> Update:
    """Return the update that adds to a rollup; it still needs its `guard`.

    Args:
        key: which rollup.
        rollup: what to add.
        row: the row as a refusal brought it; None before that.
        shards: among how many shards `StatsIndex` spreads what it spreads.
        expires: when the row may be deleted, epoch seconds.
    """
    update = Update(rollup_key(key))
    update.set(TTL, number(expires))
    if key.kind in INDEXED_KINDS:
        partition, sort = stats_key(key, shards)
        update.set(STATS_PARTITION_KEY, text(partition))
        update.set(STATS_SORT_KEY, text(sort))
    if key.kind in _SUBJECTS:
        update.set(_SUBJECTS[key.kind], text(key.dimension))
    for attribute, value in counter_values(key.kind, rollup.counters).items():
        update.add(attribute, value)
    if rollup.first:
        _lower(update, FIRST, rollup.first, row)
        _raise(update, last_of(key.kind), rollup.last, row)
    return update


def pattern_update(
    dimension: str, delta: PatternDelta, row: Item | None, *, users: list[str]
) -> Update:
    """Return the update that adds to a pattern's lifetime row; it still needs its `guard`.

    Args:
        dimension: which pattern.
        delta: what to add.
        row: the row as a refusal brought it; None before that.
        users: those of the delta's users to add.
    """
    update = Update(pattern_key(dimension))
    update.set("errorType", text(split_pattern(dimension)[1]))
    update.add("count", number(delta.count))
    if _raise(update, PATTERN_LAST, delta.last, row):
        update.set(TTL, number((delta.last + PATTERN_DAYS * DAY_MS) // 1000))
    _earliest_message(update, delta, row)
    if users:
        update.add("affectedUsers", {"SS": users})
    return update


def _raise(update: Update, attribute: str, value: int, row: Item | None) -> bool:
    """Raise a time to at least a value; return whether it is set at all."""
    if _stored(row, attribute, value) > value:
        return False  # and it only rises
    update.set(attribute, number(value))
    update.require_absent_or(attribute, [(attribute, "<=", number(value))])
    return True


def _lower(update: Update, attribute: str, value: int, row: Item | None) -> None:
    """Lower a time to at most a value."""
    stored = _stored(row, attribute, value)
    if row is not None and attribute in row and stored <= value:
        return  # and it only falls
    if stored > value:
        update.set(attribute, number(value))
        update.require_absent_or(attribute, [(attribute, ">=", number(value))])
    else:
        update.set_once(attribute, number(value))
        update.require_absent_or(attribute, [(attribute, "<=", number(value))])


def _stored(row: Item | None, attribute: str, default: int) -> int:
    value = row.get(attribute) if row else None
    return default if value is None else int(value["N"])


def _earliest_message(update: Update, delta: PatternDelta, row: Item | None) -> None:
    """Keep the message of the earliest error, of equally early ones the least."""
    first, message = number(delta.first), text(delta.message)
    if row is not None and PATTERN_FIRST in row:
        stored = int(row[PATTERN_FIRST]["N"]), row["errorMessage"]["S"]
        if stored <= (delta.first, delta.message):
            return  # and it only falls
        update.set(PATTERN_FIRST, first)
        update.set("errorMessage", message)
        later, equal = ">", ">="
    else:
        update.set_once(PATTERN_FIRST, first)
        update.set_once("errorMessage", message)
        later, equal = "<", "<="
    update.require_absent_or(
        PATTERN_FIRST,
        [(PATTERN_FIRST, later, first)],
        [(PATTERN_FIRST, "=", first), ("errorMessage", equal, message)],
    )
