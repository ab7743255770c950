"""Imports of NDJSON files, into real stores."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.errors import StoreUnavailableError
from copilot_analytics.events import EventType
from copilot_analytics.importing import (
    Importer,
    ImportRefusedError,
    NDJSONSource,
    Stage,
    WantedDays,
)
from copilot_analytics.periods import DAY_MS
from copilot_analytics.rollups import ACTIVITY, RollupKind
from copilot_analytics.store_samples import DAYS, NOW_MS, assert_holds, batches_of, event, numbered
from copilot_analytics.stores import MemoryStore, SQLiteStore, Store
from copilot_analytics.stores.base import EventSelection
from copilot_analytics.testing import FakeClock

from .importing import admitter, assert_same, imported, recorded, written


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    return SQLiteStore(tmp_path / "to.db", clock=FakeClock(NOW_MS))


def _original(events: list[Any]) -> MemoryStore:
    store = MemoryStore(clock=FakeClock(NOW_MS))
    for batch in batches_of(events, 100):
        store.write(batch)
    return store


def _events_of(store: Store) -> list[Any]:
    selection = EventSelection(start_ms=0, end_ms=NOW_MS + DAY_MS)
    return list(store.events(selection, limit=10_000, newest_first=False))


def _line(**fields: Any) -> bytes:
    event = {"eventType": "MESSAGE_SENT", "userId": "ada", "timestamp": NOW_MS, **fields}
    return json.dumps(event).encode() + b"\n"


def test_an_export_is_imported_to_the_last_digit(tmp_path: Path, store: SQLiteStore) -> None:
    """Every answer is the same, ids are kept; again, also without the state, nothing changes."""
    events = recorded(500)
    source = written(tmp_path / "events.ndjson", events)
    with store:
        report = imported(source, store, tmp_path / "state.db", batch_size=70)
        assert (report.read, report.events, report.written) == (500, 500, 500)
        assert report.finished
        assert not report.skipped
        assert report.days == DAYS.days
        for state in ("state.db", "other.db"):
            again = imported(source, store, tmp_path / state, batch_size=33)
            assert again.finished
            assert store.statistics()["events"] == 500
        assert_same(_original(events), store)
        assert {one.event_id for one in _events_of(store)} == {one.event_id for one in events}


def test_a_compressed_file_is_the_same_file(tmp_path: Path, store: SQLiteStore) -> None:
    """Its name says nothing; its content does."""
    events = recorded(50)
    plain = written(tmp_path / "events.ndjson", events)
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with store:
        assert imported(plain, store, None).written == 50
        report = imported(packed, store, None)
        assert report.held == 0
        assert store.statistics()["events"] == 50
        assert_same(_original(events), store)


def test_what_the_store_holds_from_others_is_left_alone(tmp_path: Path, store: SQLiteStore) -> None:
    """An export that overlaps another, or the copilot's own events, counts what is new."""
    events = recorded(300)
    with store:
        for batch in batches_of(events[:100], 40):
            store.write(batch)
        report = imported(written(tmp_path / "a", events[50:200]), store, tmp_path / "a.db")
        assert (report.held, report.written) == (50, 100)
        report = imported(written(tmp_path / "b", events), store, tmp_path / "b.db")
        assert (report.held, report.written) == (200, 100)
        assert_same(_original(events), store)


def test_bad_lines_are_counted_and_nothing_else_is_lost(tmp_path: Path, store: SQLiteStore) -> None:
    """By reason, with their numbers; blank lines are none."""
    lines = [
        b"\xef\xbb\xbf" + _line(eventId="a"),
        b"{}\n",
        b"[1]\n",
        b"not json\n",
        b"\n",
        _line(eventType="MADE_UP"),
        _line(timestamp="yesterday"),
        _line(timestamp=NOW_MS + DAY_MS),
        _line(timestamp=NOW_MS - 801 * DAY_MS),
        _line(userId=None),
        _line(metadata=[1]),
        _line(eventId="a"),
        b'"' + b"x" * (1 << 20) + b'"\n',
        _line(timestamp="2025-11-25T11:00:00+00:00", eventId="b")[:-1],
    ]
    source = tmp_path / "lines"
    source.write_bytes(b"".join(lines))
    with store:
        report = imported(source, store, None)
        assert report.skipped == {
            "unknown_type": 2,
            "not_an_object": 1,
            "not_json": 1,
            "bad_time": 1,
            "in_future": 1,
            "too_old": 1,
            "no_user": 1,
            "bad_metadata": 1,
            "duplicate": 1,
            "too_long": 1,
        }
        assert report.bad_lines[0] == (2, "unknown_type")
        assert report.bad_lines[-1] == (13, "too_long")
        assert report.written == 2
        assert [one.event_id for one in _events_of(store)] == ["b", "a"]


def test_strict_writes_nothing_for_one_bad_line(tmp_path: Path, store: SQLiteStore) -> None:
    """The error says which line, and no word of it."""
    source = tmp_path / "lines"
    source.write_bytes(_line() + b"{secret\n")
    with store:
        with pytest.raises(ImportRefusedError, match=r"line 2 .*not_json") as refused:
            imported(source, store, tmp_path / "state.db", strict=True)
        assert "secret" not in str(refused.value)
        assert store.statistics()["events"] == 0


def test_foreign_lines_carry_no_text_in(tmp_path: Path, store: SQLiteStore) -> None:
    """They are admitted like what is recorded: closed keys, redacted names, normalised errors."""
    source = tmp_path / "lines"
    source.write_bytes(
        _line(eventId="write me: bob@example.com", metadata={"content": "secret words"}, text="x")
        + _line(
            eventType="ERROR_OCCURRED",
            metadata={
                "errorType": "Denied",
                "errorMessage": "no entry for ann@example.com in '/home/ann'",
                "fingerprint": "1-made-up",
                "commandName": "mail bob@example.com",
                "parameters": {"to": "secret"},
            },
        )
    )
    with store:
        report = imported(source, store, None)
        assert report.dropped_values == {"unknown_key": 2}
        told = repr(_events_of(store))
        for word in ("secret", "example.com", "/home/ann", "made-up"):
            assert word not in told
        (pattern,) = store.totals(RollupKind.PATTERN, DAYS)
        assert store.patterns([pattern])[pattern].count == 1


def test_ids_that_are_missing_follow_from_the_lines(tmp_path: Path, store: SQLiteStore) -> None:
    """Equal lines are events of their own; a file that grew brings its new ones alone."""
    source = tmp_path / "lines"
    lines = [_line(), _line(), _line(userId="bob"), _line()]
    source.write_bytes(b"".join(lines))
    with store:
        assert imported(source, store, tmp_path / "one.db").written == 4
        source.write_bytes(_line(userId="eve") + b"".join(lines) + _line())
        report = imported(source, store, tmp_path / "one.db")
        assert (report.held, report.written) == (4, 2)
        total = store.totals(RollupKind.ACTIVITY, DAYS)[ACTIVITY]
        assert total.counters["messages"] == 6


def test_days_outside_the_range_are_left_out(tmp_path: Path, store: SQLiteStore) -> None:
    """Range after range, everything is imported once; overlapping ones are refused."""
    events = recorded(200)
    source = written(tmp_path / "events", events)
    state = tmp_path / "state.db"
    first = WantedDays.of(None, "2025-11-23")
    with store:
        report = imported(source, store, state, days=first)
        assert report.skipped["outside_range"] == 200 - report.written
        with pytest.raises(ImportRefusedError, match="imported before"):
            imported(source, store, state)
        imported(source, store, state, days=WantedDays.of("2025-11-24", None))
        assert_holds(store, _numbered_as_stored(store, events))


def _numbered_as_stored(store: Store, events: list[Any]) -> list[Any]:
    """Return what the store holds, which is to be these events but for writer and number."""
    held = _events_of(store)
    assert {one.event_id for one in held} == {one.event_id for one in events}
    return held


class _Failing(MemoryStore):
    """Fails at a write, half-way through an import."""

    writes = 3

    def write(self, batch: Batch) -> None:
        self.writes -= 1
        if self.writes == 0:
            raise OSError("gone")
        super().write(batch)


def test_an_import_goes_on_where_it_was(tmp_path: Path) -> None:
    """From its frozen copy; a file that has changed meanwhile is refused until that is done."""
    events = recorded(200)
    source = written(tmp_path / "events", events[:150])
    state = tmp_path / "state.db"
    store = _Failing(clock=FakeClock(NOW_MS))
    with pytest.raises(OSError, match="gone"):
        imported(source, store, state, batch_size=40)
    assert store.statistics()["events"] == 80
    written(source, events)
    with pytest.raises(ImportRefusedError, match=r"changed since .*--as-begun"):
        imported(source, store, state)
    with pytest.raises(ImportRefusedError, match="unfinished"):
        imported(source, store, state, days=WantedDays.of("2025-11-24", None))
    report = imported(source, store, state, as_begun=True, batch_size=7)
    assert (report.read, report.written, report.finished) == (150, 150, True)
    report = imported(source, store, state)
    assert (report.held, report.written) == (150, 50)
    assert_same(_original(events), store)


def test_what_others_wrote_since_it_was_interrupted_is_left_alone(tmp_path: Path) -> None:
    """Also then nothing is counted twice."""
    events = recorded(150)
    source = written(tmp_path / "events", events)
    state = tmp_path / "state.db"
    store = _Failing(clock=FakeClock(NOW_MS))
    with pytest.raises(OSError, match="gone"):
        imported(source, store, state, batch_size=40)
    imported(written(tmp_path / "late", events[120:]), store, None)
    report = imported(source, store, state)
    assert (report.held, report.written) == (30, 120)
    assert_same(_original(events), store)


class _Busy(MemoryStore):
    """Is away for some writes, after the first or from the start."""

    def __init__(self, works: int, away: int) -> None:
        super().__init__(clock=FakeClock(NOW_MS))
        self.works, self.away = works, away

    def write(self, batch: Batch) -> None:
        self.works -= 1
        if self.works < 0 and self.away:
            self.away -= 1
            raise StoreUnavailableError(self.url, "it is away", "wait")
        super().write(batch)


def test_a_store_that_is_away_for_a_while_is_waited_for(tmp_path: Path) -> None:
    """Not where it was never there: what is wrong then is told at once."""
    events = recorded(100)
    source = NDJSONSource(written(tmp_path / "events", events), admitter())
    pauses: list[float] = []
    for works, away, waited in ((1, 4, [1, 2, 4, 8]), (0, 1, []), (2, 99, [1, 2, 4, 8, 16])):
        store = _Busy(works, away)
        pauses.clear()
        with Stage(None) as stage:
            importer = Importer(source, store, stage, batch_size=30, sleep=pauses.append)
            if away == 4:
                assert importer.run().written == 100
            else:
                with pytest.raises(StoreUnavailableError):
                    importer.run()
        assert pauses == waited
        assert store.statistics()["events"] == (100 if away == 4 else 30 * works)


def test_events_past_their_retention_are_held_as_long_as_they_are_there(tmp_path: Path) -> None:
    """The store shows them no more, and has not deleted them yet."""
    events = recorded(60)
    late = FakeClock(NOW_MS + 100 * DAY_MS)
    with SQLiteStore(tmp_path / "to.db", clock=late) as store:
        now = event(EventType.MESSAGE_SENT, at=late.now_ms())
        store.write(Batch("copilot", numbered([now], "copilot")))  # it sweeps once an hour
        imported(written(tmp_path / "one", events[:40]), store, None)
        assert store.statistics()["events"] == 41
        report = imported(written(tmp_path / "two", events), store, None)
        assert (report.held, report.written) == (40, 20)


def test_a_dry_run_writes_nothing(tmp_path: Path, store: SQLiteStore) -> None:
    """It tells what would be written."""
    source = written(tmp_path / "events", recorded(60))
    with store:
        report = imported(source, store, None, dry=True)
        assert (report.events, report.written, report.finished) == (60, 0, False)
        assert store.statistics()["events"] == 0


def test_a_state_is_of_one_import_at_a_time(tmp_path: Path, store: SQLiteStore) -> None:
    """Of one source and store, and of one process."""
    state = tmp_path / "state.db"
    source = written(tmp_path / "events", recorded(5))
    with store:
        with Stage(state), pytest.raises(ImportRefusedError, match="another import"):
            imported(source, store, state)
        imported(source, store, state)
        with pytest.raises(ImportRefusedError, match="state of an import of"):
            imported(written(tmp_path / "other", recorded(5)), store, state)


def test_a_damaged_file_is_refused(tmp_path: Path, store: SQLiteStore) -> None:
    """Cut short, or not there; nothing of it is written."""
    packed = tmp_path / "events.gz"
    packed.write_bytes(gzip.compress(b"".join(_line() for _ in range(99)))[:-20])
    with store:
        for path in (packed, tmp_path / "missing"):
            with pytest.raises(ImportRefusedError, match="cannot be read"):
                imported(path, store, None)
        assert store.statistics()["events"] == 0
