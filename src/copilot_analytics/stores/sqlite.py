"""The default store: one SQLite file, which several processes on one machine may share."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from ..batch import Batch
from ..distinct import Distinct, random_hash
from ..errors import ConfigurationError, StoreError
from ..events import ANONYMOUS_PREFIX, AnalyticsEvent
from ..ids import new_id
from ..periods import DAY_MS, DateRange
from ..queries import DistinctUsers
from ..rollups import Pattern, Rollup, RollupKey, RollupKind
from ..typing import Clock, SystemClock
from ._sqlite_connections import Connections
from ._sqlite_correcting import correct
from ._sqlite_erasure import days_to_erase, erase_day, erase_from_patterns
from ._sqlite_events import Span, select_events, user_spans
from ._sqlite_reading import (
    SERIES,
    DaySnapshot,
    details_of,
    patterns_of,
    rollup_of,
    totals_of,
    users_of,
)
from ._sqlite_retention import Sweep
from ._sqlite_schema import (
    HOURS,
    KIND_CODES,
    day_number,
    period_name,
)
from ._sqlite_writing import KnownUsers, write_batch
from .base import Correction, Erasure, EventSelection, Snapshot, Store

__all__ = ["SQLiteStore"]


class SQLiteStore(Store):
    """Keeps everything in one SQLite file with a write-ahead log.

    Constructing it does not touch the disk. Writes wait for other processes' writes; reads wait
    for nothing and see one moment each. What has outlived its retention is deleted a chunk after
    each write. Thread-safe; a forked child opens connections of its own.

    Args:
        path_or_url: a path, or `sqlite:///relative.db`, `sqlite:////absolute.db`; its directory
            must exist, on a local disk.
        clock: tells which days have ended and what has outlived its retention.
        event_retention_days: how many whole days of events are kept before today.
        rollup_retention_days: how many days of rollups are kept, today included.
        synchronous: `NORMAL` survives a crash of the process; after a power cut the last writes
            may be gone, whole ones. `FULL` survives that too, at a quarter of the rate.
        busy_timeout: how long a write waits for other processes' writes, in seconds.

    Raises:
        ConfigurationError: it is no such path or URL, or an option is out of its bounds.
    """

    def __init__(
        self,
        path_or_url: str | Path,
        *,
        clock: Clock | None = None,
        event_retention_days: int = 90,
        rollup_retention_days: int = 800,
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        busy_timeout: float = 5.0,
    ) -> None:
        path = _path_of(path_or_url)
        _check(event_retention_days >= 1, "event_retention_days", event_retention_days)
        _check(rollup_retention_days >= 1, "rollup_retention_days", rollup_retention_days)
        _check(busy_timeout >= 0, "busy_timeout", busy_timeout)
        if synchronous not in ("NORMAL", "FULL"):
            raise ConfigurationError("synchronous", synchronous, "give NORMAL or FULL")
        self._url = f"sqlite:///{quote(str(path))}"
        self._clock = clock or SystemClock()
        self._known = KnownUsers()
        self._sweep = Sweep(
            new_id(),
            event_retention_days=event_retention_days,
            rollup_retention_days=rollup_retention_days,
        )
        self._path = path.absolute()
        self._connections = Connections(
            self._path, self._url, synchronous=synchronous, busy_timeout=busy_timeout
        )

    @property
    def url(self) -> str:
        """Where it is: `sqlite:///` and the path."""
        return self._url

    @property
    def path(self) -> Path:
        """The file, absolute."""
        return self._path

    def open(self) -> None:
        """Open or create the file; see `Store.open`.

        Raises:
            StoreUnavailableError: it cannot be created, read or written to.
            StoreSchemaError: it is of a newer version, another application's, or no database.
            StoreError: it is on a network file system.
        """
        self._connections.open()

    def close(self) -> None:
        """Close the connections; see `Store.close`. The file may change hands then."""
        self._connections.close()
        self._known.clear()

    def write(self, batch: Batch) -> None:
        """Add a batch once; see `Store.write`."""
        now_ms = self._clock.now_ms()
        # Other processes wait while the transaction is open: count before it.
        _ = batch.deltas
        with self._connections.writing() as connection:
            stored = write_batch(connection, batch, self._known, now_ms=now_ms)
        self._known.learn(stored)
        if self._sweep.due(now_ms):
            self._sweep_chunk(now_ms)

    def _sweep_chunk(self, now_ms: int) -> None:
        # The batch is written: what happens here must not make it look as if it were not.
        try:
            with self._connections.writing() as connection:
                deleted = self._sweep.step(connection, now_ms)
        except StoreError:
            self._sweep.postpone(now_ms)
        else:
            if deleted:
                self._known.clear()

    def totals(
        self,
        kind: RollupKind,
        range: DateRange,
        dimensions: Collection[str] | None = None,
        *,
        detail: bool = False,
    ) -> dict[str, Rollup]:
        """See `Store.totals`."""
        with self._connections.reading() as connection:
            rollups = dict(totals_of(connection, kind, range, dimensions))
            if detail:
                for dimension, counters in details_of(connection, kind, range, dimensions):
                    rollups[dimension].counters.update(counters)
        return rollups

    def series(
        self,
        kind: RollupKind,
        dimension: str,
        range: DateRange,
        *,
        hourly: bool = False,
        detail: bool = True,
    ) -> dict[str, Rollup]:
        """See `Store.series`."""
        code, first, last = KIND_CODES[kind], day_number(range.start), day_number(range.end)
        if hourly:
            if kind is not RollupKind.ACTIVITY:
                return {}
            code, first, last = HOURS, first * 24, last * 24 + 23
        bounds = {"kind": code, "first": first, "last": last, "dimension": dimension}
        with self._connections.reading() as connection:
            rows = connection.execute(SERIES[kind, detail], bounds)
            return {
                period_name(code, period): rollup_of(kind, row, stored)
                for period, stored, *row in rows
            }

    def distinct(
        self, kind: RollupKind, dimensions: Sequence[str], range: DateRange
    ) -> dict[str, Distinct]:
        """See `Store.distinct`."""
        with self._connections.reading() as connection:
            return dict(users_of(connection, kind, range, dimensions))

    def count_distinct(
        self, kind: RollupKind, dimensions: Sequence[str], range: DateRange
    ) -> dict[str, DistinctUsers]:
        """See `Store.count_distinct`; the users of a few dimensions are in memory at a time."""
        with self._connections.reading() as connection:
            found = users_of(connection, kind, range, dimensions)
            return {dimension: users.count() for dimension, users in found}

    def patterns(self, dimensions: Collection[str]) -> dict[str, Pattern]:
        """See `Store.patterns`."""
        with self._connections.reading() as connection:
            return {found.dimension: found for found in patterns_of(connection, dimensions)}

    def generations(self, range: DateRange) -> int:
        """See `Store.generations`: the sum over the days."""
        with self._connections.reading() as connection:
            (total,) = connection.execute(
                "SELECT coalesce(sum(n), 0) FROM generations WHERE day BETWEEN ? AND ?",
                (day_number(range.start), day_number(range.end)),
            ).fetchone()
        return int(total)

    @contextlib.contextmanager
    def snapshot(self, day: dt.date) -> Iterator[Snapshot]:
        """See `Store.snapshot`; the log cannot shrink meanwhile."""
        with self._connections.reading() as connection:
            # A transaction sees the moment of its first read, not of its BEGIN.
            connection.execute("SELECT n FROM tallies").fetchone()
            yield DaySnapshot(connection, day)

    def events(
        self,
        selection: EventSelection,
        *,
        after: tuple[int, str] | None = None,
        limit: int,
        newest_first: bool = True,
    ) -> Sequence[AnalyticsEvent]:
        """See `Store.events`.

        A user's days are looked up, and between their first and last event on each everybody's are
        looked at; of somebody who was not signed in, no days are known.
        """
        kept_ms = self._sweep.first_event_day(self._clock.now_ms()) * DAY_MS
        selection = replace(selection, start_ms=max(selection.start_ms, kept_ms))
        found: list[AnalyticsEvent] = []
        with self._connections.reading() as connection:
            spans = self._spans(connection, selection)
            for first, last in reversed(spans) if newest_first else spans:
                part = replace(
                    selection,
                    start_ms=max(first, selection.start_ms),
                    end_ms=min(last, selection.end_ms),
                )
                found += select_events(
                    connection,
                    part,
                    after=after,
                    limit=limit - len(found),
                    newest_first=newest_first,
                )
                if len(found) >= limit:
                    break
        return found

    def _spans(self, connection: sqlite3.Connection, selection: EventSelection) -> list[Span]:
        user_id, span = selection.user_id, (selection.start_ms, selection.end_ms)
        if user_id is None or user_id.startswith(ANONYMOUS_PREFIX):
            return [span]
        newest = connection.execute("SELECT max(timestamp) FROM events").fetchone()[0]
        if newest is None:
            return []
        # Every day of the span is looked up: not those for ever after the last event.
        first, last = selection.start_ms // DAY_MS, min(selection.end_ms, newest) // DAY_MS
        # Before it, a missing rollup tells nothing.
        known = max(first, self._sweep.first_rollup_day(self._clock.now_ms()))
        unknown = [(span[0], known * DAY_MS - 1)] if first < known else []
        return [*unknown, *user_spans(connection, user_id, known, last)]

    def erase_user(self, user_id: str) -> Erasure:
        """See `Store.erase_user`; a transaction for each of the user's days.

        What is deleted is overwritten, and the log is emptied at the end: no copy of the id is left
        on the disk.

        Raises:
            StoreUnavailableError: also where the user is erased, but a long read holds the log,
                which keeps copies until the read has ended and this is called again.
        """
        now_ms = self._clock.now_ms()
        stand_in = random_hash()
        erased = Erasure()
        with self._connections.reading() as connection:
            first_kept = self._sweep.first_rollup_day(now_ms)
            days = days_to_erase(connection, user_id, first_kept)
        for day in days:
            with self._connections.writing() as connection:
                erased += erase_day(connection, user_id, day, stand_in, now_ms=now_ms)
        with self._connections.writing() as connection:
            erased += erase_from_patterns(connection, user_id)
        self._known.clear()
        self._connections.truncate_log()
        return erased

    def correct(self, corrections: Sequence[Correction]) -> Sequence[RollupKey]:
        """See `Store.correct`: one transaction, all or nothing."""
        with self._connections.writing() as connection:
            corrected = correct(connection, corrections, now_ms=self._clock.now_ms())
        self._known.clear()
        return corrected

    def statistics(self) -> Mapping[str, int]:
        """Return `events`, `bytes` (the file's, without its log) and `freeBytes` (of these)."""
        with self._connections.reading() as connection:
            (events,) = connection.execute("SELECT n FROM tallies WHERE name = 'events'").fetchone()
            size, pages, free = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_size", "page_count", "freelist_count")
            )
        return {"events": events, "bytes": pages * size, "freeBytes": free * size}


def _path_of(path_or_url: str | Path) -> Path:
    text = str(path_or_url)
    if isinstance(path_or_url, str) and text.startswith("sqlite:"):
        if not text.startswith("sqlite:///") or text.partition("?")[1]:
            raise ConfigurationError(
                "store", text, "give sqlite:///relative.db or sqlite:////absolute/path.db"
            )
        text = unquote(text.removeprefix("sqlite:///"))
    if text in ("", ".", ":memory:") or "\0" in text:
        raise ConfigurationError(
            "store", path_or_url, "give the path of a file; memory:// is the store for tests"
        )
    return Path(text)


def _check(valid: bool, setting: str, value: float) -> None:
    if not valid:
        raise ConfigurationError(setting, value, "give a larger number")
