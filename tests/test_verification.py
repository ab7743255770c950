"""The recount: silent on what is right, and exact about what is not."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.distinct import Distinct
from copilot_analytics.errors import StoreError
from copilot_analytics.events import EventType
from copilot_analytics.periods import DAY_MS, DateRange
from copilot_analytics.rollups import RollupKey, RollupKind
from copilot_analytics.store_samples import (
    DAYS,
    NOW_MS,
    batches_of,
    event,
    numbered,
    sample_events,
)
from copilot_analytics.stores import Correction, MemoryStore, SQLiteStore, Store
from copilot_analytics.testing import FakeClock
from copilot_analytics.verification import Difference, rebuild, verify

DAY, DAY_NUMBER = "2025-11-24", 20_416
EVENTS = sample_events(400)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "analytics.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with SQLiteStore(path, clock=FakeClock(NOW_MS)) as store:
        for batch in batches_of(EVENTS, 70):
            store.write(batch)
        yield store


def tamper(path: Path, statement: str, *values: object) -> None:
    """Change what the store holds behind its back; exactly one row."""
    connection = sqlite3.connect(path)
    with connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


def test_a_clean_store_is_all_equal(store: Store) -> None:
    seen: list[dt.date] = []
    report = verify(store, DAYS, progress=seen.append)
    assert [day.isoformat() for day in seen] == list(DAYS.each_day())
    assert not report.differences
    assert not report.unbacked
    assert not report.expired
    assert (report.days, report.events) == (4, 400)
    assert list(report.lines()) == [
        f"2025-11-22..2025-11-25: 400 events against {report.rows} rollups of 4 days: all equal"
    ]


def test_any_store_can_be_recounted() -> None:
    store = MemoryStore(clock=FakeClock(NOW_MS))
    store.write(Batch("writer", EVENTS))
    assert not verify(store, DAYS).differences


def test_more_than_a_chunk_of_events_is_counted_whole(tmp_path: Path) -> None:
    """Users beyond the exact set too."""
    events = numbered(event(EventType.MESSAGE_SENT, f"user-{n % 700}") for n in range(5_100))
    with SQLiteStore(tmp_path / "analytics.db", clock=FakeClock(NOW_MS)) as store:
        store.write(Batch("writer", events))
        report = verify(store, DateRange(DAYS.end, DAYS.end))
    assert report.events == 5_100
    assert not report.differences


@pytest.mark.parametrize(
    ("statement", "kind", "dimension", "counter", "change"),
    [
        ("n1 = n1 + 1 WHERE kind = 1", RollupKind.ACTIVITY, "all", "events", 1),
        (
            "n2 = n2 - 1 WHERE kind = 2 AND dimension = 'search'",
            RollupKind.COMMAND,
            "search",
            "successes",
            -1,
        ),
        (
            "first = first - 5 WHERE kind = 4 AND dimension = 'Error0'",
            RollupKind.ERROR,
            "Error0",
            "first",
            -5,
        ),
        ("last = last + 7 WHERE kind = 6 AND dimension = 'ada'", RollupKind.USER, "ada", "last", 7),
    ],
)
def test_a_tampered_counter_is_found(
    store: Store,
    path: Path,
    statement: str,
    kind: RollupKind,
    dimension: str,
    counter: str,
    change: int,
) -> None:
    tamper(path, f"UPDATE rollups SET {statement} AND period = ?", DAY_NUMBER)
    report = verify(store, DAYS)
    (found,) = report.differences
    assert found.key == RollupKey(kind, dimension, DAY)
    assert found.counter == counter
    assert found.stored == found.recounted + change
    first, last = report.lines()
    assert first == (
        f"{DAY} {kind.value} {dimension}: {counter} is {found.stored}, "
        f"its events give {found.recounted}"
    )
    assert last.endswith(": 1 difference")


def test_a_tampered_user_count_is_found(store: Store, path: Path) -> None:
    tamper(
        path,
        "UPDATE distinct_users SET users = ? WHERE kind = 1 AND period = "
        "(SELECT max(period) FROM distinct_users)",
        Distinct.of([1, 2, 3]).to_bytes(),
    )
    (found,) = verify(store, DAYS).differences
    assert (found.key.dimension, found.counter, found.stored) == ("all", "distinct", 3)


def test_a_missing_hour_is_found(store: Store, path: Path) -> None:
    tamper(
        path,
        "DELETE FROM rollups WHERE kind = 0 AND period = "
        "(SELECT min(period) FROM rollups WHERE kind = 0 AND period >= ?)",
        DAY_NUMBER * 24,
    )
    report = verify(store, DAYS)
    (key,) = {found.key for found in report.differences}
    assert key.period.startswith(f"{DAY}T")
    assert {"events", "first", "last"} <= {found.counter for found in report.differences}


def test_a_missing_day_is_found_in_every_kind(store: Store, path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for table in ("rollups", "details", "distinct_users"):
            connection.execute(f"DELETE FROM {table} WHERE kind > 0 AND period = ?", (DAY_NUMBER,))
    connection.close()
    report = verify(store, DAYS)
    assert {found.key.period for found in report.differences} == {DAY}
    assert {found.key.kind for found in report.differences} == set(RollupKind)
    assert all(found.stored == 0 < found.recounted for found in report.differences)
    events = sum(one.timestamp // DAY_MS == DAY_NUMBER for one in EVENTS)
    key = RollupKey(RollupKind.ACTIVITY, "all", DAY)
    assert Difference(key, "events", 0, events) in report.differences
    assert f"{len(report.differences)} differences" in str(report)


def test_missing_events_are_found(store: Store, path: Path) -> None:
    tamper(path, "DELETE FROM events WHERE sequence = 1")
    report = verify(store, DAYS)
    lost = EVENTS[0]
    found = {(one.key.kind, one.counter): one for one in report.differences}
    one = found[RollupKind.ACTIVITY, f"e.{lost.event_type}"]
    assert one.stored == one.recounted + 1


def test_counts_that_no_event_backs_are_reported_apart(store: Store, path: Path) -> None:
    tamper(
        path,
        "INSERT INTO rollups (kind, period, dimension, n1) VALUES (2, ?, 'bought', 9)",
        DAY_NUMBER,
    )
    report = verify(store, DAYS)
    assert not report.differences
    assert report.unbacked == [RollupKey(RollupKind.COMMAND, "bought", DAY)]
    assert next(report.lines()) == f"{DAY} command bought: counts what no event backs; left alone"


def test_a_day_without_events_any_more_is_skipped(store: Store, path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM events WHERE timestamp < ?", (DAYS.start_ms + DAY_MS,))
    connection.close()
    report = verify(store, DAYS)
    assert report.days == 3
    assert report.expired == ["2025-11-22"]
    assert not report.differences
    assert "2025-11-22: skipped, its events are no longer kept" in str(report)


def test_writing_meanwhile_makes_no_difference(store: Store) -> None:
    """Each day is read as of one moment."""
    more = iter(list(batches_of(numbered(sample_events(80, seed=1), "other"), 20)))
    report = verify(store, DAYS, progress=lambda _: store.write(next(more)))
    assert not report.differences
    assert not verify(store, DAYS).differences


def test_a_store_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="create its directory"):
        verify(SQLiteStore(tmp_path / "none" / "analytics.db"), DAYS)


def test_what_was_erased_is_no_difference(store: Store) -> None:
    """But told apart, and only where the user's events had been counted."""
    store.erase_user("ada")
    report = verify(store, DAYS)
    assert not report.differences
    assert report.events < 400
    counted = {key for key in report.unbacked if key.period == DAY}
    assert RollupKey(RollupKind.ACTIVITY, "all", DAY) in counted
    assert not {key for key in report.unbacked if key.kind is RollupKind.USER}
    assert f"{DAY} activity all: counts what no event backs; left alone" in list(report.lines())


@pytest.mark.parametrize(
    ("change", "counter"),
    [("n1 = 1", "events"), ("last = first", "last"), ("first = last", "first")],
)
def test_a_loss_is_found_also_beside_what_was_erased(
    store: Store, path: Path, change: str, counter: str
) -> None:
    store.erase_user("ada")
    tamper(path, f"UPDATE rollups SET {change} WHERE kind = 1 AND period = ?", DAY_NUMBER)
    (found,) = verify(store, DAYS).differences
    assert (found.key.dimension, found.counter) == ("all", counter)


def test_lost_users_are_found_also_beside_those_who_were_erased(store: Store, path: Path) -> None:
    store.erase_user("ada")
    tamper(
        path,
        "UPDATE distinct_users SET users = ? WHERE kind = 1 AND period = ?",
        Distinct.of([1, 2, 3]).to_bytes(),
        DAY_NUMBER,
    )
    (found,) = verify(store, DAYS).differences
    assert (found.key.dimension, found.counter, found.stored) == ("all", "distinct", 3)


def test_rebuild_tells_what_it_corrected(path: Path, store: Store) -> None:
    tamper(
        path,
        "UPDATE rollups SET n1 = n1 + 1 WHERE kind = 2 AND dimension = 'search' AND period = ?",
        DAY_NUMBER,
    )
    seen: list[dt.date] = []

    report = rebuild(store, DAYS, now_ms=NOW_MS, event_retention_days=90, progress=seen.append)

    assert [day.isoformat() for day in seen] == list(DAYS.each_day())
    assert list(report.lines()) == [
        f"{DAY} command search: corrected",
        "2025-11-22..2025-11-25: 4 days recounted, 1 rollup corrected, 0 differences left",
    ]
    assert not verify(store, DAYS).differences


def test_rebuild_never_lowers_the_oldest_day_that_has_events(path: Path, store: Store) -> None:
    """Its events may have been deleted in part, as those of the day before it were."""
    oldest = (DAY_NUMBER - 2) * DAY_MS
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM events WHERE timestamp < ?", (oldest + DAY_MS * 3 // 2,))
        connection.execute(
            "UPDATE rollups SET n1 = 0 WHERE kind = 1 AND period = ?", (DAY_NUMBER - 1,)
        )
    connection.close()
    days = DateRange(DAYS.start + dt.timedelta(days=1), DAYS.end)

    report = rebuild(store, days, now_ms=NOW_MS, event_retention_days=90)

    assert report.corrected == []
    assert {reason for _, reason in report.left} == {"events of its day may have been deleted"}
    assert any("left alone, events of its day" in line for line in report.lines())


def test_rebuild_gives_up_on_what_is_written_to_all_the_time(store: Store, path: Path) -> None:
    class Busy(SQLiteStore):
        """Somebody else writes between each recount and its correction."""

        def correct(self, corrections: Sequence[Correction]) -> Sequence[RollupKey]:
            tamper(
                path,
                "UPDATE rollups SET n2 = n2 + 1 WHERE kind = 2 AND dimension = 'search' "
                "AND period = ?",
                DAY_NUMBER,
            )
            return super().correct(corrections)

    tamper(
        path,
        "UPDATE rollups SET n1 = n1 + 1 WHERE kind = 2 AND dimension = 'search' AND period = ?",
        DAY_NUMBER,
    )
    with Busy(path, clock=FakeClock(NOW_MS)) as busy:
        report = rebuild(busy, DAYS, now_ms=NOW_MS, event_retention_days=90)

    assert report.corrected == []
    assert {reason for _, reason in report.left} == {"it is being written to"}


def test_rebuild_leaves_other_stores_alone() -> None:
    with pytest.raises(StoreError, match="cannot be corrected in place"):
        Store.correct(MemoryStore(), ())
