"""Reads single events back from DynamoDB, in order, out of many partitions at once.

The indexes spread a day's events over shards, and a user's events lie in one partition a type. Each
of these is in order by itself; here they are merged, and read no further than is asked for.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from ..events import AnalyticsEvent, EventType
from ..periods import DAY_MS, HOUR_MS, day_of
from ..typing import Clock
from ._dynamodb_client import DynamoDBClient
from ._dynamodb_items import event_of, has_expired
from ._dynamodb_keys import (
    date_partition,
    event_bounds,
    event_partition,
    event_position,
    type_partition,
    user_prefix,
)
from ._dynamodb_queries import Query, pages
from ._dynamodb_table import DATE_INDEX, DATE_KEY, EVENT_SORT_KEY, TYPE_INDEX, TYPE_KEY
from .base import EventSelection

__all__ = ["EventReader", "Position"]

Position = tuple[int, str]
"""A timestamp and an event id: the order of events."""

_AHEAD_MS = HOUR_MS
"""How far in the future events are looked for; those more than minutes ahead are not recorded."""

_LARGEST_PAGE = 1_000
_MOST_DAYS = 16
"""Days looked into at once, after so many that were empty."""


class EventReader:
    """Reads events; thread-safe.

    Args:
        client: the table; not owned.
        clock: tells what is past its retention.
        shards: returns among how many shards of a day the indexes spread events, at most.
        retention_days: how many whole days of events are kept before today.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        clock: Clock,
        *,
        shards: Callable[[], int],
        retention_days: int,
    ) -> None:
        self._client = client
        self._clock = clock
        self._shards = shards
        self._retention_ms = retention_days * DAY_MS

    def select(
        self,
        selection: EventSelection,
        *,
        after: Position | None,
        limit: int,
        newest_first: bool,
    ) -> list[AnalyticsEvent]:
        """See `Store.events`."""
        now_ms = self._clock.now_ms()
        # Every day costs requests, also one on which there can be nothing.
        start = max(selection.start_ms, now_ms // DAY_MS * DAY_MS - self._retention_ms, 0)
        end = min(selection.end_ms, now_ms + _AHEAD_MS)
        if after is not None and newest_first:
            end = min(end, after[0])
        elif after is not None:
            start = max(start, after[0])
        if start > end:
            return []
        low, high = event_bounds(start, end)
        if after is not None and newest_first:
            high = min(high, event_position(*after))
        elif after is not None:
            low = max(low, event_position(*after))
        read = self._of_all if selection.user_id is None else self._of_user
        events = read(
            selection,
            (start, end),
            (low, high),
            backwards=newest_first,
            # One more than asked for: the event at `after` is among them.
            page_size=min(limit + 1, _LARGEST_PAGE),
        )
        return list(islice((event for event in events if _position(event) != after), limit))

    def day(self, start_ms: int) -> Iterator[AnalyticsEvent]:
        """Yield the events of the day that starts then, holding a page of each shard at most."""
        end_ms = start_ms + DAY_MS - 1
        return self._of_all(
            EventSelection(start_ms=start_ms, end_ms=end_ms),
            (start_ms, end_ms),
            event_bounds(start_ms, end_ms),
            backwards=False,
            page_size=None,
        )

    def _of_user(
        self,
        selection: EventSelection,
        span: tuple[int, int],
        between: tuple[str, str],
        *,
        backwards: bool,
        page_size: int | None,
    ) -> Iterator[AnalyticsEvent]:
        prefix = user_prefix(selection.user_id or "")
        low, high = between
        types = EventType if selection.event_type is None else (selection.event_type,)
        return self._merged(
            Query(
                partition=event_partition(event_type),
                between=(prefix + low, prefix + high),
                backwards=backwards,
                page_size=page_size,
            )
            for event_type in types
        )

    def _of_all(
        self,
        selection: EventSelection,
        span: tuple[int, int],
        between: tuple[str, str],
        *,
        backwards: bool,
        page_size: int | None,
    ) -> Iterator[AnalyticsEvent]:
        days = list(range(span[0] // DAY_MS, span[1] // DAY_MS + 1))
        if backwards:
            days.reverse()
        shards = self._shards()
        event_type = selection.event_type
        ahead = 1
        while days:
            partitions = [
                date_partition(day, shard)
                if event_type is None
                else type_partition(event_type, day, shard)
                for day in map(_day_name, days[:ahead])
                for shard in range(shards)
            ]
            del days[:ahead]
            ahead = min(2 * ahead, _MOST_DAYS)
            for event in self._merged(
                Query(
                    partition=partition,
                    between=between,
                    index=DATE_INDEX if event_type is None else TYPE_INDEX,
                    names=(DATE_KEY if event_type is None else TYPE_KEY, EVENT_SORT_KEY),
                    backwards=backwards,
                    page_size=page_size,
                )
                for partition in partitions
            ):
                ahead = 1
                yield event

    def _merged(self, queries: Iterable[Query]) -> Iterator[AnalyticsEvent]:
        """Yield the events of queries of one direction in order; their first pages at once."""
        asked = list(queries)
        parts = self._client.each(self._begun, asked)
        return heapq.merge(*parts, key=_position, reverse=asked[0].backwards)

    def _begun(self, query: Query) -> Iterator[AnalyticsEvent]:
        following = pages(self._client, query)
        first = next(following)
        now_ms = self._clock.now_ms()
        return (
            event_of(item)
            for page in chain([first], following)
            for item in page
            if not has_expired(item, now_ms)
        )


def _position(event: AnalyticsEvent) -> Position:
    return event.timestamp, event.event_id


def _day_name(number: int) -> str:
    return day_of(number * DAY_MS)
