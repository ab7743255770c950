"""One day as the DynamoDB table holds it, for recounts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..distinct import Distinct
from ..events import AnalyticsEvent
from ..periods import DateRange
from ..rollups import ACTIVITY, DISTINCT_KINDS, Rollup, RollupKey, RollupKind
from ._dynamodb_client import DynamoDBClient
from ._dynamodb_events import EventReader
from ._dynamodb_items import Item, distinct_of, rollup_of
from ._dynamodb_keys import (
    INDEXED_KINDS,
    Key,
    erased_partition,
    erased_rollup,
    rollup_key,
    sketch_key,
)
from ._dynamodb_queries import Query, get, items
from ._dynamodb_reading import DETAILED_KINDS, RollupReader
from ._dynamodb_table import SORT_KEY

__all__ = ["DynamoDBSnapshot"]

_TOGETHER = 100
"""Items held at a time; the distinct users of one may take 15 KB."""


class DynamoDBSnapshot:
    """A day's events and rollups, read when they are asked for.

    DynamoDB has no view of one moment: what is written meanwhile may be in one and not in the
    other, and the index by which events are found follows the table with a delay.

    Args:
        client: the table; not owned.
        day: which day.
        events: reads events.
        rollups: reads rollups.
    """

    def __init__(
        self, client: DynamoDBClient, day: dt.date, events: EventReader, rollups: RollupReader
    ) -> None:
        self._client = client
        self._days = DateRange(day, day)
        self._day = day.isoformat()
        self._events = events
        self._rollups = rollups

    def events(self) -> Iterator[AnalyticsEvent]:
        return self._events.day(self._days.start_ms)

    def rollups(self) -> Iterator[tuple[RollupKey, Rollup]]:
        for hourly in (False, True):
            for period, rollup in self._rollups.series(
                RollupKind.ACTIVITY, ACTIVITY, self._days, hourly=hourly
            ).items():
                yield RollupKey(RollupKind.ACTIVITY, ACTIVITY, period), rollup
        for kind in sorted(INDEXED_KINDS):
            rows = self._rollups.indexed(kind, self._days)
            yield from self._with_details(rows) if kind in DETAILED_KINDS else rows

    def distinct(self) -> Iterator[tuple[RollupKey, Distinct]]:
        keys = [RollupKey(RollupKind.ACTIVITY, ACTIVITY, self._day)]
        for kind in sorted(DISTINCT_KINDS & INDEXED_KINDS):
            keys += (key for key, _ in self._rollups.indexed(kind, self._days))
        for key, item in self._items(keys, sketch_key):
            yield key, distinct_of(item)

    def unbacked(self) -> Iterator[RollupKey]:
        for item in items(self._client, Query(partition=erased_partition(self._day))):
            yield erased_rollup(item[SORT_KEY]["S"])

    def _with_details(
        self, rows: Iterable[tuple[RollupKey, Rollup]]
    ) -> Iterator[tuple[RollupKey, Rollup]]:
        for key, item in self._items([key for key, _ in rows], rollup_key):
            yield key, rollup_of(key.kind, item)

    def _items(
        self, keys: Sequence[RollupKey], place: Callable[[RollupKey], Key]
    ) -> Iterator[tuple[RollupKey, Item]]:
        """Yield what is found at the places of keys; several are read at once."""
        for start in range(0, len(keys), _TOGETHER):
            part = keys[start : start + _TOGETHER]
            found = self._client.each(lambda key: get(self._client, place(key)), part)
            for key, item in zip(part, found, strict=True):
                if item is not None:
                    yield key, item
