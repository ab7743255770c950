"""Erasure and the file: no copy of an id stays in it, and whatever else is kept beside events."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.errors import StoreUnavailableError
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.periods import DAY_MS, HOUR_MS, DateRange
from copilot_analytics.rollups import ACTIVITY, RollupKind
from copilot_analytics.store_samples import (
    DAYS,
    NOW_MS,
    batches_of,
    event,
    numbered,
    sample_events,
)
from copilot_analytics.stores import SQLiteStore, _sqlite_schema
from copilot_analytics.stores._sqlite_erasure import ErasureDay, days_to_erase
from copilot_analytics.stores.base import Erasure, EventSelection
from copilot_analytics.testing import FakeClock
from copilot_analytics.verification import verify

EVERYTHING = EventSelection(start_ms=0, end_ms=NOW_MS + 99 * DAY_MS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "analytics.db"


def one(user_id: str, at: int = NOW_MS) -> AnalyticsEvent:
    return event(
        EventType.ERROR_OCCURRED,
        user_id,
        at,
        error_type="Timeout",
        error_message="it took too long",
        fingerprint="1-f",
        command_name="search",
    )


def copies(path: Path, user_id: str) -> int:
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.read_bytes().count(user_id.encode()) for file in files if file.exists())


def test_no_copy_of_an_id_is_left_on_the_disk(path: Path) -> None:
    """Nor where rows had been moved before: by updates, by pages that were split, by the sweep."""
    rng = random.Random(1)
    users = [f"user-{rng.randbytes(8).hex()}" for _ in range(200)]
    seen = [one(rng.choice(users[: rng.randrange(1, 200)]), NOW_MS - n) for n in range(5_000)]
    rng.shuffle(seen)
    old = [one(user_id, NOW_MS - 91 * DAY_MS) for user_id in users]
    with SQLiteStore(path, clock=FakeClock(NOW_MS)) as store:
        for batch in batches_of(numbered([*old, *seen]), 150, 17, 330):
            store.write(batch)
        for user_id in rng.sample(users, 20):
            assert copies(path, user_id) > 0
            assert store.erase_user(user_id) != Erasure()
            assert copies(path, user_id) == 0
        assert not verify(store, DAYS).differences


def test_a_long_read_keeps_copies_and_the_caller_is_told(path: Path) -> None:
    with SQLiteStore(path, clock=FakeClock(NOW_MS), busy_timeout=0) as store:
        store.write(Batch("writer", numbered([one("a-long-id")])))
        with store.snapshot(DAYS.end) as snapshot:
            with pytest.raises(StoreUnavailableError, match="ask again when it has ended"):
                store.erase_user("a-long-id")
            assert len(list(snapshot.events())) == 1
        assert not store.events(EVERYTHING, limit=9)
        assert copies(path, "a-long-id") > 0
        assert store.erase_user("a-long-id") == Erasure()
        assert copies(path, "a-long-id") == 0


def test_other_processes_forget_whom_they_knew(path: Path) -> None:
    """They would otherwise take the hash that was replaced for one that is stored."""
    with (
        SQLiteStore(path, clock=FakeClock(NOW_MS)) as ours,
        SQLiteStore(path, clock=FakeClock(NOW_MS)) as theirs,
    ):
        theirs.write(Batch("theirs", numbered([one("ada")], "theirs")))
        ours.erase_user("ada")
        theirs.write(Batch("theirs", numbered([one("ada")], "theirs", first=2)))
        users = ours.distinct(RollupKind.ACTIVITY, [ACTIVITY], DAYS)[ACTIVITY]
        assert users.count().count == 2


def test_a_replay_does_not_bring_back_what_was_erased(path: Path) -> None:
    batch = Batch("writer", sample_events(60))
    with SQLiteStore(path, clock=FakeClock(NOW_MS)) as store:
        store.write(batch)
        store.erase_user("ada")
        store.write(batch)
        assert "ada" not in {found.user_id for found in store.events(EVERYTHING, limit=99)}


def test_what_has_expired_is_not_read_but_erased(path: Path) -> None:
    """Days go whole, and only when somebody writes."""
    clock = FakeClock(NOW_MS)
    ages = (0, 12 * HOUR_MS, 12 * HOUR_MS + 1, 2 * DAY_MS)
    events = numbered(one("ada", NOW_MS - age) for age in ages)
    with SQLiteStore(path, clock=clock, event_retention_days=2) as store:
        store.write(Batch("writer", events))
        clock.advance(2 * DAY_MS)
        for user_id in (None, "ada"):
            found = store.events(
                EventSelection(start_ms=0, end_ms=NOW_MS, user_id=user_id), limit=9
            )
            assert [NOW_MS - event.timestamp for event in found] == [0, 12 * HOUR_MS]
        assert store.erase_user("ada").events == len(events)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_user_is_found_also_where_rollups_are_kept_shorter(
    path: Path, newest_first: bool
) -> None:
    events = numbered(one(user, NOW_MS - n * DAY_MS) for n in range(5) for user in ("ada", "bob"))
    clock = FakeClock(NOW_MS)
    selection = EventSelection(start_ms=0, end_ms=NOW_MS, user_id="ada")
    with SQLiteStore(path, clock=clock, event_retention_days=9, rollup_retention_days=2) as store:
        for batch in batches_of(events, 1):
            store.write(batch)
        ages = [
            (NOW_MS - found.timestamp) // DAY_MS
            for found in store.events(selection, limit=9, newest_first=newest_first)
        ]
        assert ages == ([0, 1, 2, 3, 4] if newest_first else [4, 3, 2, 1, 0])
        assert store.erase_user("ada").events == 5


def test_the_marks_of_erasure_go_with_their_rollups(path: Path) -> None:
    clock = FakeClock(NOW_MS)
    with SQLiteStore(path, clock=clock, event_retention_days=1, rollup_retention_days=2) as store:
        store.write(Batch("writer", numbered([one("ada"), one("bob")])))
        store.erase_user("ada")
        with store.snapshot(DAYS.end) as snapshot:
            assert list(snapshot.unbacked())
        clock.advance(3 * DAY_MS)
        for batch in batches_of(numbered([one("bob", clock.now_ms())] * 40, "other"), 1):
            store.write(batch)
        with store.snapshot(DAYS.end) as snapshot:
            assert not list(snapshot.rollups())
            assert not list(snapshot.unbacked())


def test_a_file_of_the_first_version_can_be_erased_from(path: Path) -> None:
    first = sqlite3.connect(path)
    with first:
        for statement in _sqlite_schema._MIGRATIONS[0]:
            first.execute(statement)
        first.execute(f"PRAGMA application_id = {_sqlite_schema.APPLICATION_ID}")
        first.execute("PRAGMA user_version = 1")
    first.close()
    with SQLiteStore(path, clock=FakeClock(NOW_MS)) as store:
        store.write(Batch("writer", numbered([one("ada"), one("bob")])))
        assert store.erase_user("ada").events == 1
        assert not verify(store, DateRange(DAYS.end, DAYS.end)).differences


def test_what_is_written_while_days_are_looked_for_is_erased(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rollup by which it would be found goes with the day."""
    more = Batch("other", numbered([one("ada", NOW_MS + 1), one("ada", NOW_MS - 1)], "other"))

    def find_and_write(*args: Any) -> list[ErasureDay]:
        days = days_to_erase(*args)
        store.write(more)
        return days

    with SQLiteStore(path, clock=FakeClock(NOW_MS)) as store:
        store.write(Batch("writer", numbered([one("ada")])))
        monkeypatch.setattr("copilot_analytics.stores.sqlite.days_to_erase", find_and_write)
        assert store.erase_user("ada").events == 3
        assert not store.events(EVERYTHING, limit=9)
