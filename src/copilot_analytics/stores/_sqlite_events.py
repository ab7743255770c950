"""Reading single events: by time, and by user through the days on which they have rollups."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from ..encoding import decode_metadata
from ..events import AnalyticsEvent
from ..periods import DAY_MS
from ..rollups import RollupKind
from ._sqlite_schema import EVENT_CODES, EVENT_TYPES, KIND_CODES
from .base import EventSelection

__all__ = ["Span", "select_events", "user_spans", "whole_day"]

Span = tuple[int, int]
"""A first and a last timestamp, epoch milliseconds, both inclusive."""

_SELECT = (
    # Not a join that SQLite may turn round: the order is that of the events.
    "SELECT event_id, event_type, user_id, timestamp, conversation_id, connection_id, metadata, "
    "name, sequence FROM events CROSS JOIN writers ON writers.id = writer "
    "WHERE timestamp BETWEEN :first AND :last"
)
_USER_DAYS = (
    "WITH RECURSIVE periods (p) AS "
    "(SELECT :first UNION ALL SELECT p + 1 FROM periods WHERE p < :last) "
    "SELECT first, last FROM periods CROSS JOIN rollups "
    "ON kind = :kind AND period = p AND dimension = :user"
)


def select_events(
    connection: sqlite3.Connection,
    selection: EventSelection,
    *,
    after: tuple[int, str] | None = None,
    limit: int = -1,
    newest_first: bool = False,
) -> Iterator[AnalyticsEvent]:
    """Yield the events of a selection, in order, after a position; -1 is no limit.

    A user's are found by looking at everything in the span: give one that holds little else.
    """
    first, last = selection.start_ms, selection.end_ms
    values: dict[str, Any] = {"limit": limit}
    conditions = ""
    if after is not None:
        values["timestamp"], values["event_id"] = after
        conditions = (
            f" AND (timestamp, event_id) {'<' if newest_first else '>'} (:timestamp, :event_id)"
        )
        first, last = (first, min(last, after[0])) if newest_first else (max(first, after[0]), last)
    if selection.event_type is not None:
        values["type"] = EVENT_CODES[selection.event_type]
        conditions += " AND event_type = :type"
    if selection.user_id is not None:
        values["user"] = selection.user_id
        conditions += " AND user_id = :user"
    direction = "DESC" if newest_first else "ASC"
    rows = connection.execute(
        f"{_SELECT}{conditions} ORDER BY timestamp {direction}, event_id {direction} LIMIT :limit",
        {**values, "first": first, "last": last},
    )
    for event_id, event_type, user, timestamp, talk, socket, metadata, writer, number in rows:
        yield AnalyticsEvent(
            event_id=event_id,
            event_type=EVENT_TYPES[event_type],
            user_id=user,
            timestamp=timestamp,
            conversation_id=talk,
            connection_id=socket,
            metadata=decode_metadata(metadata),
            writer=writer,
            sequence=number,
        )


def user_spans(
    connection: sqlite3.Connection, user_id: str, first_day: int, last_day: int
) -> list[Span]:
    """Return when a signed-in user was seen first and last on each of their days, in order."""
    bounds = {
        "kind": KIND_CODES[RollupKind.USER],
        "first": first_day,
        "last": last_day,
        "user": user_id,
    }
    return connection.execute(_USER_DAYS, bounds).fetchall() if first_day <= last_day else []


def whole_day(day: int) -> list[Span]:
    """Return the span of a day, by its number, alone in a list as `user_spans` has it."""
    return [(day * DAY_MS, day * DAY_MS + DAY_MS - 1)]
