"""Erasing a user: what is deleted, replaced and marked, a day in each transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import msgspec

from ..aggregation import aggregate
from ..distinct import Distinct, user_hash
from ..events import ANONYMOUS_PREFIX
from ..periods import DAY_MS
from ..rollups import DISTINCT_KINDS, RollupKey, RollupKind
from ._sqlite_events import Span, select_events, user_spans, whole_day
from ._sqlite_schema import HOURS, KIND_CODES, period_number
from ._sqlite_writing import USERS, note_unbacked, raise_generations
from .base import Erasure, EventSelection

__all__ = ["ErasureDay", "days_to_erase", "erase_day", "erase_from_patterns"]

_CHUNK = 5_000
_USER_CODE = KIND_CODES[RollupKind.USER]
_DISTINCT_CODES = tuple(sorted(KIND_CODES[kind] for kind in DISTINCT_KINDS))


class ErasureDay(NamedTuple):
    """A day on which there may be something of a user.

    Attributes:
        number: the day's.
        whole: whether all of it has to be looked at; else from their first event to their last.
    """

    number: int
    whole: bool


def days_to_erase(
    connection: sqlite3.Connection, user_id: str, first_kept_day: int
) -> list[ErasureDay]:
    """Return the days on which there may be anything of a user, in order.

    Args:
        connection: a connection that may read.
        user_id: their stored id.
        first_kept_day: where rollups are still whole; before it, a missing one tells nothing.
    """
    oldest, newest = connection.execute(
        "SELECT (SELECT timestamp FROM events ORDER BY timestamp LIMIT 1), "
        "(SELECT timestamp FROM events ORDER BY timestamp DESC LIMIT 1)"
    ).fetchone()
    kept = range(0) if oldest is None else range(oldest // DAY_MS, newest // DAY_MS + 1)
    if user_id.startswith(ANONYMOUS_PREFIX):
        return [ErasureDay(day, whole=True) for day in kept]
    first, last = connection.execute(
        "SELECT (SELECT period FROM rollups WHERE kind = :kind ORDER BY period LIMIT 1), "
        "(SELECT period FROM rollups WHERE kind = :kind ORDER BY period DESC LIMIT 1)",
        {"kind": _USER_CODE},
    ).fetchone()
    seen = [] if first is None else user_spans(connection, user_id, first, last)
    days = dict.fromkeys((first_ms // DAY_MS for first_ms, _ in seen), False)
    days.update(dict.fromkeys((day for day in kept if day < first_kept_day), True))
    return [ErasureDay(day, whole=days[day]) for day in sorted(days)]


def erase_day(
    connection: sqlite3.Connection, user_id: str, day: ErasureDay, stand_in: int, *, now_ms: int
) -> Erasure:
    """Erase what there is of a user on one day, in the transaction that the caller holds.

    Args:
        connection: holds a write transaction, and overwrites what it deletes.
        user_id: their stored id.
        day: which day.
        stand_in: takes the place of their hash.
        now_ms: tells whether the day has ended.
    """
    number = day.number
    # Asked again, now that nobody writes: more may have come since the day was found.
    spans = whole_day(number) if day.whole else user_spans(connection, user_id, number, number)
    if not spans:
        return Erasure()
    [(first, last)] = spans
    counted = _counted_in(connection, user_id, (first, last))
    events = connection.execute(
        "DELETE FROM events WHERE timestamp BETWEEN ? AND ? AND user_id = ?", (first, last, user_id)
    ).rowcount
    connection.execute("UPDATE tallies SET n = n - ? WHERE name = 'events'", (events,))
    # Before the rollup, by which they would be found.
    key = (_USER_CODE, number, user_id)
    connection.execute("DELETE FROM details WHERE kind = ? AND period = ? AND dimension = ?", key)
    rollups = connection.execute(
        "DELETE FROM rollups WHERE kind = ? AND period = ? AND dimension = ?", key
    ).rowcount
    sets = _replace_hash(connection, user_hash(user_id), number, stand_in)
    note_unbacked(connection, {*counted, *sets})
    if events or rollups or sets:
        raise_generations(connection, [number], now_ms)
        connection.execute("UPDATE tallies SET n = n + 1 WHERE name = 'erasures'")
    return Erasure(events=events, rollups=rollups, distinct=len(sets))


def erase_from_patterns(connection: sqlite3.Connection, user_id: str) -> Erasure:
    """Take a user out of the lists of affected users, in the transaction that the caller holds."""
    found = []
    stored = msgspec.json.encode(user_id).decode()
    for dimension, text in connection.execute(
        "SELECT dimension, users FROM patterns WHERE instr(users, ?)", (stored,)
    ):
        users = USERS.decode(text)
        if user_id in users:
            rest = tuple(user for user in users if user != user_id)
            found.append((msgspec.json.encode(rest).decode(), dimension))
    connection.executemany("UPDATE patterns SET users = ? WHERE dimension = ?", found)
    return Erasure(patterns=len(found))


def _counted_in(
    connection: sqlite3.Connection, user_id: str, span: Span
) -> set[tuple[int, int, str]]:
    """Return the keys of the rollups, the user's own aside, that count their events of a day."""
    selection = EventSelection(start_ms=span[0], end_ms=span[1], user_id=user_id)
    events = select_events(connection, selection)
    counted: set[tuple[int, int, str]] = set()
    while chunk := list(islice(events, _CHUNK)):
        counted.update(_keys(aggregate(chunk).rollups))
    return counted


def _keys(rollups: Iterable[RollupKey]) -> Iterable[tuple[int, int, str]]:
    for key in rollups:
        if key.kind is not RollupKind.USER:
            code = HOURS if "T" in key.period else KIND_CODES[key.kind]
            yield code, period_number(key.period), key.dimension


def _replace_hash(
    connection: sqlite3.Connection, hash: int, day: int, stand_in: int
) -> list[tuple[int, int, str]]:
    """Put another hash in the place of one in the day's sets, and return their keys."""
    changed: list[tuple[bytes, int, int, str]] = []
    for code in _DISTINCT_CODES:
        rows = connection.execute(
            "SELECT dimension, users FROM distinct_users WHERE kind = ? AND period = ?", (code, day)
        )
        for dimension, blob in rows.fetchall():
            users = Distinct.from_bytes(blob)
            if users.replace(hash, stand_in):
                changed.append((users.to_bytes(), code, day, dimension))
    connection.executemany(
        "UPDATE distinct_users SET users = ? WHERE kind = ? AND period = ? AND dimension = ?",
        changed,
    )
    return [(code, period, dimension) for _, code, period, dimension in changed]
