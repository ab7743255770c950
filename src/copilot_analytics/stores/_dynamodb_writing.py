"""Writes batches to DynamoDB: events first, then what they add to every row, then generations.

No step is atomic with another, and a write may fail in the middle of any: events are put under
their own keys, rows know how far each writer has come (`_dynamodb_rows.py`), and sets of users
take a member twice as once. So the same events, written again in any batches but in order, complete
what is missing and change nothing that is there.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from ..batch import Batch
from ..errors import StoreUnavailableError
from ..events import AnalyticsEvent
from ..periods import DAY_MS, DateRange, parse_day
from ..rollups import RollupKey
from ._dynamodb_client import DynamoDBClient
from ._dynamodb_errors import ConditionFailed
from ._dynamodb_items import Item, event_item, number, size_of
from ._dynamodb_keys import erased_key, generation_key
from ._dynamodb_patterns import ListedUsers, PatternRow
from ._dynamodb_rows import RollupRow, Row, guard, marked_up_to, marks_name
from ._dynamodb_table import TTL
from ._dynamodb_updates import MAX_CHANGES, Update, item_key
from ._dynamodb_users import KnownUsers

__all__ = ["BatchWriter", "day_end", "noting", "raise_generations", "write_items"]

T = TypeVar("T")

_TOGETHER = 25
"""Items in one BatchWriteItem, at most."""

_REFUSALS = 50
"""How often a row may change between two updates of it before a write gives up for now; each
refusal says what the next update has to take into account."""

_ENDED_MS = 60_000
"""A day counts as ended this long before its end: what is cached then outlives it."""


class BatchWriter:
    """Writes batches, of any number of writers; thread-safe.

    Args:
        client: the table; not owned.
        shards: among how many shards of a day the indexes spread events.
        event_retention_days: how many whole days of events are kept before today.
        rollup_retention_days: how many days of rollups are kept, today included.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        *,
        shards: int,
        event_retention_days: int,
        rollup_retention_days: int,
    ) -> None:
        self._client = client
        self._shards = shards
        self._event_days = event_retention_days
        self._rollup_days = rollup_retention_days
        self._users = KnownUsers(client)
        self._listed = ListedUsers()

    def write(self, batch: Batch, *, now_ms: int) -> int:
        """Write a batch; see `Store.write`.

        Args:
            batch: what to write.
            now_ms: tells which days have ended.

        Returns:
            How many bytes its events take in the table, as DynamoDB counts them.
        """
        deltas = batch.deltas
        sizes: list[int] = []

        def put(event: AnalyticsEvent) -> dict[str, Any]:
            expires = (event.timestamp // DAY_MS + self._event_days + 1) * DAY_MS // 1000
            item = event_item(event, shards=self._shards, expires=expires)
            sizes.append(size_of(item))
            return {"PutRequest": {"Item": item}}

        write_items(self._client, batch.events, put)
        parts = _Parts()
        tasks: list[Callable[[], None]] = []
        for key in deltas.rollups:
            row = RollupRow(key, shards=self._shards, expires=self._expires(key.period))
            tasks.append(partial(self._add, row, batch, parts))
        for dimension in deltas.patterns:
            tasks.append(partial(self._add, PatternRow(dimension, self._listed), batch, parts))
        for key, hashes in deltas.distinct.items():
            expires = self._expires(key.period)
            tasks.append(partial(self._users.store, key, hashes, expires=expires))
        for key, sketch in deltas.sketches.items():
            expires = self._expires(key.period)
            tasks.append(partial(self._users.merge, key, sketch, expires=expires))
        self._client.each(_do, tasks)
        self._note_unbacked(deltas.unbacked)
        # Last, and again with every repetition: whoever sees the new number sees the new rows.
        raise_generations(self._client, deltas.days, now_ms=now_ms, keep_days=self._rollup_days)
        return sum(sizes)

    def _add(self, row: Row, batch: Batch, parts: _Parts) -> None:
        """Add to a row what a batch adds to it and the row does not have yet."""
        mark = marks_name(batch.writer)
        found: Item | None = None
        for _ in range(_REFUSALS):
            update = row.update(batch.deltas, found)
            if update is None:
                return
            if update.changes > MAX_CHANGES:
                for half in parts.halves(batch):
                    self._add(row, half, parts)
                return
            guard(update, mark, batch.first, batch.last)
            try:
                request = update.request(self._client.table, returned=row.returned)
                answer = self._client.call("UpdateItem", request)
            except ConditionFailed as refused:
                found = refused.item or {}
                done = marked_up_to(found, mark)
                if done is not None and done >= batch.first:
                    rest = parts.after(batch, done)
                    if rest is None:
                        return
                    batch = rest
            else:
                row.written(self._client, answer.get("Attributes"))
                return
        raise StoreUnavailableError(
            self._client.url,
            f"a row changed {_REFUSALS} times while it was to be updated",
            "the write is repeated; where it lasts, let fewer processes write at once",
        )

    def _note_unbacked(self, keys: Collection[RollupKey]) -> None:
        write_items(self._client, sorted(keys, key=erased_key), self._noting)

    def _noting(self, key: RollupKey) -> dict[str, Any]:
        return noting(key, expires=self._expires(key.period))

    def _expires(self, period: str) -> int:
        return day_end(period[:10], self._rollup_days - 1) // 1000


class _Parts:
    """Parts of a batch that rows ask for, each counted once; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[tuple[int, int, int], Batch | None] = {}
        self._halves: dict[tuple[int, int], tuple[Batch, Batch]] = {}

    def after(self, batch: Batch, sequence: int) -> Batch | None:
        """Return the part of a batch after a sequence; None if nothing is."""
        key = batch.first, batch.last, sequence
        with self._lock:
            if key not in self._parts:
                part = self._parts[key] = batch.after(sequence)
                _ = part and part.deltas
            return self._parts[key]

    def halves(self, batch: Batch) -> tuple[Batch, Batch]:
        """Return a batch of several events and supplements in two parts."""
        key = batch.first, batch.last
        with self._lock:
            if key not in self._halves:
                halves = self._halves[key] = batch.halves()
                for half in halves:
                    _ = half.deltas
            return self._halves[key]


def write_items(
    client: DynamoDBClient, things: Sequence[T], request: Callable[[T], Mapping[str, Any]]
) -> None:
    """Put or delete any number of items, several at once and in no order.

    Args:
        client: the table.
        things: what each item is about; no two of the same item.
        request: returns the `PutRequest` or `DeleteRequest` of one.
    """

    def write(part: Sequence[T]) -> None:
        requests = [request(thing) for thing in part]
        client.call("BatchWriteItem", {"RequestItems": {client.table: requests}})

    parts = [things[start : start + _TOGETHER] for start in range(0, len(things), _TOGETHER)]
    client.each(write, parts)


def noting(key: RollupKey, *, expires: int) -> dict[str, Any]:
    """Return the request that notes that a rollup counts what no event backs.

    Args:
        key: which rollup.
        expires: when the note may be deleted, epoch seconds.
    """
    return {"PutRequest": {"Item": {**item_key(erased_key(key)), TTL: number(expires)}}}


def raise_generations(
    client: DynamoDBClient, days: Collection[str], *, now_ms: int, keep_days: int
) -> None:
    """Raise the generations of those days that have ended, or end within a minute.

    Args:
        client: the table.
        days: which days, `YYYY-MM-DD`.
        now_ms: tells which have ended.
        keep_days: how many days of rollups are kept.
    """
    months: defaultdict[str, list[str]] = defaultdict(list)
    for day in sorted(days):
        if day_end(day) <= now_ms + _ENDED_MS:
            months[day[:7]].append(day)
    for month, ended in months.items():
        update = Update(generation_key(month))
        update.set(TTL, {"N": str(day_end(ended[-1], keep_days + 31) // 1000)})
        for day in ended:
            update.add(f"d{day[8:]}", {"N": "1"})
        client.call("UpdateItem", update.request(client.table))


def day_end(day: str, later: int = 0) -> int:
    """Return the end of a day, `YYYY-MM-DD`, and some days later, in epoch milliseconds."""
    date = parse_day("day", day)
    return DateRange(date, date).end_ms + later * DAY_MS


def _do(task: Callable[[], Any]) -> None:
    task()
