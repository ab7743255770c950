"""Files that SQLite cannot use, or only today not, and what the store says of them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.errors import (
    ConfigurationError,
    StoreError,
    StoreSchemaError,
    StoreUnavailableError,
)
from copilot_analytics.events import EventType
from copilot_analytics.rollups import RollupKind
from copilot_analytics.store_samples import (
    DAYS,
    NOW_MS,
    assert_holds,
    batches_of,
    event,
    numbered,
    sample_events,
)
from copilot_analytics.stores import SQLiteStore, _filesystems, open_store
from copilot_analytics.stores._sqlite_schema import prepare
from copilot_analytics.testing import FakeClock

EVENTS = sample_events(40)


def store_of(path: Path | str, *, busy_timeout: float = 0) -> SQLiteStore:
    return SQLiteStore(path, clock=FakeClock(NOW_MS), busy_timeout=busy_timeout)


def text(path: Path) -> None:
    path.write_text("no database at all\n" * 100)


def short_text(path: Path) -> None:
    path.write_text("hello")


def other_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE events (id)")
    connection.close()


def other_owner(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA application_id = 77")
    connection.close()


def newer_version(path: Path) -> None:
    with store_of(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def a_directory(path: Path) -> None:
    path.mkdir()


def test_a_file_that_another_process_makes_ours_meanwhile_is_ours(tmp_path: Path) -> None:
    """Between the looks at whose it is and at its version."""
    path = tmp_path / "shared.db"
    late = sqlite3.connect(path, isolation_level=None)
    statements: list[str] = []

    def trace(statement: str) -> None:
        statements.append(statement)
        if statement == "PRAGMA user_version" and statements.count(statement) == 1:
            with SQLiteStore(path):
                pass

    late.set_trace_callback(trace)
    prepare(late, "sqlite:///shared.db")
    late.close()

    assert statements.count("PRAGMA user_version") == 2
    with SQLiteStore(path) as store:
        assert store.statistics()["events"] == 0


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (text, StoreSchemaError, "the file is no SQLite database; give the path of a file that"),
        (short_text, StoreSchemaError, "the file is no SQLite database; give the path of a file"),
        (other_database, StoreSchemaError, "the file is another application's database; give"),
        (other_owner, StoreSchemaError, "the file is another application's database; give"),
        (newer_version, StoreSchemaError, "its schema has version 99, and this release knows 3"),
        (a_directory, StoreUnavailableError, "the file cannot be opened or created; create its"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], None], error: type[StoreError], says: str
) -> None:
    path = tmp_path / "analytics.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    store = store_of(path)
    for call in (store.open, store.statistics, lambda: store.write(Batch("writer", EVENTS))):
        with pytest.raises(error) as caught:
            call()
        assert type(caught.value) is error
        assert str(caught.value).startswith(f"sqlite:///{path}: {says}")
    store.close()
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_an_empty_file_becomes_ours(tmp_path: Path) -> None:
    path = tmp_path / "analytics.db"
    path.touch()
    with store_of(path) as store:
        store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS)


def test_a_missing_directory_is_named_and_may_come_later(tmp_path: Path) -> None:
    store = store_of(tmp_path / "not" / "yet" / "analytics.db", busy_timeout=5)
    with pytest.raises(StoreUnavailableError, match="create its directory and grant write access"):
        store.write(Batch("writer", EVENTS))
    (tmp_path / "not" / "yet").mkdir(parents=True)
    with store:
        store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS)


def test_a_damaged_file_is_told_from_a_foreign_one(tmp_path: Path) -> None:
    path = tmp_path / "analytics.db"
    with store_of(path) as store:
        store.write(Batch("writer", sample_events(400)))
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    with store_of(path) as store, pytest.raises(StoreError, match="the file is damaged; restore"):
        store.totals(RollupKind.ACTIVITY, DAYS, detail=True)


def test_a_locked_file_is_busy_and_then_not(tmp_path: Path) -> None:
    path = tmp_path / "analytics.db"
    with store_of(path) as store:
        store.write(Batch("writer", EVENTS[:10]))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="another process holds the file's lock"):
            store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS[:10])
        other.execute("ROLLBACK")
        other.close()
        store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS)


def test_a_file_can_be_created_while_another_process_creates_it(tmp_path: Path) -> None:
    path = tmp_path / "analytics.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailableError, match="another process holds the file's lock"):
        store_of(path).open()
    other.execute("COMMIT")
    other.close()
    with store_of(path) as store:
        store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS)


def test_a_full_disk_loses_nothing_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself refuses to grow the file, at whatever page it is full."""
    path = tmp_path / "analytics.db"
    connect = sqlite3.connect
    pages = 1_000

    def connect_small(*args: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)  # type: ignore[call-overload]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_small)
    events = sample_events(500)
    with store_of(path) as store:
        store.write(Batch("writer", events[:5]))
    for pages in range(1, 40, 3):  # noqa: B007  the connections read it
        with store_of(path) as store:
            with pytest.raises(StoreUnavailableError, match="the disk is full; free some space"):
                store.write(Batch("writer", events))
            assert_holds(store, events[:5])
    pages = 1_000
    with store_of(path) as store:
        store.write(Batch("writer", events))
        assert_holds(store, events)


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/home {tmp_path / 'home'} nfs4 rw 0 0\n")
    monkeypatch.setattr(_filesystems, "_MOUNTS", mounts)
    (tmp_path / "home").mkdir()
    with pytest.raises(StoreError, match=r"network file system \(nfs4\), where SQLite loses data"):
        store_of(tmp_path / "home" / "analytics.db").open()
    assert not list((tmp_path / "home").iterdir())
    with store_of(tmp_path / "analytics.db") as store:
        assert store.statistics()["events"] == 0


def test_constructing_a_store_touches_nothing(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/analytics.db")
    store.close()
    assert not list(tmp_path.iterdir())


def test_a_relative_path_is_of_where_the_store_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///analytics.db")
    monkeypatch.chdir("/")
    with store:
        assert (tmp_path / "analytics.db").exists()


@pytest.mark.parametrize("name", ["a#b.db", "what?.db", "100%25.db", "é 🚀.db", "mode=ro&x.db"])
def test_a_file_may_be_called_anything(tmp_path: Path, name: str) -> None:
    """Its URL leads back to it."""
    with store_of(tmp_path / name) as store:
        store.write(Batch("writer", EVENTS))
    assert {path.name for path in tmp_path.iterdir()} == {name}
    with open_store(store.url, clock=FakeClock(NOW_MS)) as again:
        assert again.url == store.url
        assert_holds(again, EVENTS)


def test_a_lone_surrogate_is_refused_without_its_text(tmp_path: Path) -> None:
    """Admission lets none through; nothing of the batch is kept, and no text in the error."""
    batch = Batch("writer", numbered([event(EventType.MESSAGE_SENT, "secret\ud800")]))
    with store_of(tmp_path / "analytics.db") as store:
        with pytest.raises(StoreError, match="lone surrogates") as caught:
            store.write(batch)
        assert not isinstance(caught.value, StoreUnavailableError)
        assert caught.value.__cause__ is None
        assert "secret" not in repr(caught.value)
        assert_holds(store, [])


def test_an_event_id_given_twice_is_refused_whole(tmp_path: Path) -> None:
    """Ids are unique; a store that is told otherwise keeps what it had."""
    (one,) = numbered([event(EventType.MESSAGE_SENT)])
    two = type(one)(one.event_id, one.event_type, "bob", one.timestamp, None, None, {}, "other", 1)
    with store_of(tmp_path / "analytics.db") as store:
        store.write(Batch("writer", [one]))
        with pytest.raises(StoreError, match="SQLite refused with SQLITE_CONSTRAINT"):
            store.write(Batch("other", [two]))
        assert_holds(store, [one])
        for batch in batches_of(EVENTS[1:], 20):
            store.write(batch)
        assert_holds(store, [one, *EVENTS[1:]])


@pytest.mark.parametrize(
    "bad",
    [
        "sqlite://analytics.db",
        "sqlite:analytics.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///analytics.db?mode=ro",
        "sqlite:///nul%00.db",
        "",
        ".",
        "nul\0.db",
    ],
)
def test_a_path_that_is_none_is_refused_at_construction(bad: str) -> None:
    with pytest.raises(ConfigurationError, match="store cannot be"):
        SQLiteStore(bad)


@pytest.mark.parametrize(
    "option",
    [
        {"event_retention_days": 0},
        {"rollup_retention_days": -1},
        {"busy_timeout": -0.5},
        {"synchronous": "OFF"},
    ],
)
def test_an_option_out_of_bounds_is_refused_at_construction(
    tmp_path: Path, option: dict[str, object]
) -> None:
    (name,) = option
    with pytest.raises(ConfigurationError, match=f"{name} cannot be"):
        SQLiteStore(tmp_path / "analytics.db", **option)  # type: ignore[arg-type]


def test_full_synchronisation_can_be_chosen(tmp_path: Path) -> None:
    with SQLiteStore(
        tmp_path / "analytics.db", clock=FakeClock(NOW_MS), synchronous="FULL"
    ) as store:
        store.write(Batch("writer", EVENTS))
        assert_holds(store, EVENTS)


def test_statistics_are_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "analytics.db"
    with store_of(path) as store:
        store.write(Batch("writer", EVENTS))
    with store_of(path) as store:
        figures = store.statistics()
        assert figures == {
            "events": len(EVENTS),
            "bytes": os.path.getsize(path),
            "freeBytes": 0,
        }
