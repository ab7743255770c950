"""Reads rollups, distinct users, patterns and generations back from DynamoDB.

Answers are eventually consistent: what was written a moment ago may be missing from them for
another, in the indexes for longer than in the table. Deleting what has expired may take DynamoDB
days, so what is past its retention is left out here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial

from ..distinct import Distinct
from ..periods import DateRange, day_of
from ..rollups import ACTIVITY, Pattern, Rollup, RollupKey, RollupKind
from ..typing import Clock
from ._dynamodb_client import DynamoDBClient
from ._dynamodb_items import distinct_of, has_expired, pattern_of, rollup_of
from ._dynamodb_keys import (
    generation_key,
    months_of,
    parts_of,
    pattern_key,
    rollup_span,
    sketch_key,
    stats_bounds,
    stats_dimension,
    stats_partitions,
)
from ._dynamodb_queries import Query, get, items, pages
from ._dynamodb_table import SORT_KEY, STATS_INDEX, STATS_PARTITION_KEY, STATS_SORT_KEY

__all__ = ["DETAILED_KINDS", "RollupReader"]

_FEW = 10
"""Up to so many dimensions are each looked up by themselves; more are read from the index, which
has all of a month together and less of each."""

DETAILED_KINDS = frozenset({RollupKind.ACTIVITY, RollupKind.COMMAND, RollupKind.INTENT})
"""The kinds that have counters besides their headlines."""


class RollupReader:
    """Answers what stores answer from rollups; thread-safe.

    Args:
        client: the table; not owned.
        clock: tells what is past its retention.
        shards: returns among how many partitions of a month `StatsIndex` spreads users, at most.
        rollup_retention_days: how many days of rollups are kept, today included.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        clock: Clock,
        *,
        shards: Callable[[], int],
        rollup_retention_days: int,
    ) -> None:
        self._client = client
        self._clock = clock
        self._shards = shards
        self._retention = dt.timedelta(days=rollup_retention_days - 1)

    def totals(
        self,
        kind: RollupKind,
        days: DateRange,
        dimensions: Collection[str] | None,
        *,
        detail: bool,
    ) -> dict[str, Rollup]:
        """See `Store.totals`."""
        kept = self._kept(days)
        if kept is None:
            return {}
        detail = detail and kind in DETAILED_KINDS
        names = None if dimensions is None else list(dict.fromkeys(dimensions))
        if kind is RollupKind.ACTIVITY:
            names = [ACTIVITY] if names is None or ACTIVITY in names else []
        if names is None or (len(names) > _FEW and not detail):
            totals = self._indexed(kind, kept)
            if names is not None:
                return {name: totals[name] for name in names if name in totals}
            if not detail:
                return totals
            names = list(totals)
        found = self._client.each(partial(self._total, kind, kept, detail=detail), names)
        return {name: total for name, total in zip(names, found, strict=True) if total is not None}

    def series(
        self, kind: RollupKind, dimension: str, days: DateRange, *, hourly: bool
    ) -> dict[str, Rollup]:
        """See `Store.series`."""
        kept = self._kept(days)
        if kept is None or (hourly and kind is not RollupKind.ACTIVITY):
            return {}
        first, last = kept.first_day, kept.last_day
        if hourly:
            first, last = f"{first}T00", f"{last}T23"
        if kind is RollupKind.ACTIVITY and dimension != ACTIVITY:
            return {}
        return {
            parts_of(item[SORT_KEY]["S"])[-1]: rollup_of(kind, item)
            for item in items(self._client, self._span(kind, dimension, first, last))
        }

    def distinct(
        self, kind: RollupKind, dimensions: Iterable[str], days: DateRange
    ) -> dict[str, Distinct]:
        """See `Store.distinct`."""
        kept = self._kept(days)
        names = list(dict.fromkeys(dimensions)) if kept else []

        def read(name: str) -> list[Distinct]:
            assert kept
            partition, first = sketch_key(RollupKey(kind, name, kept.first_day))
            query = Query(partition=partition, between=(first, kept.last_day))
            return [distinct_of(item) for item in items(self._client, query)]

        found = zip(names, self._client.each(read, names), strict=True)
        return {name: Distinct.merge(parts) for name, parts in found if parts}

    def patterns(self, dimensions: Iterable[str]) -> dict[str, Pattern]:
        """See `Store.patterns`."""
        names = list(dict.fromkeys(dimensions))
        rows = self._client.each(lambda name: get(self._client, pattern_key(name)), names)
        now_ms = self._clock.now_ms()
        return {
            name: pattern_of(name, row)
            for name, row in zip(names, rows, strict=True)
            if row is not None and not has_expired(row, now_ms)
        }

    def generations(self, days: DateRange) -> int:
        """See `Store.generations`: the sum over the days."""
        wanted = set(days.each_day())

        def read(month: str) -> int:
            row = get(self._client, generation_key(month), consistent=True) or {}
            return sum(
                int(value["N"]) for name, value in row.items() if f"{month}-{name[1:]}" in wanted
            )

        return sum(self._client.each(read, months_of(days)))

    def indexed(self, kind: RollupKind, day: DateRange) -> Iterator[tuple[RollupKey, Rollup]]:
        """Yield the headline counters of every dimension of an indexed kind on one day."""
        for query in self._partitions(kind, day):
            for item in items(self._client, query):
                name = stats_dimension(item[STATS_SORT_KEY]["S"])
                yield RollupKey(kind, name, day.first_day), rollup_of(kind, item)

    def _indexed(self, kind: RollupKind, days: DateRange) -> dict[str, Rollup]:
        """Return each dimension's headline counters, summed over the days."""
        totals: dict[str, Rollup] = {}
        for part in self._client.each(partial(self._sum, kind), self._partitions(kind, days)):
            for name, total in part.items():
                mine = totals.setdefault(name, total)
                if mine is not total:
                    mine.add(total)
        return totals

    def _sum(self, kind: RollupKind, query: Query) -> dict[str, Rollup]:
        totals: dict[str, Rollup] = {}
        for page in pages(self._client, query):
            for item in page:
                name = stats_dimension(item[STATS_SORT_KEY]["S"])
                totals.setdefault(name, Rollup({})).add(rollup_of(kind, item))
        return totals

    def _partitions(self, kind: RollupKind, days: DateRange) -> list[Query]:
        # Only users are spread: of everything else a partition takes what there is.
        shards = self._shards() if kind is RollupKind.USER else 1
        return [
            Query(
                partition=partition,
                between=stats_bounds(days),
                index=STATS_INDEX,
                names=(STATS_PARTITION_KEY, STATS_SORT_KEY),
            )
            for partition in stats_partitions(kind, days, shards)
        ]

    def _total(
        self, kind: RollupKind, days: DateRange, dimension: str, *, detail: bool
    ) -> Rollup | None:
        """Return one dimension's counters, summed over the days; None if there is no row."""
        total: Rollup | None = None
        query = self._span(kind, dimension, days.first_day, days.last_day)
        for item in items(self._client, query):
            rollup = rollup_of(kind, item)
            if total is None:
                total = rollup
            else:
                total.add(rollup)
        return total if total is None or detail else total.headlines(kind)

    def _span(self, kind: RollupKind, dimension: str, first: str, last: str) -> Query:
        partition, between = rollup_span(kind, dimension, first, last)
        return Query(partition=partition, between=between)

    def _kept(self, days: DateRange) -> DateRange | None:
        """Return those of some days that are not past their retention; None if all are."""
        try:
            oldest = dt.date.fromisoformat(day_of(self._clock.now_ms())) - self._retention
        except OverflowError:
            return days
        return DateRange(max(days.start, oldest), days.end) if days.end >= oldest else None
