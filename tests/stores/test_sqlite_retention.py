"""What goes when: events by whole days, rollups by days, a chunk after each write."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.periods import DAY_MS, HOUR_MS, DateRange
from copilot_analytics.rollups import ACTIVITY, RollupKind
from copilot_analytics.store_samples import NOW_MS, event, numbered
from copilot_analytics.stores import SQLiteStore, _sqlite_retention
from copilot_analytics.testing import FakeClock
from copilot_analytics.verification import verify

DAY = dt.timedelta(days=1)
TODAY = dt.date(2025, 11, 25)
YEAR = DateRange(TODAY - 399 * DAY, TODAY)


class Copilot:
    """A store whose clock moves, and the events that it is given."""

    def __init__(self, path: Path, clock: FakeClock, writer: str = "writer") -> None:
        self.clock = clock
        self.store = SQLiteStore(path, clock=clock, event_retention_days=2, rollup_retention_days=5)
        self._writer = writer
        self._numbers = count(1)

    def write(self, *ages_ms: int, of: EventType = EventType.MESSAGE_SENT) -> None:
        """Write events of these ages in one batch."""
        now = self.clock.now_ms()
        events = [event(of, at=now - age, error_type="E", fingerprint="1-f") for age in ages_ms]
        self.store.write(Batch(self._writer, self._number(events)))

    def sweep(self) -> None:
        """Write until nothing is left to sweep; each write sweeps at most a chunk."""
        for _ in range(20):
            self.write(0)

    def events(self) -> list[dt.date]:
        """Return the days that events are kept of, without today's."""
        found = []
        for day in YEAR.each_day():
            date = dt.date.fromisoformat(day)
            with self.store.snapshot(date) as snapshot:
                found += [date for _ in snapshot.events()]
        return [date for date in found if date != self.today]

    def days(self, kind: RollupKind = RollupKind.ACTIVITY, dimension: str = ACTIVITY) -> set[str]:
        return set(self.store.series(kind, dimension, YEAR))

    @property
    def today(self) -> dt.date:
        return dt.date(1970, 1, 1) + self.clock.now_ms() // DAY_MS * DAY

    def _number(self, events: list[AnalyticsEvent]) -> list[AnalyticsEvent]:
        first = next(self._numbers)
        for _ in events[1:]:
            next(self._numbers)
        return numbered(events, self._writer, first=first)


@pytest.fixture
def copilot(tmp_path: Path) -> Iterator[Copilot]:
    one = Copilot(tmp_path / "analytics.db", FakeClock(NOW_MS - 10 * DAY_MS))
    yield one
    one.store.close()


def test_events_go_by_whole_days(copilot: Copilot) -> None:
    """A day of which nothing has expired is whole, so that a recount of it is either or neither."""
    for hour in range(0, 24 * 4, 6):
        copilot.write(hour * HOUR_MS)
    copilot.clock.advance(HOUR_MS)
    copilot.sweep()
    yesterday, before = copilot.today - DAY, copilot.today - 2 * DAY
    assert set(copilot.events()) == {yesterday, before}
    assert copilot.events().count(before) == 4
    today = copilot.store.statistics()["events"] - len(copilot.events())
    with copilot.store.snapshot(copilot.today) as snapshot:
        assert len(list(snapshot.events())) == today


def test_rollups_outlive_events_and_go_too(copilot: Copilot) -> None:
    start = copilot.today
    copilot.write(0, of=EventType.ERROR_OCCURRED)
    for age in range(1, 8):
        copilot.clock.advance(DAY_MS)
        copilot.write(0, of=EventType.ERROR_OCCURRED)
        copilot.sweep()
        kept = {(copilot.today - n * DAY).isoformat() for n in range(min(age, 4) + 1)}
        assert copilot.days() == kept
        assert copilot.days(RollupKind.ERROR, "E") == kept
        assert copilot.days(RollupKind.USER, "ada") == kept
        only = DateRange(start, start)
        assert bool(copilot.store.distinct(RollupKind.ERROR, ["E"], only)) is (age < 5)
        hours = copilot.store.series(RollupKind.ACTIVITY, ACTIVITY, only, hourly=True)
        assert bool(hours) is (age < 5)


def test_lifetimes_go_after_a_year_of_silence(copilot: Copilot) -> None:
    copilot.write(0, of=EventType.ERROR_OCCURRED)
    copilot.clock.advance(400 * DAY_MS)
    copilot.sweep()
    assert copilot.store.patterns(["1-f:E"])
    copilot.clock.advance(DAY_MS)
    copilot.sweep()
    assert not copilot.store.patterns(["1-f:E"])


def test_a_chunk_goes_with_each_write(copilot: Copilot, monkeypatch: pytest.MonkeyPatch) -> None:
    """No writer waits for the whole of a month's deletion."""
    monkeypatch.setattr(_sqlite_retention, "CHUNK_ROWS", 3)
    copilot.write(*range(10))
    copilot.clock.advance(3 * DAY_MS)
    left = []
    for _ in range(5):
        copilot.write(0)
        left.append(len(copilot.events()))
    assert left == [7, 4, 1, 0, 0]
    assert copilot.store.statistics()["events"] == 5


def test_a_recount_skips_what_has_expired(copilot: Copilot) -> None:
    copilot.write(0)
    day = copilot.today
    copilot.clock.advance(3 * DAY_MS)
    copilot.sweep()
    report = verify(copilot.store, DateRange(day, copilot.today))
    assert report.expired == [day.isoformat()]
    assert not report.differences


def test_a_day_written_to_after_it_expired_keeps_its_count(copilot: Copilot) -> None:
    """Users that the sweep deleted are not taken for stored."""
    copilot.write(0)
    copilot.clock.advance(6 * DAY_MS)
    copilot.sweep()
    day = copilot.today - 6 * DAY
    assert day.isoformat() not in copilot.days()
    copilot.write(6 * DAY_MS)
    users = copilot.store.distinct(RollupKind.ACTIVITY, [ACTIVITY], DateRange(day, day))
    assert [found.count().count for found in users.values()] == [1]


def test_one_process_sweeps_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other takes over five minutes after the first was last seen."""
    monkeypatch.setattr(_sqlite_retention, "CHUNK_ROWS", 2)
    clock = FakeClock(NOW_MS - 10 * DAY_MS)
    one = Copilot(tmp_path / "analytics.db", clock, "one")
    with one.store:
        one.write(*range(20))
        clock.advance(3 * DAY_MS)
        one.write(0)
        assert len(one.events()) == 18
        other = Copilot(tmp_path / "analytics.db", clock, "other")
        with other.store:
            other.write(0)
            assert len(one.events()) == 18
            one.write(0)
            assert len(one.events()) == 16
            clock.advance(5 * 60_000 + HOUR_MS)
            other.write(0)
            assert len(one.events()) == 14
            one.write(0)
            assert len(one.events()) == 14
            other.sweep()
            assert not one.events()


def test_a_clock_that_was_wrong_blocks_nobody(tmp_path: Path) -> None:
    """A lease, and the next try, from the far future are ignored."""
    clock = FakeClock(NOW_MS)
    one = Copilot(tmp_path / "analytics.db", clock)
    with one.store:
        clock.advance(365 * DAY_MS)
        one.write(0)
        clock.advance(-365 * DAY_MS)
        one.write(0)
        clock.advance(3 * DAY_MS)
        one.sweep()
        assert not one.events()


def test_a_writer_that_was_silent_for_a_day_is_still_known(copilot: Copilot) -> None:
    """Its numbers outlive its events, so that a late replay counts nothing twice."""
    copilot.write(0)
    day = copilot.today
    with copilot.store.snapshot(day) as snapshot:
        events = list(snapshot.events())
    copilot.clock.advance(4 * DAY_MS)
    other = Copilot(tmp_path_of(copilot), copilot.clock, "other")
    with other.store:
        other.sweep()
        assert not copilot.events()
        other.store.write(Batch("writer", events))
        totals = other.store.totals(RollupKind.ACTIVITY, DateRange(day, day))
    assert totals[ACTIVITY].counters["events"] == 1


def tmp_path_of(copilot: Copilot) -> Path:
    return Path(copilot.store.url.removeprefix("sqlite://"))
