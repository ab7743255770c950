"""The SQLite file: its tables, the codes in them, and how older files become newer ones.

Periods are whole days since 1970-01-01, and whole hours for `HOURS` rows: integers sort, range and
step as their dates do, in a third of the space. `date(period * 86400, 'unixepoch')` shows them.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from ..errors import StoreError, StoreSchemaError
from ..events import EventType
from ..rollups import HEADLINES, RollupKind

__all__ = [
    "EVENT_CODES",
    "EVENT_TYPES",
    "HOURS",
    "KINDS",
    "KIND_CODES",
    "SCHEMA_VERSION",
    "day_number",
    "headline_columns",
    "period_name",
    "period_number",
    "prepare",
]

APPLICATION_ID = 0x63_6F_70_61
"""Says whose file it is ("copa"); `file` and SQLite's own tools show it."""

EVENT_CODES: Mapping[EventType, int] = MappingProxyType(
    {
        EventType.MESSAGE_SENT: 1,
        EventType.INTENT_CLASSIFIED: 2,
        EventType.ACTION_EXECUTED: 3,
        EventType.ACTION_FAILED: 4,
        EventType.CLARIFICATION_REQUESTED: 5,
        EventType.STREAMING_STARTED: 6,
        EventType.STREAMING_COMPLETED: 7,
        EventType.STREAMING_INTERRUPTED: 8,
        EventType.MULTI_STEP_STARTED: 9,
        EventType.MULTI_STEP_COMPLETED: 10,
        EventType.MULTI_STEP_FAILED: 11,
        EventType.ERROR_OCCURRED: 12,
        EventType.WEBSOCKET_CONNECTED: 13,
        EventType.WEBSOCKET_DISCONNECTED: 14,
    }
)
"""What stands for an event type in `events.event_type`; stored, so never changed."""

EVENT_TYPES: Mapping[int, EventType] = MappingProxyType({n: t for t, n in EVENT_CODES.items()})

KIND_CODES: Mapping[RollupKind, int] = MappingProxyType(
    {
        RollupKind.ACTIVITY: 1,
        RollupKind.COMMAND: 2,
        RollupKind.INTENT: 3,
        RollupKind.ERROR: 4,
        RollupKind.PATTERN: 5,
        RollupKind.USER: 6,
    }
)
"""What stands for a rollup kind's days; stored, so never changed."""

HOURS = 0
"""What stands for the activity's hours: apart, so that reading days never steps over them."""

KINDS: Mapping[int, RollupKind] = MappingProxyType(
    {HOURS: RollupKind.ACTIVITY, **{n: kind for kind, n in KIND_CODES.items()}}
)

_EPOCH = dt.date(1970, 1, 1)
_COLUMNS = max(map(len, HEADLINES.values()))
_INITIAL = (
    # Without an index by user, which would make every insert half as dear again: a user's rollups
    # tell the days, and when on each, their events are to be looked for. WITHOUT ROWID is the
    # faster as long as there is no other index: each would repeat the whole key.
    """CREATE TABLE events (
        timestamp INTEGER NOT NULL,
        event_id TEXT NOT NULL,
        event_type INTEGER NOT NULL,
        user_id TEXT NOT NULL,
        conversation_id TEXT,
        connection_id TEXT,
        metadata TEXT NOT NULL,
        writer INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        PRIMARY KEY (timestamp, event_id)
    ) WITHOUT ROWID""",
    # n1 … n12 are the headline counters of the kind, in the order of `rollups.HEADLINES`: a range
    # is one SUM, and no blob is decoded.
    f"""CREATE TABLE rollups (
        kind INTEGER NOT NULL,
        period INTEGER NOT NULL,
        dimension TEXT NOT NULL,
        first INTEGER,
        last INTEGER,
        {", ".join(f"n{i} INTEGER NOT NULL DEFAULT 0" for i in range(1, _COLUMNS + 1))},
        PRIMARY KEY (kind, period, dimension)
    ) WITHOUT ROWID""",
    # Every other counter of a rollup, see `_sqlite_details.py`; too wide for WITHOUT ROWID.
    """CREATE TABLE details (
        kind INTEGER NOT NULL,
        period INTEGER NOT NULL,
        dimension TEXT NOT NULL,
        counters BLOB NOT NULL,
        PRIMARY KEY (kind, period, dimension)
    )""",
    # `Distinct.to_bytes`.
    """CREATE TABLE distinct_users (
        kind INTEGER NOT NULL,
        period INTEGER NOT NULL,
        dimension TEXT NOT NULL,
        users BLOB NOT NULL,
        PRIMARY KEY (kind, period, dimension)
    )""",
    """CREATE TABLE patterns (
        dimension TEXT NOT NULL PRIMARY KEY,
        error_type TEXT NOT NULL,
        message TEXT NOT NULL,
        count INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        users TEXT NOT NULL
    )""",
    """CREATE TABLE writers (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        last_sequence INTEGER NOT NULL,
        last_written INTEGER NOT NULL
    )""",
    "CREATE TABLE generations (day INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
    "CREATE TABLE leases (name TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL, until INTEGER)",
    # Kept beside the rows it counts: counting five million events takes seconds.
    "CREATE TABLE tallies (name TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL)",
    "INSERT INTO tallies VALUES ('events', 0)",
)

_ERASURE = (
    # Rollups that also count events erased since: a recount must not take them for wrong.
    """CREATE TABLE unbacked (
        kind INTEGER NOT NULL,
        period INTEGER NOT NULL,
        dimension TEXT NOT NULL,
        PRIMARY KEY (kind, period, dimension)
    ) WITHOUT ROWID""",
    # Tells processes that what they know of the file's distinct users may no longer hold.
    "INSERT INTO tallies VALUES ('erasures', 0)",
)

# Details have another form, which earlier releases cannot read. What is there is read as it is.
_HISTOGRAMS: tuple[str, ...] = ()

_MIGRATIONS: tuple[tuple[str, ...], ...] = (_INITIAL, _ERASURE, _HISTOGRAMS)
"""The statements that bring a file from version n (its place here) to n + 1; 0 is an empty file."""

SCHEMA_VERSION = len(_MIGRATIONS)


def prepare(connection: sqlite3.Connection, url: str) -> None:
    """Make an open file ours and current: write-ahead log, tables, migrations; idempotent.

    Raises:
        StoreSchemaError: the file is of a newer version, or somebody else's.
        StoreError: the file cannot have a write-ahead log.
        sqlite3.Error: the file cannot be read or written.
    """
    if _version(connection, url) < SCHEMA_VERSION:
        _upgrade(connection, url)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            url,
            f"its file system only takes a journal of mode {mode!r}, not a write-ahead log",
            "put the file on a local disk",
        )


def _version(connection: sqlite3.Connection, url: str) -> int:
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if owner != APPLICATION_ID:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if owner or version or tables:
            # Unless another process has made it ours between these looks.
            (owner,) = connection.execute("PRAGMA application_id").fetchone()
            if owner != APPLICATION_ID:
                raise StoreSchemaError(
                    url,
                    "the file is another application's database",
                    "give the path of a file that does not exist yet",
                )
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StoreSchemaError(
            url,
            f"its schema has version {version}, and this release knows {SCHEMA_VERSION} at most",
            "upgrade copilot-analytics, or give another path",
        )
    return int(version)


def _upgrade(connection: sqlite3.Connection, url: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Again: another process may have been faster.
        for statements in _MIGRATIONS[_version(connection, url) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def headline_columns(kind: RollupKind) -> tuple[str, ...]:
    """Return the columns of the kind's headline counters, in their order."""
    return tuple(f"n{i}" for i in range(1, len(HEADLINES[kind]) + 1))


def day_number(day: dt.date) -> int:
    """Return the days since 1970-01-01."""
    return (day - _EPOCH).days


# A batch has a handful of periods, an answer at most 400 days or 9,600 hours.
@lru_cache(maxsize=1024)
def period_number(period: str) -> int:
    """Return the number of a day (`YYYY-MM-DD`) or an hour (`YYYY-MM-DDTHH`)."""
    day = day_number(dt.date.fromisoformat(period[:10]))
    return day * 24 + int(period[11:]) if len(period) > 10 else day


def period_name(code: int, number: int) -> str:
    """Return the day or hour of a period's number in rows of a kind's code."""
    if code != HOURS:
        return (_EPOCH + dt.timedelta(days=number)).isoformat()
    days, hour = divmod(number, 24)
    return f"{_EPOCH + dt.timedelta(days=days)}T{hour:02d}"
