"""The lifetime rows of error patterns: counts, earliest messages, and whom they list."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from ..aggregation import MAX_PATTERN_USERS, Deltas, PatternDelta
from ..periods import DAY_MS
from ._dynamodb_client import DynamoDBClient
from ._dynamodb_items import PATTERN_FIRST, PATTERN_LAST, Item, number, text, users_of
from ._dynamodb_keys import pattern_key, split_pattern
from ._dynamodb_rows import raise_time
from ._dynamodb_table import TTL
from ._dynamodb_updates import Update

__all__ = ["PATTERN_DAYS", "ListedUsers", "PatternRow"]

PATTERN_DAYS = 400
"""How many days the lifetime row of an error pattern outlives its last occurrence."""


class PatternRow:
    """The lifetime row of one error pattern.

    It lists the first `MAX_PATTERN_USERS` affected users in order, whoever came first: a user is
    added who belongs among them, and those who are pushed out are removed afterwards. That is
    never wrong, since so many others are before them for good.

    Args:
        dimension: which pattern.
        listed: whom patterns are known to list.
    """

    def __init__(self, dimension: str, listed: ListedUsers) -> None:
        self._dimension = dimension
        self._listed = listed
        self._new: list[str] = []

    @property
    def returned(self) -> str:
        return "ALL_NEW" if self._new else "NONE"

    def update(self, deltas: Deltas, found: Item | None) -> Update | None:
        delta: PatternDelta | None = deltas.patterns.get(self._dimension)
        if delta is None:
            return None
        if found is not None:
            self._listed.learn(self._dimension, users_of(found))
        self._new = self._listed.new(self._dimension, delta.users)
        return self._adding(delta, found)

    def written(self, client: DynamoDBClient, item: Item | None) -> None:
        if item is None:
            return
        users = users_of(item)
        self._listed.learn(self._dimension, users)
        if len(users) > MAX_PATTERN_USERS:
            update = Update(pattern_key(self._dimension))
            update.delete("affectedUsers", {"SS": users[MAX_PATTERN_USERS:]})
            client.call("UpdateItem", update.request(client.table))

    def _adding(self, delta: PatternDelta, found: Item | None) -> Update:
        update = Update(pattern_key(self._dimension))
        update.set("errorType", text(split_pattern(self._dimension)[1]))
        update.add("count", number(delta.count))
        if raise_time(update, PATTERN_LAST, delta.last, found):
            update.set(TTL, number((delta.last + PATTERN_DAYS * DAY_MS) // 1000))
        _earliest_message(update, delta, found)
        if self._new:
            update.add("affectedUsers", {"SS": self._new})
        return update


class ListedUsers:
    """Which users error patterns are known to list; thread-safe."""

    _LIMIT = 4_096
    """Patterns, at up to 10 KB each if each lists users of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listed: dict[str, tuple[str, ...]] = {}

    def learn(self, dimension: str, users: Sequence[str]) -> None:
        """Remember whom a pattern lists, sorted."""
        with self._lock:
            if len(self._listed) >= self._LIMIT:
                self._listed.clear()
            self._listed[dimension] = tuple(users[:MAX_PATTERN_USERS])

    def new(self, dimension: str, users: Collection[str]) -> list[str]:
        """Return which users a pattern may have to list and is not known to."""
        with self._lock:
            listed = self._listed.get(dimension, ())
        if len(listed) == MAX_PATTERN_USERS:
            users = [user for user in users if user < listed[-1]]
        return sorted(set(users).difference(listed))


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
