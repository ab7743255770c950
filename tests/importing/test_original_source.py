"""Imports of an original copilot's table, on every DynamoDB engine that is present."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.errors import StoreUnavailableError
from copilot_analytics.events import EventType
from copilot_analytics.importing import (
    Importer,
    ImportRefusedError,
    ImportReport,
    Stage,
    WantedDays,
)
from copilot_analytics.importing.original_source import OriginalSource
from copilot_analytics.periods import DateRange
from copilot_analytics.redaction import fingerprint, normalise_error
from copilot_analytics.rollups import ACTIVITY, Rollup, RollupKind
from copilot_analytics.store_samples import NOW_MS
from copilot_analytics.stores import MemoryStore, SQLiteStore, Store
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores.base import EventSelection
from copilot_analytics.testing import FakeClock
from copilot_analytics.verification import verify

from ..stores.dynamodb_engines import Engine
from . import original
from .importing import admitter, assert_same
from .original import LONG_AGO, LONG_AGO_MS, TODAY, YESTERDAY

_ALL = DateRange(dt.date(2025, 2, 28), dt.date(2025, 11, 25))
_TIMEOUT = normalise_error("no answer for ann@example.com after 30 s")
_PATTERN = f"{fingerprint('Timeout', _TIMEOUT)}:Timeout"


@pytest.fixture
def client(engine: Engine) -> Iterator[DynamoDBClient]:
    client = DynamoDBClient(engine.new_table_name(), endpoint_url=engine.endpoint_url)
    original.fill(client)
    yield client
    client.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(tmp_path / "to.db", clock=FakeClock(NOW_MS)) as store:
        yield store


def _imported(
    client: DynamoDBClient,
    store: Store,
    state: Path | None = None,
    *,
    days: WantedDays | None = None,
    batch_size: int | None = None,
    **options: str,
) -> ImportReport:
    source = OriginalSource(client, admitter(**options), days=days)
    with Stage(state) as stage:
        return Importer(source, store, stage, days=days, batch_size=batch_size).run()


def _day(name: str) -> DateRange:
    date = dt.date.fromisoformat(name)
    return DateRange(date, date)


def _command(store: Store, name: str, day: str) -> dict[str, int]:
    total = store.totals(RollupKind.COMMAND, _day(day), [name], detail=True)[name]
    return {key: n for key, n in total.counters.items() if not key.startswith("x.")}


def _activity(store: Store, day: str) -> Mapping[str, int]:
    return store.totals(RollupKind.ACTIVITY, _day(day), detail=True)[ACTIVITY].counters


def test_commands_are_what_their_rows_count(client: DynamoDBClient, store: SQLiteStore) -> None:
    """Where there is none, or one that counts less, what their events add up to."""
    _imported(client, store)
    assert _command(store, "search", TODAY) == {
        "executions": 11,
        "successes": 9,
        "failures": 2,
        "execution_us": 2_000_250,
        "execution_samples": 11,
    }
    assert _command(store, "search", YESTERDAY)["executions"] == 1
    assert _command(store, "export", TODAY) == {"executions": 1, "successes": 1}
    assert _command(store, "export", YESTERDAY) == {"executions": 4, "successes": 4}
    assert _command(store, "search", LONG_AGO)["execution_us"] == 500_000
    last = store.totals(RollupKind.COMMAND, _day(TODAY), ["search"])["search"].last
    assert last == NOW_MS


def test_totals_and_commands_agree(client: DynamoDBClient, store: SQLiteStore) -> None:
    """Day by day, in executions, failures and their times; and a recount finds nothing wrong."""
    _imported(client, store)
    for day in (TODAY, YESTERDAY, LONG_AGO):
        commands = Rollup({})
        for total in store.totals(RollupKind.COMMAND, _day(day), detail=True).values():
            commands.add(total)
        activity = _activity(store, day)
        for name in ("executions", "failures", "execution_us", "execution_samples"):
            assert activity.get(name, 0) == commands.counters.get(name, 0), (day, name)
        ran = activity.get("e.ACTION_EXECUTED", 0) + activity.get("e.ACTION_FAILED", 0)
        assert ran == activity["executions"]
        typed = sum(n for name, n in activity.items() if name.startswith("e."))
        assert activity["events"] == typed
    report = verify(store, _ALL)
    assert not report.differences
    assert report.unbacked
    assert LONG_AGO in report.expired


def test_errors_keep_counts_and_dates(client: DynamoDBClient, store: SQLiteStore) -> None:
    """Normalised again, equal ones together, their users once each and at most a hundred."""
    _imported(client, store)
    life = store.patterns([_PATTERN])[_PATTERN]
    assert (life.error_type, life.message, life.count) == ("Timeout", _TIMEOUT, 12)
    assert (life.first, life.last) == (LONG_AGO_MS, NOW_MS - 6)
    assert len(life.users) == 100
    assert list(life.users) == sorted(set(life.users))
    assert life.users[:3] == ("ada", "bob", "user-000")
    denied = f"{fingerprint('Denied', 'not allowed')}:Denied"
    assert store.patterns([denied])[denied].count == 4


def test_errors_show_on_the_days_that_are_known(client: DynamoDBClient, store: SQLiteStore) -> None:
    """The first and the last of a pattern's; all of them where these are one."""
    _imported(client, store)
    long_ago = store.totals(RollupKind.PATTERN, _day(LONG_AGO))
    assert {name.partition(":")[2]: row.counters["count"] for name, row in long_ago.items()} == {
        "Timeout": 1,
        "Denied": 4,
    }
    assert store.totals(RollupKind.PATTERN, _day(TODAY))[_PATTERN].counters["count"] == 1
    errors = store.totals(RollupKind.ERROR, _ALL)
    assert {name: row.counters["count"] for name, row in errors.items()} == {
        "Timeout": 2,
        "Denied": 4,
    }
    assert _activity(store, LONG_AGO)["errors"] == 5


def test_events_come_with_what_may_be_kept(client: DynamoDBClient, store: SQLiteStore) -> None:
    """Metadata by today's names; free text is left out and counted."""
    report = _imported(client, store)
    selection = EventSelection(start_ms=0, end_ms=NOW_MS)
    events = store.events(selection, limit=99, newest_first=False)
    assert len(events) == 8
    found = {(one.user_id, one.event_type): one for one in events}
    assert found["a#b", EventType.ACTION_EXECUTED].metadata == {
        "command_name": "search",
        "execution_ms": 120.5,
        "success": True,
    }
    assert found["ada", EventType.MESSAGE_SENT].metadata == {"message_length": 9}
    failed = found["ada", EventType.ERROR_OCCURRED]
    assert failed.metadata["error_message"] == _TIMEOUT
    assert failed.conversation_id == "c-1"
    assert report.dropped_values == {"unknown_key": 2}
    told = repr([events, store.totals(RollupKind.COMMAND, _ALL), store.patterns([_PATTERN])])
    assert "example.com" not in told
    assert "secret" not in told


def test_what_is_left_out_is_counted(client: DynamoDBClient, store: SQLiteStore) -> None:
    """By reason."""
    report = _imported(client, store)
    assert report.skipped == {
        "unknown_type": 1,
        "bad_metadata": 1,
        "bad_command_row": 2,
        "bad_error_row": 1,
        "unknown_item": 1,
    }
    assert report.read == len(original.items())
    assert report.patterns == 2


def test_it_is_counted_once(client: DynamoDBClient, tmp_path: Path, store: SQLiteStore) -> None:
    """However often it is imported, with and without its state, in whichever batches."""
    once = MemoryStore(clock=FakeClock(NOW_MS))
    _imported(client, once)
    for state, size in (("a.db", 3), ("a.db", 100), ("b.db", 7)):
        _imported(client, store, tmp_path / state, batch_size=size)
        assert_same(once, store, _ALL)


def test_days_add_up_to_the_whole(
    client: DynamoDBClient, tmp_path: Path, store: SQLiteStore
) -> None:
    """Imported one range after the other; an error's row is of its last day."""
    once = MemoryStore(clock=FakeClock(NOW_MS))
    _imported(client, once)
    for days in (WantedDays.of(None, YESTERDAY), WantedDays.of(TODAY, None)):
        _imported(client, store, tmp_path / "state.db", days=days)
    assert_same(once, store, _ALL)


def test_users_are_pseudonymised_where_that_is_asked_for(
    client: DynamoDBClient, store: SQLiteStore
) -> None:
    """In events and in patterns alike."""
    _imported(client, store, pseudonymise_key="k" * 32)
    users = {
        one.user_id for one in store.events(EventSelection(start_ms=0, end_ms=NOW_MS), limit=9)
    }
    life = store.patterns([_PATTERN])[_PATTERN]
    assert all(user.startswith("p1-") for user in (*users, *life.users))
    assert users & set(life.users)


class _Failing(DynamoDBClient):
    """Reads pages of five items, and fails at one of them."""

    pages = 3
    scans = 0

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        assert operation in ("Scan", "DescribeTable"), "an original table is never written"
        if operation == "Scan":
            self.scans += 1
            if self.scans == self.pages:
                raise StoreUnavailableError(self.url, "the test ends it here", "go on")
            request = {**request, "Limit": 5}
        return super().call(operation, request)


def test_a_scan_goes_on_where_it_was(
    client: DynamoDBClient, tmp_path: Path, store: SQLiteStore, engine: Engine
) -> None:
    """Pages that were read are not read, and paid for, again; and nothing but Scan is asked."""
    once = MemoryStore(clock=FakeClock(NOW_MS))
    _imported(client, once)
    failing = _Failing(client.table, endpoint_url=engine.endpoint_url)
    with pytest.raises(StoreUnavailableError):
        _imported(failing, store, tmp_path / "state.db")
    _imported(failing, store, tmp_path / "state.db")
    pages = -(-len(original.items()) // 5)
    assert failing.scans - 1 <= pages + 1
    failing.close()
    assert_same(once, store, _ALL)


def test_a_table_of_ours_is_not_taken_for_an_original(
    client: DynamoDBClient, store: SQLiteStore
) -> None:
    """Who may scan only cannot tell before; nothing is written then."""
    settings = {"PK": {"S": "SETTINGS#all"}, "SK": {"S": "STATE"}, "version": {"N": "1"}}
    client.call("PutItem", {"TableName": client.table, "Item": settings})
    with pytest.raises(ImportRefusedError, match="no original"):
        _imported(client, store)
    assert store.statistics()["events"] == 0
