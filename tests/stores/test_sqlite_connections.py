"""Locks, forks and failures in the middle: what the connections do about each."""

from __future__ import annotations

import os
import sqlite3
import threading
import warnings
from pathlib import Path

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.errors import StoreError, StoreUnavailableError
from copilot_analytics.rollups import RollupKind
from copilot_analytics.store_samples import DAYS, NOW_MS, assert_holds, batches_of, sample_events
from copilot_analytics.stores import (
    MemoryStore,
    SQLiteStore,
    _sqlite_connections,
    _sqlite_writing,
)
from copilot_analytics.stores._sqlite_schema import prepare
from copilot_analytics.testing import FakeClock

EVENTS = sample_events(60)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "analytics.db"


def store_of(path: Path, *, busy_timeout: float = 5.0) -> SQLiteStore:
    return SQLiteStore(path, clock=FakeClock(NOW_MS), busy_timeout=busy_timeout)


def run_sql(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def fork() -> None:
    """Fork a child that ends at once, whatever threads there are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def test_a_lock_is_waited_for_as_long_as_was_said(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlite_connections, "_WAIT_SECONDS", 0.01)
    with store_of(path, busy_timeout=0.03) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="it is tried again"):
            store.write(Batch("writer", EVENTS))
        other.execute("ROLLBACK")
        other.close()
        store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS)


def test_a_write_that_fails_in_the_middle_leaves_nothing(path: Path) -> None:
    with store_of(path) as store:
        store.write(Batch("writer", EVENTS[:20]))
        run_sql(
            path,
            "CREATE TRIGGER refuse BEFORE INSERT ON patterns BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        with pytest.raises(StoreError, match="SQLite refused with SQLITE_CONSTRAINT_TRIGGER"):
            store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS[:20])
        run_sql(path, "DROP TRIGGER refuse")
        store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS)


def test_a_sweep_that_fails_fails_no_write(path: Path) -> None:
    """What is written is written; it is tried again an hour later."""
    with store_of(path):
        pass
    run_sql(
        path,
        "CREATE TRIGGER refuse BEFORE INSERT ON leases BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    with store_of(path) as store:
        for batch in batches_of(EVENTS, 20):
            store.write(batch)
        assert_holds(store, EVENTS)


def test_a_read_that_fails_does_not_spoil_the_next(path: Path) -> None:
    with store_of(path) as store:
        store.write(Batch("writer", EVENTS))
        with pytest.raises(ZeroDivisionError), store.snapshot(DAYS.end):
            raise ZeroDivisionError
        assert_holds(store, EVENTS)


def test_a_store_closed_while_it_is_read_ends_the_read_in_peace(path: Path) -> None:
    with store_of(path) as store:
        store.write(Batch("writer", EVENTS))
        with store.snapshot(DAYS.end) as snapshot:
            store.close()
            assert list(snapshot.rollups())
        assert_holds(store, EVENTS)
    assert {found.name for found in path.parent.iterdir()} == {path.name}


def test_many_readers_at_once_keep_a_few_connections(path: Path) -> None:
    with store_of(path) as store:
        store.write(Batch("writer", EVENTS))
        barrier = threading.Barrier(9)

        def read() -> None:
            with store.snapshot(DAYS.end) as snapshot:
                barrier.wait()
                assert list(snapshot.rollups())

        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        barrier.wait()
        for thread in threads:
            thread.join()
        assert_holds(store, EVENTS)


def test_known_users_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting them costs a read, never a count."""
    monkeypatch.setattr(_sqlite_writing.KnownUsers, "_LIMIT", 10)
    with store_of(path) as store:
        for batch in batches_of(EVENTS, 7):
            store.write(batch)
        assert_holds(store, EVENTS)


def test_a_file_that_can_only_be_read_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `os.access` tells it to all but root."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StoreUnavailableError, match="cannot be written to; grant write access"):
        store_of(path).open()


def test_a_file_system_without_write_ahead_logs_is_refused() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(StoreError, match="only takes a journal of mode 'memory'"):
        prepare(connection, "sqlite:///x.db")
    connection.close()


def test_an_upgrade_that_fails_leaves_an_empty_file(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA max_page_count = 5")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        prepare(connection, "sqlite:///x.db")
    connection.execute("PRAGMA max_page_count = 1000")
    assert not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    prepare(connection, "sqlite:///x.db")
    connection.close()
    with store_of(path) as store:
        store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS)


@needs_fork
def test_a_fork_interrupts_nothing(path: Path) -> None:
    """Connections are closed for it, and opened again when they are needed."""
    with store_of(path) as store:
        for batch in batches_of(EVENTS, 20):
            store.write(batch)
            store.totals(RollupKind.ACTIVITY, DAYS)
            fork()
        assert_holds(store, EVENTS)


@needs_fork
def test_a_fork_amidst_a_long_read_does_not_wait_for_its_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlite_connections, "_FORK_WAIT_SECONDS", 0.01)
    with store_of(path) as store:
        store.write(Batch("writer", EVENTS))
        with store.snapshot(DAYS.end) as snapshot:
            fork()
            assert list(snapshot.events())
        assert_holds(store, EVENTS)


@needs_fork
def test_a_fork_amidst_a_long_write_does_not_wait_for_its_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlite_connections, "_FORK_WAIT_SECONDS", 0.01)
    holding, forked = threading.Event(), threading.Event()
    with store_of(path) as store:
        store.open()

        def hold() -> None:
            with store._connections.writing():
                holding.set()
                forked.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        holding.wait()
        fork()
        forked.set()
        thread.join()
        store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS)


def test_a_child_has_connections_and_locks_of_its_own(path: Path) -> None:
    """What happens in a child after the fork, here in the same process."""
    with store_of(path) as store:
        store.write(Batch("writer", EVENTS[:20]))
        with store.snapshot(DAYS.end), store._connections.writing():
            store._connections.renew_in_child()
        store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS)
    # A real child ends with them open.
    for left in store._connections._forgotten:
        for connection in left if isinstance(left, list) else [left]:
            if isinstance(connection, sqlite3.Connection):
                connection.close()
    memory = MemoryStore(clock=FakeClock(NOW_MS))
    with memory._lock:
        memory.renew_in_child()
        memory.write(Batch("writer", EVENTS))
    assert_holds(memory, EVENTS)
