"""What rollups are read by: statements in two forms, rows as rollups, and a day as a snapshot."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, zip_longest
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
    "DaySnapshot",
    "details_of",
    "patterns_of",
    "rollup_of",
    "totals_of",
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


_SIZES = (1, 2, 4, 8, 16)
"""For how many dimensions one statement asks: a day's rows of all of them are on the same pages,
which are then read once. Few sizes, so that the statements stay prepared."""


def _places(size: int) -> str:
    return ", ".join(f"(:n{place})" for place in range(size))


_PERIODS = (
    "WITH RECURSIVE periods (p) AS "
    "(SELECT :first UNION ALL SELECT p + 1 FROM periods WHERE p < :last)"
)


class _Question:
    """One question in two forms: of every dimension of a range, and of some.

    Of some, each day is looked up by the whole key: a range of days holds every other dimension's
    rows too, and there may be 10,000 users. Day by day, as the rows are kept.
    """

    __slots__ = ("of_all", "of_some")

    def __init__(self, columns: str, table: str, rest: str = "") -> None:
        self.of_all = (
            f"SELECT dimension, {columns} FROM {table} "
            f"WHERE kind = :kind AND period BETWEEN :first AND :last {rest}"
        )
        self.of_some = {
            size: f"{_PERIODS}, names (name) AS (VALUES {_places(size)}) "
            f"SELECT dimension, {columns} FROM periods CROSS JOIN names CROSS JOIN {table} "
            f"ON {table}.kind = :kind AND {table}.period = p AND {table}.dimension = name {rest}"
            for size in _SIZES
        }


_WITH_DETAIL = (
    "LEFT JOIN details ON details.kind = rollups.kind AND details.period = rollups.period "
    "AND details.dimension = rollups.dimension"
)


def _columns(kind: RollupKind) -> str:
    return ", ".join(("first", "last", *headline_columns(kind)))


def _sums(kind: RollupKind) -> str:
    sums = (f"sum({column})" for column in headline_columns(kind))
    return ", ".join(("min(first)", "max(last)", *sums))


_TOTALS = {kind: _Question(_sums(kind), "rollups", "GROUP BY dimension") for kind in RollupKind}
_DETAILS = _Question("counters", "details")
_DISTINCT_USERS = _Question("users", "distinct_users")
SERIES = {
    (kind, detail): f"{_PERIODS} SELECT rollups.period, {'counters' if detail else 'NULL'}, "
    f"{_columns(kind)} FROM periods CROSS JOIN rollups "
    "ON rollups.kind = :kind AND rollups.period = p AND rollups.dimension = :dimension "
    f"{_WITH_DETAIL if detail else ''}"
    for kind in RollupKind
    for detail in (False, True)
}
"""One dimension's rollups, with their details or without: the period, then as in `ROW`."""

_PATTERNS = {
    size: "SELECT dimension, error_type, message, count, first, last, users FROM patterns "
    f"WHERE dimension IN (VALUES {_places(size)})"
    for size in _SIZES
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


def totals_of(
    connection: sqlite3.Connection,
    kind: RollupKind,
    days: DateRange,
    dimensions: Iterable[str] | None,
) -> Iterator[tuple[str, Rollup]]:
    """Yield each dimension that has rollups on some days, with the sums of their headlines."""
    for rows in _asked(connection, _TOTALS[kind], kind, days, dimensions):
        for dimension, *row in rows:
            yield dimension, rollup_of(kind, row)


def details_of(
    connection: sqlite3.Connection,
    kind: RollupKind,
    days: DateRange,
    dimensions: Iterable[str] | None,
) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield each dimension that has details on some days, with their sums."""
    for rows in _asked(connection, _DETAILS, kind, days, dimensions):
        for dimension, stored in _by_dimension(rows):
            yield dimension, sum_details(stored)


def users_of(
    connection: sqlite3.Connection,
    kind: RollupKind,
    days: DateRange,
    dimensions: Iterable[str],
) -> Iterator[tuple[str, Distinct]]:
    """Yield each dimension that has distinct users on some days, with these."""
    for rows in _asked(connection, _DISTINCT_USERS, kind, days, dimensions):
        for dimension, stored in _by_dimension(rows):
            yield dimension, Distinct.merge_bytes(stored)


def _asked(
    connection: sqlite3.Connection,
    question: _Question,
    kind: RollupKind,
    days: DateRange,
    dimensions: Iterable[str] | None,
) -> Iterator[Iterable[tuple[Any, ...]]]:
    """Yield the rows of a question about all dimensions or some of them, a statement's at a time.

    All the rows of a dimension are of one statement.
    """
    bounds: dict[str, object] = {
        "kind": KIND_CODES[kind],
        "first": day_number(days.start),
        "last": day_number(days.end),
    }
    if dimensions is None:
        yield connection.execute(question.of_all, bounds)
        return
    for size, names in _in_sizes(dimensions):
        yield connection.execute(question.of_some[size], {**bounds, **names})


def _in_sizes(dimensions: Iterable[str]) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield the dimensions by their places in statements of some size, each dimension once."""
    rest = iter(dict.fromkeys(dimensions))
    while names := list(islice(rest, _SIZES[-1])):
        size = next(size for size in _SIZES if size >= len(names))
        # Where there are fewer names than places, NULL is nobody's.
        yield size, dict(zip_longest((f"n{place}" for place in range(size)), names))


def _by_dimension(rows: Iterable[tuple[str, bytes]]) -> Iterable[tuple[str, list[bytes]]]:
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    for dimension, stored in rows:
        found[dimension].append(stored)
    return found.items()


def rollup_of(kind: RollupKind, row: Sequence[int], detail: bytes | None = None) -> Rollup:
    """Return the rollup of a row of first, last and headlines, and of its details if any."""
    first, last, *headlines = row
    counters = {name: n for name, n in zip(HEADLINES[kind], headlines, strict=True) if n}
    if detail is not None:
        counters.update(decode_details(detail))
    return Rollup(counters, first or 0, last or 0)


def patterns_of(connection: sqlite3.Connection, dimensions: Iterable[str]) -> Iterator[Pattern]:
    """Yield the patterns of these dimensions; unknown ones are missing."""
    for size, names in _in_sizes(dimensions):
        for row in connection.execute(_PATTERNS[size], names):
            dimension, error_type, message, count, first, last, users = row
            yield Pattern(dimension, error_type, message, count, first, last, USERS.decode(users))
