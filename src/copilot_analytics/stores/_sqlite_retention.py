"""The sweep: what is older than its retention goes, a little after each write."""

from __future__ import annotations

import sqlite3

from ..periods import DAY_MS, HOUR_MS
from ._sqlite_schema import HOURS, KIND_CODES

__all__ = ["Sweep"]

CHUNK_ROWS = 10_000
"""Rows deleted in one transaction: some 50 ms, so that no writer waits long for the lock."""

_INTERVAL_MS = HOUR_MS
_LEASE_MS = 5 * 60_000
_LIFETIME_DAYS = 400
"""How long an error pattern's lifetime row, and a silent writer's number, are kept."""

_DELETE_ROLLUPS = (
    # The rollups last: what reads the others starts from them.
    *(
        f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} "
        "WHERE kind = ? AND period < ? ORDER BY period, dimension LIMIT ?)"
        for table in ("details", "distinct_users")
    ),
    *(
        f"DELETE FROM {table} WHERE (kind, period, dimension) IN (SELECT kind, period, dimension "
        f"FROM {table} WHERE kind = ? AND period < ? ORDER BY period, dimension LIMIT ?)"
        for table in ("unbacked", "rollups")
    ),
)


class Sweep:
    """Deletes what has outlived its retention: one chunk a step, one process at a time.

    Every process may try once an hour; the one that gets the lease keeps it by its steps, and
    when it is done leaves it taken for another hour. From a process that dies it may be taken
    after five minutes: a chunk is a transaction, and whoever comes next goes on.

    Args:
        holder: this process's name in the lease.
        event_retention_days: days of events that are kept whole, before today.
        rollup_retention_days: days of rollups that are kept, today included.
    """

    def __init__(
        self, holder: str, *, event_retention_days: int, rollup_retention_days: int
    ) -> None:
        self._holder = holder
        self._event_days = event_retention_days
        self._rollup_days = rollup_retention_days
        self._next_ms = 0
        self._running = False

    def first_event_day(self, now_ms: int) -> int:
        """Return the number of the first day whose events are kept."""
        return now_ms // DAY_MS - self._event_days

    def first_rollup_day(self, now_ms: int) -> int:
        """Return the number of the first day whose rollups are kept."""
        return now_ms // DAY_MS - self._rollup_days + 1

    def due(self, now_ms: int) -> bool:
        """Return whether `step` has something to do."""
        return self._running or not 0 < self._next_ms - now_ms <= _INTERVAL_MS

    def step(self, connection: sqlite3.Connection, now_ms: int) -> bool:
        """Delete one chunk, inside the transaction that the caller holds.

        Returns:
            Whether anything was deleted.
        """
        self._running = self._take_lease(connection, now_ms)
        deleted = self._running and self._delete_chunk(connection, now_ms)
        if deleted:
            return True
        if self._running:
            self._keep_lease(connection, now_ms + _INTERVAL_MS)
        self.postpone(now_ms)
        return False

    def postpone(self, now_ms: int) -> None:
        """Let an hour pass before the next try."""
        self._running = False
        self._next_ms = now_ms + _INTERVAL_MS

    def _take_lease(self, connection: sqlite3.Connection, now_ms: int) -> bool:
        found = connection.execute(
            "SELECT holder, until FROM leases WHERE name = 'sweep'"
        ).fetchone()
        if found is not None:
            holder, until = found
            ours = self._running and holder == self._holder
            # A lease from the far future was left by a clock that was wrong.
            if not ours and now_ms < until <= now_ms + _INTERVAL_MS:
                return False
        self._keep_lease(connection, now_ms + _LEASE_MS)
        return True

    def _keep_lease(self, connection: sqlite3.Connection, until: int) -> None:
        connection.execute(
            "INSERT INTO leases VALUES ('sweep', ?, ?) ON CONFLICT (name) "
            "DO UPDATE SET holder = excluded.holder, until = excluded.until",
            (self._holder, until),
        )

    def _delete_chunk(self, connection: sqlite3.Connection, now_ms: int) -> bool:
        today = now_ms // DAY_MS
        kept_day = self.first_rollup_day(now_ms)
        # Whole days only: a recount of a day sees all of its events, or none.
        events = connection.execute(
            "DELETE FROM events WHERE (timestamp, event_id) IN (SELECT timestamp, event_id "
            "FROM events WHERE timestamp < ? ORDER BY timestamp, event_id LIMIT ?)",
            (self.first_event_day(now_ms) * DAY_MS, CHUNK_ROWS),
        ).rowcount
        if events:
            connection.execute("UPDATE tallies SET n = n - ? WHERE name = 'events'", (events,))
            return True
        for code in (HOURS, *KIND_CODES.values()):
            before = kept_day * 24 if code == HOURS else kept_day
            for statement in _DELETE_ROLLUPS:
                if connection.execute(statement, (code, before, CHUNK_ROWS)).rowcount:
                    return True
        lifetime = (today - _LIFETIME_DAYS) * DAY_MS
        silent = (today - max(_LIFETIME_DAYS, self._event_days + 1)) * DAY_MS
        connection.execute("DELETE FROM patterns WHERE last < ?", (lifetime,))
        connection.execute("DELETE FROM writers WHERE last_written < ?", (silent,))
        connection.execute("DELETE FROM generations WHERE day < ?", (kept_day,))
        return False
