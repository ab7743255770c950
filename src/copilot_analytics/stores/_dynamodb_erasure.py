"""Erasing a user from the DynamoDB table, in an order that a repetition can take up anywhere.

What tells where to look goes last: sets of users and patterns are found by the days on which the
user has rollups or events, and what an event was counted in is noted before the event goes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from ..aggregation import aggregate
from ..distinct import random_hash, user_hash
from ..events import ANONYMOUS_PREFIX, EventType
from ..periods import DateRange, day_of, parse_day
from ..rollups import ACTIVITY, DISTINCT_KINDS, RollupKey, RollupKind
from ..typing import Clock
from ._dynamodb_client import DynamoDBClient
from ._dynamodb_items import HASHES, Item, event_of, hashes_of, stored_hashes, users_of
from ._dynamodb_keys import (
    INDEXED_KINDS,
    Key,
    event_partition,
    parts_of,
    pattern_key,
    sketch_key,
    user_bounds,
    user_partition,
)
from ._dynamodb_queries import Query, get, items, pages
from ._dynamodb_reading import RollupReader
from ._dynamodb_table import PARTITION_KEY, SORT_KEY
from ._dynamodb_updates import Update, item_key
from ._dynamodb_writing import day_end, noting, raise_generations, write_items
from .base import Erasure

__all__ = ["Eraser"]


class Eraser:
    """Erases one user.

    Args:
        client: the table; not owned.
        clock: tells which days have ended.
        rollups: tells what there is of a day.
        user_id: their stored id.
        rollup_retention_days: how many days of rollups are kept, today included.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        clock: Clock,
        rollups: RollupReader,
        user_id: str,
        *,
        rollup_retention_days: int,
    ) -> None:
        self._client = client
        self._clock = clock
        self._rollups = rollups
        self._user_id = user_id
        self._keep_days = rollup_retention_days
        self._hash = user_hash(user_id)
        self._stand_in = random_hash()

    def erase(self) -> Erasure:
        """See `Store.erase_user`."""
        rows: list[Key] = []
        days: set[str] = set()
        erased = Erasure()
        for page in self._event_pages():
            days.update(day_of(event_of(item).timestamp) for item in page)
        if not self._user_id.startswith(ANONYMOUS_PREFIX):
            rows = self._rollup_keys()
            days.update(parts_of(sort)[-1] for _, sort in rows)
            erased += self._erase_from_sets(sorted(days))
            erased += self._erase_from_patterns(sorted(days))
        self._delete(rows)
        erased += Erasure(rollups=len(rows))
        # Before the events, too: without these a repetition would not know the days.
        self._raise_generations(days)
        for page in self._event_pages():
            self._note(aggregate([event_of(item) for item in page]).rollups)
            self._delete([_key(item) for item in page])
            erased += Erasure(events=len(page))
        self._raise_generations(days)
        return erased

    def _rollup_keys(self) -> list[Key]:
        query = Query(partition=user_partition(self._user_id), consistent=True)
        return [_key(item) for item in items(self._client, query)]

    def _event_pages(self) -> Iterator[list[Item]]:
        """Yield their events, also those past their retention."""
        for event_type in EventType:
            query = Query(
                partition=event_partition(event_type),
                between=user_bounds(self._user_id),
                consistent=True,
            )
            yield from (page for page in pages(self._client, query) if page)

    def _erase_from_sets(self, days: Iterable[str]) -> Erasure:
        """Replace their hash in the sets of some days."""
        replaced: list[RollupKey] = []
        for day in days:
            keys = [RollupKey(RollupKind.ACTIVITY, ACTIVITY, day)]
            for kind in sorted(DISTINCT_KINDS & INDEXED_KINDS):
                keys += (key for key, _ in self._rollups.indexed(kind, _only(day)))
            found = self._client.each(self._replace, keys)
            replaced += (key for key, was_there in zip(keys, found, strict=True) if was_there)
        self._note(replaced)
        return Erasure(distinct=len(replaced))

    def _replace(self, key: RollupKey) -> bool:
        """Put the stand-in in the place of their hash; return whether it was there.

        In two steps, because one update cannot do both, and in this order: a set that is full
        never looks complete.
        """
        place = sketch_key(key)
        if self._hash not in stored_hashes(get(self._client, place, consistent=True) or {}):
            return False
        adding = Update(place)
        adding.add(HASHES, hashes_of([self._stand_in]))
        self._client.call("UpdateItem", adding.request(self._client.table))
        removing = Update(place)
        removing.delete(HASHES, hashes_of([self._hash]))
        self._client.call("UpdateItem", removing.request(self._client.table))
        return True

    def _erase_from_patterns(self, days: Iterable[str]) -> Erasure:
        """Take them off the lists of the patterns of some days."""
        names: set[str] = set()
        for day in days:
            names.update(
                key.dimension for key, _ in self._rollups.indexed(RollupKind.PATTERN, _only(day))
            )
        return Erasure(patterns=sum(self._client.each(self._unlist, sorted(names))))

    def _unlist(self, dimension: str) -> bool:
        place = pattern_key(dimension)
        if self._user_id not in users_of(get(self._client, place, consistent=True) or {}):
            return False
        update = Update(place)
        update.delete("affectedUsers", {"SS": [self._user_id]})
        self._client.call("UpdateItem", update.request(self._client.table))
        return True

    def _note(self, keys: Iterable[RollupKey]) -> None:
        """Note which rollups, the user's own aside, count what is erased."""
        counted = [key for key in keys if key.kind is not RollupKind.USER]
        write_items(self._client, counted, self._noting)

    def _noting(self, key: RollupKey) -> dict[str, Any]:
        expires = day_end(key.period[:10], self._keep_days - 1) // 1000
        return noting(key, expires=expires)

    def _delete(self, keys: Sequence[Key]) -> None:
        write_items(self._client, keys, _deletion)

    def _raise_generations(self, days: Collection[str]) -> None:
        raise_generations(
            self._client, days, now_ms=self._clock.now_ms(), keep_days=self._keep_days
        )


def _deletion(key: Key) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": item_key(key)}}


def _key(item: Item) -> Key:
    return item[PARTITION_KEY]["S"], item[SORT_KEY]["S"]


def _only(day: str) -> DateRange:
    date = parse_day("day", day)
    return DateRange(date, date)
