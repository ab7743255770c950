"""What a batch changes in one row, as one conditional update.

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
from typing import Protocol

from ..aggregation import Deltas
from ..rollups import RollupKey, RollupKind
from ._dynamodb_client import DynamoDBClient
from ._dynamodb_counters import counter_values
from ._dynamodb_items import (
    FIRST,
    Item,
    last_of,
    number,
    text,
)
from ._dynamodb_keys import INDEXED_KINDS, rollup_key, stats_key
from ._dynamodb_table import STATS_PARTITION_KEY, STATS_SORT_KEY, TTL
from ._dynamodb_updates import Update

__all__ = [
    "RollupRow",
    "Row",
    "guard",
    "lower_time",
    "marked_up_to",
    "marks_name",
    "raise_time",
]

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


class Row(Protocol):
    """A row that batches add to."""

    @property
    def returned(self) -> str:
        """What a successful update is to bring."""
        ...

    def update(self, deltas: Deltas, found: Item | None) -> Update | None:
        """Return the update that adds to it; None if there is nothing to add.

        Args:
            deltas: what to add.
            found: the row as a refusal brought it; None before that.
        """
        ...

    def written(self, client: DynamoDBClient, item: Item | None) -> None:
        """Take note of a successful update, and of what it brought."""
        ...


class RollupRow:
    """The rollup of one period.

    Args:
        key: which rollup.
        shards: among how many shards `StatsIndex` spreads what it spreads.
        expires: when the row may be deleted, epoch seconds.
    """

    returned = "NONE"

    def __init__(self, key: RollupKey, *, shards: int, expires: int) -> None:
        self._key = key
        self._shards = shards
        self._expires = expires

    def update(self, deltas: Deltas, found: Item | None) -> Update | None:
        rollup = deltas.rollups.get(self._key)
        if rollup is None:
            return None
        update = Update(rollup_key(self._key))
        update.set(TTL, number(self._expires))
        if self._key.kind in INDEXED_KINDS:
            partition, sort = stats_key(self._key, self._shards)
            update.set(STATS_PARTITION_KEY, text(partition))
            update.set(STATS_SORT_KEY, text(sort))
        if self._key.kind in _SUBJECTS:
            update.set(_SUBJECTS[self._key.kind], text(self._key.dimension))
        for attribute, value in counter_values(self._key.kind, rollup.counters).items():
            update.add(attribute, value)
        if rollup.first:
            lower_time(update, FIRST, rollup.first, found)
            raise_time(update, last_of(self._key.kind), rollup.last, found)
        return update

    def written(self, client: DynamoDBClient, item: Item | None) -> None:
        pass


def raise_time(update: Update, attribute: str, value: int, row: Item | None) -> bool:
    """Raise a time to at least a value; return whether it is set at all."""
    if _stored(row, attribute, value) > value:
        return False  # and it only rises
    update.set(attribute, number(value))
    update.require_absent_or(attribute, [(attribute, "<=", number(value))])
    return True


def lower_time(update: Update, attribute: str, value: int, row: Item | None) -> None:
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
