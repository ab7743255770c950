"""Moves of one store into another, with what no event backs any more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_analytics.aggregation import PatternDelta
from copilot_analytics.batch import Batch
from copilot_analytics.distinct import EXACT_BELOW, Distinct
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.importing import (
    Importer,
    ImportRefusedError,
    ImportReport,
    SQLiteSource,
    Stage,
    StoreSource,
    WantedDays,
)
from copilot_analytics.periods import DAY_MS, HOUR_MS
from copilot_analytics.rollups import ACTIVITY, Rollup, RollupKey, RollupKind
from copilot_analytics.store_samples import DAYS, NOW_MS, batches_of, event, numbered, sample_events
from copilot_analytics.stores import MemoryStore, SQLiteStore, Store
from copilot_analytics.supplements import PatternSupplement, RollupSupplement, Supplement
from copilot_analytics.testing import FakeClock
from copilot_analytics.verification import verify

from .importing import RANGE, assert_answers_same, assert_same


def _aged(path: Path, *, count: int = 300, users: int = 0) -> SQLiteStore:
    """Return a store that counts more than its events.

    Some days have lost them, a user is erased, some counts never had any, and of a day's users
    some are known by a sketch alone.
    """
    clock = FakeClock(NOW_MS)
    events = sample_events(count)
    crowd = [event(EventType.MESSAGE_SENT, f"c{n}", NOW_MS - 3 * DAY_MS) for n in range(users)]
    key = RollupKey(RollupKind.COMMAND, "search", RANGE.first_day)
    active = RollupKey(RollupKind.ACTIVITY, ACTIVITY, RANGE.last_day)
    counts = Rollup({"executions": 40, "successes": 40, "execution_us": 7}, NOW_MS - 5 * DAY_MS, 9)
    delta = PatternDelta("Error0", "earlier", 30, 5, NOW_MS - 4 * DAY_MS, ("zoe",))
    sketch = Distinct.of_registers([(5, 3), (9, 1)]).to_bytes()
    supplements: list[Supplement] = [
        RollupSupplement(sequence=1, key=key, rollup=counts),
        RollupSupplement(
            sequence=2, key=RollupKey(RollupKind.ACTIVITY, ACTIVITY, key.period), rollup=counts
        ),
        RollupSupplement(sequence=3, key=active, rollup=Rollup({}), users=sketch),
        PatternSupplement(sequence=4, dimension="1-0:Error0", delta=delta),
    ]
    with SQLiteStore(path, clock=clock) as store:
        for batch in batches_of(events, 90):
            store.write(batch)
        if crowd:
            store.write(Batch("crowd", numbered(crowd, "crowd")))
        store.write(Batch("imported", [], supplements=supplements))
        store.erase_user("eve")
    # Two days keep their events: a sweep that comes later takes the rest.
    later = FakeClock(NOW_MS + 2 * HOUR_MS)
    with SQLiteStore(path, clock=later, event_retention_days=1) as store:
        last = [event(EventType.MESSAGE_SENT, "ada"), event(EventType.MESSAGE_SENT, "bob")]
        for one in numbered(last, "late"):
            store.write(Batch("late", [one]))
        report = verify(store, DAYS)
        assert report.expired
        assert report.unbacked
    return SQLiteStore(path, clock=clock)


def _moved(
    path: Path,
    destination: Store,
    state: Path | None,
    *,
    days: WantedDays | None = None,
    batch_size: int | None = None,
) -> ImportReport:
    source = SQLiteSource(path, clock=FakeClock(NOW_MS), days=days)
    with Stage(state) as stage:
        return Importer(source, destination, stage, days=days, batch_size=batch_size).run()


@pytest.fixture(params=["sqlite", "memory"])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    clock = FakeClock(NOW_MS)
    store: Store = MemoryStore(clock=clock)
    if request.param == "sqlite":
        store = SQLiteStore(tmp_path / "to.db", clock=clock)
    with store:
        yield store


def test_a_move_changes_no_answer(tmp_path: Path, destination: Store) -> None:
    """Also to what no event backs; and repeated, with or without the state, it changes nothing."""
    with _aged(tmp_path / "from.db", users=EXACT_BELOW + 10) as source:
        report = _moved(tmp_path / "from.db", destination, tmp_path / "state.db", batch_size=50)
        assert report.finished
        assert report.written == report.events + report.supplements
        assert report.events == source.statistics()["events"] > 0
        assert report.supplements > 0
        assert report.patterns > 0
        assert_same(source, destination)
        assert_answers_same(source, destination)
        for state in ("state.db", "lost.db"):
            _moved(tmp_path / "from.db", destination, tmp_path / state, batch_size=17)
            assert_same(source, destination)


def test_a_move_works_between_any_two_stores(tmp_path: Path, destination: Store) -> None:
    """From the destination of a move, too."""
    with _aged(tmp_path / "from.db") as source:
        _moved(tmp_path / "from.db", destination, None)
        onward = SQLiteStore(tmp_path / "onward.db", clock=FakeClock(NOW_MS))
        with Stage(None) as stage, onward:
            Importer(StoreSource(destination, clock=FakeClock(NOW_MS)), onward, stage).run()
            assert_same(source, onward)


def test_a_move_is_of_one_moment(tmp_path: Path) -> None:
    """What is written to the source afterwards comes with the next move, once."""
    clock = FakeClock(NOW_MS)
    events = sample_events(200)
    state = tmp_path / "state.db"
    with (
        SQLiteStore(tmp_path / "from.db", clock=clock) as source,
        SQLiteStore(tmp_path / "to.db", clock=clock) as destination,
    ):
        source.write(Batch("writer", events[:120]))
        _moved(tmp_path / "from.db", destination, state)
        assert_same(source, destination)
        source.write(Batch("writer", events[120:]))
        report = _moved(tmp_path / "from.db", destination, state)
        assert (report.held, report.events, report.supplements) == (120, 80, 0)
        assert_same(source, destination)


def test_a_source_that_changed_brings_its_unbacked_counts_once(tmp_path: Path) -> None:
    """They were added by the first move; the second brings new events, and says so."""
    state = tmp_path / "state.db"
    clock = FakeClock(NOW_MS)
    with (
        _aged(tmp_path / "from.db") as source,
        SQLiteStore(tmp_path / "to.db", clock=clock) as destination,
    ):
        _moved(tmp_path / "from.db", destination, state)
        source.write(Batch("new", numbered([event(EventType.MESSAGE_SENT, "new")], "new")))
        report = _moved(tmp_path / "from.db", destination, state)
        assert (report.events, report.supplements) == (1, 0)
        assert any("no event backs" in note for note in report.notes)
        assert_same(source, destination)


def test_days_are_moved_one_after_the_other(tmp_path: Path, destination: Store) -> None:
    """In ranges that do not overlap; together they are the whole, lifetimes by their days."""
    clock = FakeClock(NOW_MS)
    events = sample_events(200)
    middle = DAYS.start + dt.timedelta(days=1)
    with SQLiteStore(tmp_path / "from.db", clock=clock) as source:
        source.write(Batch("writer", events))
        state = tmp_path / "state.db"
        later = WantedDays(middle + dt.timedelta(days=1), None)
        for days in (later, WantedDays(None, middle)):
            _moved(tmp_path / "from.db", destination, state, days=days)
        assert_same(source, destination)
        with pytest.raises(ImportRefusedError, match="imported before"):
            _moved(tmp_path / "from.db", destination, state)


def test_a_move_beside_what_is_recorded_adds_up(tmp_path: Path, destination: Store) -> None:
    """The copilot has been writing to the new store already."""
    clock = FakeClock(NOW_MS)
    mine = sample_events(150)
    theirs = sample_events(90, seed=1, writer="copilot")
    everything = MemoryStore(clock=clock)
    for batch in (Batch("writer", mine), Batch("copilot", theirs)):
        everything.write(batch)
    with SQLiteStore(tmp_path / "from.db", clock=clock) as source:
        source.write(Batch("writer", mine))
        destination.write(Batch("copilot", theirs))
        _moved(tmp_path / "from.db", destination, None, batch_size=40)
    assert_same(everything, destination)


def test_what_is_no_store_is_refused(tmp_path: Path, destination: Store) -> None:
    """It is said what is the matter, and nothing is made."""
    missing = tmp_path / "missing.db"
    with pytest.raises(ImportRefusedError, match="cannot be read"):
        _moved(missing, destination, None)
    assert not missing.exists()


def test_events_are_the_same_after_a_move(tmp_path: Path, destination: Store) -> None:
    """All but who wrote them."""
    clock = FakeClock(NOW_MS)
    with SQLiteStore(tmp_path / "from.db", clock=clock) as source:
        source.write(Batch("writer", sample_events(80)))
        _moved(tmp_path / "from.db", destination, None)
        for day in DAYS.each_day():
            date = dt.date.fromisoformat(day)
            with source.snapshot(date) as ours, destination.snapshot(date) as theirs:
                assert list(map(_said, ours.events())) == list(map(_said, theirs.events()))


def _said(one: AnalyticsEvent) -> tuple[object, ...]:
    return (
        one.event_id,
        one.event_type,
        one.user_id,
        one.timestamp,
        one.conversation_id,
        one.connection_id,
        one.metadata,
    )
