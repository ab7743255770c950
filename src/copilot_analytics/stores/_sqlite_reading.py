"""What rollups are read by: statements in two forms, rows as rollups, and a day as a snapshot."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from ..distinct import Distinct
from ..events import AnalyticsEvent
from ..periods import DateRange
from ..rollups import HEADLINES, Pattern, Rollup, RollupKey, RollupKind
from ._sqlite_details import decode_details, sum_details
from ._sqlite_events import select_events, whole_day
from ._sqlite_schema import HOURS, KIND_CODES, KINDS, day_number, headline_columns, period_name
from ._sqlite_writing import USERS
from .base import EventSelection

__all__ = [
    "ROW",
    "SERIES",
    "TOTALS",
    "DaySnapshot",
    "details_of",
    "pattern_of",
    "rollup_of",
    "rows_of",
    "users_of",
]


class DaySnapshot:
    """One day, read in the transaction that `SQLiteStore.snapshot` holds."""

    def __init__(self, connection: sqlite3.Connection, day: dt.date) -> None:
        self._connection = connection
        self._day = day_number(day)

    def events(self) -> Iterator[AnalyticsEvent]:
        [(first, last)] = whole_day(self._day)
        return select_events(self._connection, EventSelection(start_ms=first, end_ms=last))

    def rollups(self) -> Iterator[tuple[RollupKey, Rollup]]:
        for code, kind in KINDS.items():
            bounds = self._bounds(code)
            for period, dimension, detail, *row in self._connection.execute(_DAY[kind], bounds):
                key = RollupKey(kind, dimension, period_name(code, period))
                yield key, rollup_of(kind, row, detail)

    def distinct(self) -> Iterator[tuple[RollupKey, Distinct]]:
        for kind, code in KIND_CODES.items():
            rows = self._connection.execute(
                "SELECT period, dimension, users FROM distinct_users "
                "WHERE kind = :kind AND period BETWEEN :first AND :last",
                self._bounds(code),
            )
            for period, dimension, blob in rows:
                key = RollupKey(kind, dimension, period_name(code, period))
                yield key, Distinct.from_bytes(blob)

    def unbacked(self) -> Iterator[RollupKey]:
        for code, kind in KINDS.items():
            rows = self._connection.execute(
                "SELECT period, dimension FROM unbacked "
                "WHERE kind = :kind AND period BETWEEN :first AND :last",
                self._bounds(code),
            )
            for period, dimension in rows:
                yield RollupKey(kind, dimension, period_name(code, period))

    def _bounds(self, code: int) -> dict[str, int]:
        first, last = self._day, self._day
        if code == HOURS:
            first, last = first * 24, last * 24 + 23
        return {"kind": code, "first": first, "last": last}


class _Question:
    """One question in two forms: of every dimension of a range, and of one.

    Of one, each day is looked up by the whole key: a range of days holds every other dimension's
    rows too, and there may be 10,000 users.
    """

    __slots__ = ("of_all", "of_one")

    def __init__(self, columns: str, table: str, rest: str = "") -> None:
        self.of_all = (
            f"SELECT dimension, {columns} FROM {table} "
            f"WHERE kind = :kind AND period BETWEEN :first AND :last {rest}"
        )
        self.of_one = f"{_PERIODS} SELECT dimension, {columns} {_OF_ONE.format(table=table)}"


_PERIODS = (
    "WITH RECURSIVE periods (p) AS "
    "(SELECT :first UNION ALL SELECT p + 1 FROM periods WHERE p < :last)"
)
_OF_ONE = (
    "FROM periods CROSS JOIN {table} "
    "ON {table}.kind = :kind AND {table}.period = p AND {table}.dimension = :dimension"
)
_WITH_DETAIL = (
    "LEFT JOIN details ON details.kind = rollups.kind AND details.period = rollups.period "
    "AND details.dimension = rollups.dimension"
)


def _columns(kind: RollupKind) -> str:
    return ", ".join(("first", "last", *headline_columns(kind)))


def _sums(kind: RollupKind) -> str:
    sums = (f"sum({column})" for column in headline_columns(kind))
    return ", ".join(("min(first)", "max(last)", *sums))


TOTALS = {kind: _Question(_sums(kind), "rollups", "GROUP BY dimension") for kind in RollupKind}
_DETAILS_OF = _Question("counters", "details")
_USERS_OF = _Question("users", "distinct_users")
SERIES = {
    kind: f"{_PERIODS} SELECT rollups.period, counters, {_columns(kind)} "
    f"{_OF_ONE.format(table='rollups')} {_WITH_DETAIL}"
    for kind in RollupKind
}
_DAY = {
    kind: f"SELECT rollups.period, rollups.dimension, counters, {_columns(kind)} "
    f"FROM rollups {_WITH_DETAIL} "
    "WHERE rollups.kind = :kind AND rollups.period BETWEEN :first AND :last"
    for kind in RollupKind
}

ROW = {
    kind: f"SELECT counters, {_columns(kind)} FROM rollups {_WITH_DETAIL} "
    "WHERE rollups.kind = ? AND rollups.period = ? AND rollups.dimension = ?"
    for kind in RollupKind
}
"""One rollup, by its key in the tables: its details, then what `rollup_of` takes."""


def rows_of(
    connection: sqlite3.Connection,
    question: _Question,
    kind: RollupKind,
    days: DateRange,
    dimensions: Iterable[str] | None,
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a question about some days: of all dimensions, or of each of these."""
    bounds: dict[str, object] = {
        "kind": KIND_CODES[kind],
        "first": day_number(days.start),
        "last": day_number(days.end),
    }
    if dimensions is None:
        yield from connection.execute(question.of_all, bounds)
        return
    for dimension in dict.fromkeys(dimensions):
        yield from connection.execute(question.of_one, {**bounds, "dimension": dimension})


def details_of(
    connection: sqlite3.Connection,
    kind: RollupKind,
    days: DateRange,
    dimensions: Iterable[str] | None,
) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield each dimension that has details on some days, with their sums."""
    stored: defaultdict[str, list[bytes]] = defaultdict(list)
    for dimension, blob in rows_of(connection, _DETAILS_OF, kind, days, dimensions):
        stored[dimension].append(blob)
    for dimension, blobs in stored.items():
        yield dimension, sum_details(blobs)


def users_of(
    connection: sqlite3.Connection,
    kind: RollupKind,
    days: DateRange,
    dimensions: Iterable[str],
) -> Iterator[tuple[str, Distinct]]:
    """Yield each dimension that has distinct users on some days, with these."""
    rows = rows_of(connection, _USERS_OF, kind, days, dimensions)
    for dimension, found in groupby(rows, itemgetter(0)):
        yield dimension, Distinct.merge_bytes(blob for _, blob in found)


def rollup_of(kind: RollupKind, row: Sequence[int], detail: bytes | None = None) -> Rollup:
    """Return the rollup of a row of first, last and headlines, and of its details if any."""
    first, last, *headlines = row
    counters = {name: n for name, n in zip(HEADLINES[kind], headlines, strict=True) if n}
    if detail is not None:
        counters.update(decode_details(detail))
    return Rollup(counters, first or 0, last or 0)


def pattern_of(
    dimension: str, error_type: str, message: str, count: int, first: int, last: int, users: str
) -> Pattern:
    """Return the pattern of a row of the table of that name."""
    return Pattern(dimension, error_type, message, count, first, last, USERS.decode(users))
