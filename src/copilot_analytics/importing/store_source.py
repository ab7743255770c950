"""Moves one store into another: its events, and what its rollups hold beyond them."""

from __future__ import annotations

import datetime as dt
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from ..aggregation import PatternDelta
from ..events import AnalyticsEvent
from ..periods import MAX_RANGE_DAYS, DateRange, day_of
from ..rollups import ACTIVITY, Pattern, Rollup, RollupKind
from ..stores import SQLiteStore, Store
from ..supplements import PatternSupplement, RollupSupplement, Supplement
from ..typing import Clock
from ._surplus import DayCounts, pattern_surplus
from .errors import ImportRefusedError
from .report import ImportReport
from .sources import Progress, WantedDays
from .staging import Stage

__all__ = ["SQLiteSource", "StoreSource"]

_TOGETHER = 1_000
_RANGES = 10
"""How many ranges of 400 days before today are looked for rollups: more than any store keeps."""


class StoreSource:
    """A store of ours, or anybody's.

    What is written to it while it is read may be missing, or counted in part: let nothing write.

    Args:
        store: the store; not closed.
        clock: tells which days there may be.
        days: which days are wanted.
    """

    def __init__(self, store: Store, *, clock: Clock, days: WantedDays | None = None) -> None:
        self._store = store
        self._clock = clock
        self._days = days or WantedDays()

    @property
    def name(self) -> str:
        """The store's URL."""
        return self._store.url

    def digest(self) -> str | None:
        """Return None: a store has to be read to tell what it holds."""
        return None

    def stage(self, stage: Stage, report: ImportReport, progress: Progress) -> str:
        """See `Source.stage`."""
        return _stage_store(
            self._store, stage, report, progress, now_ms=self._clock.now_ms(), wanted=self._days
        )


class SQLiteSource:
    """A file of the SQLite store, which others may go on writing to.

    It is copied first, by SQLite's own means, so that everything is of one moment.

    Args:
        path: the file.
        clock: tells which days there may be.
        days: which days are wanted.
    """

    def __init__(self, path: Path, *, clock: Clock, days: WantedDays | None = None) -> None:
        self._path = path
        self._clock = clock
        self._days = days or WantedDays()

    @property
    def name(self) -> str:
        """The file as a URL."""
        return f"sqlite:///{quote(str(self._path.absolute()))}"

    def digest(self) -> str | None:
        """Return None: a store has to be read to tell what it holds."""
        return None

    def stage(self, stage: Stage, report: ImportReport, progress: Progress) -> str:
        """See `Source.stage`; needs as much disk again, beside the stage, while it runs."""
        beside = None if stage.path is None else stage.path.parent
        with tempfile.TemporaryDirectory(prefix="copilot-analytics-import-", dir=beside) as folder:
            copy = Path(folder, "copy.db")
            self._copy(copy, progress)
            with SQLiteStore(copy, clock=self._clock) as store:
                return _stage_store(
                    store, stage, report, progress, now_ms=self._clock.now_ms(), wanted=self._days
                )

    def _copy(self, target: Path, progress: Progress) -> None:
        def tell(_status: int, left: int, total: int) -> None:
            progress("copying", total - left, total)

        try:
            with (
                closing(
                    sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
                ) as ours,
                closing(sqlite3.connect(target)) as copied,
            ):
                ours.backup(copied, pages=10_000, progress=tell)
        except sqlite3.Error as exc:
            raise ImportRefusedError(
                self.name, f"it cannot be read ({exc})", "give a file of the SQLite store"
            ) from exc


def _stage_store(
    store: Store,
    stage: Stage,
    report: ImportReport,
    progress: Progress,
    *,
    now_ms: int,
    wanted: WantedDays,
) -> str:
    """Put a store's events, and what its rollups hold beyond them, into a stage; see `Source`."""
    stage.clear_records()
    days = [day for day in _days_of(store, now_ms) if wanted.has(day)]
    lives: dict[str, PatternDelta] = {}
    numbers = iter(range(1, 1 << 62))
    for done, day in enumerate(days):
        progress("reading days", done, len(days))
        _stage_day(store, day, stage, report, numbers, lives)
    stage.add(_patterns(store, days, numbers, lives, whole=wanted.all))
    progress("reading days", len(days), len(days))
    digest = blake2b(digest_size=16)
    for body in stage.bodies():
        digest.update(len(body).to_bytes(4, "big") + body)
    return digest.hexdigest()


def _days_of(store: Store, now_ms: int) -> list[str]:
    """Return the days that a store has rollups of, in order."""
    # Whatever is recorded adds to the activity of its day.
    end = dt.date.fromisoformat(day_of(now_ms)) + dt.timedelta(days=1)
    days: set[str] = set()
    for _ in range(_RANGES):
        start = end - dt.timedelta(days=MAX_RANGE_DAYS - 1)
        days |= store.series(RollupKind.ACTIVITY, ACTIVITY, DateRange(start, end)).keys()
        end = start - dt.timedelta(days=1)
    return sorted(days)


def _stage_day(
    store: Store,
    day: str,
    stage: Stage,
    report: ImportReport,
    numbers: Iterator[int],
    lives: dict[str, PatternDelta],
) -> None:
    counts = DayCounts()
    with store.snapshot(dt.date.fromisoformat(day)) as snapshot:
        events = snapshot.events()
        while chunk := list(islice(events, _TOGETHER)):
            report.read += len(chunk)
            counts.add(chunk)
            stage.add(_renumbered(one, next(numbers)) for one in chunk)
        rows = counts.surplus(list(snapshot.rollups()), dict(snapshot.distinct()))
        supplements = [
            RollupSupplement(sequence=next(numbers), key=key, rollup=rollup, users=users)
            for key, rollup, users in rows
        ]
    stage.add(supplements)
    for dimension, delta in counts.patterns.items():
        life = lives.setdefault(dimension, delta)
        if life is not delta:
            life.add(delta)


def _renumbered(event: AnalyticsEvent, number: int) -> AnalyticsEvent:
    return AnalyticsEvent(
        event.event_id,
        event.event_type,
        event.user_id,
        event.timestamp,
        event.conversation_id,
        event.connection_id,
        event.metadata,
        "",
        number,
    )


def _patterns(
    store: Store,
    days: list[str],
    numbers: Iterator[int],
    lives: dict[str, PatternDelta],
    *,
    whole: bool,
) -> Iterator[Supplement]:
    """Yield what the lifetime rows of error patterns hold beyond the events."""
    rows: dict[str, Rollup] = {}
    for day in days:
        date = dt.date.fromisoformat(day)
        for name, rollup in store.totals(RollupKind.PATTERN, DateRange(date, date)).items():
            rows.setdefault(name, Rollup({})).add(rollup)
    names = sorted(rows)
    for start in range(0, len(names), _TOGETHER):
        found = store.patterns(names[start : start + _TOGETHER])
        for name in sorted(found):
            life = found[name] if whole else _of_days(found[name], rows[name])
            delta = pattern_surplus(life, lives.get(name))
            if delta is not None:
                yield PatternSupplement(sequence=next(numbers), dimension=name, delta=delta)


def _of_days(life: Pattern, rows: Rollup) -> Pattern:
    """Return a pattern as far as some of its days tell; its message and users are what they are."""
    return Pattern(
        life.dimension,
        life.error_type,
        life.message,
        rows.counters.get("count", 0),
        rows.first,
        rows.last,
        life.users,
    )
