"""What the contract cannot know: retention, versions, and what a remote store says of itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.errors import StoreSchemaError
from copilot_analytics.events import EventType
from copilot_analytics.periods import DAY_MS, DateRange
from copilot_analytics.rollups import ACTIVITY, RollupKind
from copilot_analytics.store_samples import DAYS, NOW_MS, event, numbered
from copilot_analytics.stores import EventSelection
from copilot_analytics.stores._dynamodb_table import definition
from copilot_analytics.stores.dynamodb import DynamoDBStore
from copilot_analytics.testing import FakeClock

from .dynamodb_engines import Engine

ALWAYS = EventSelection(start_ms=0, end_ms=2 * NOW_MS)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW_MS)


@pytest.fixture
def store(engine: Engine, clock: FakeClock) -> Iterator[DynamoDBStore]:
    store = DynamoDBStore(
        engine.new_table_name(),
        endpoint_url=engine.endpoint_url,
        shards=1,
        clock=clock,
        event_retention_days=2,
        rollup_retention_days=10,
    )
    store._client.call("CreateTable", definition(store._client.table))
    with store:
        yield store


def _error(at: int) -> Batch:
    one = event(EventType.ERROR_OCCURRED, "ada", at, error_type="E", fingerprint="1-f")
    return Batch("writer", numbered([one], first=at))


def test_events_are_kept_for_whole_days_before_today(
    store: DynamoDBStore, clock: FakeClock
) -> None:
    """Also where DynamoDB has not deleted them yet."""
    store.write(_error(NOW_MS))
    clock.advance(3 * DAY_MS - NOW_MS % DAY_MS - 1)
    for user_id in (None, "ada"):
        selection = EventSelection(start_ms=0, end_ms=2 * NOW_MS, user_id=user_id)
        assert len(store.events(selection, limit=9)) == 1
    clock.advance(1)
    for user_id in (None, "ada"):
        selection = EventSelection(start_ms=0, end_ms=2 * NOW_MS, user_id=user_id)
        assert not store.events(selection, limit=9)
    with store.snapshot(DAYS.end) as snapshot:
        assert not list(snapshot.events())


def test_rollups_are_kept_for_their_days(store: DynamoDBStore, clock: FakeClock) -> None:
    """Today is one of them; the lifetime rows of patterns stay for 400."""
    store.write(_error(NOW_MS))
    first = dt.date.fromisoformat("2025-11-01")
    days = DateRange(first, first + dt.timedelta(days=60))
    for kept in (True, False):
        clock.advance(10 * DAY_MS - NOW_MS % DAY_MS - 1 if kept else 1)
        for kind in (RollupKind.ACTIVITY, RollupKind.ERROR, RollupKind.USER):
            assert bool(store.totals(kind, days)) is kept
        assert bool(store.totals(RollupKind.ERROR, days, ["E"])) is kept
        assert bool(store.series(RollupKind.ERROR, "E", days)) is kept
        assert bool(store.distinct(RollupKind.ACTIVITY, [ACTIVITY], days)) is kept
    assert store.patterns(["1-f:E"])
    clock.advance(400 * DAY_MS)
    assert not store.patterns(["1-f:E"])


def test_a_table_of_a_newer_version_is_refused(store: DynamoDBStore) -> None:
    store.close()
    store._client.call(
        "UpdateItem",
        {
            "TableName": store._client.table,
            "Key": {"PK": {"S": "SETTINGS#all"}, "SK": {"S": "STATE"}},
            "UpdateExpression": "SET version = :v",
            "ExpressionAttributeValues": {":v": {"N": "2"}},
        },
    )
    with pytest.raises(StoreSchemaError, match="the table is of version 2, this code knows 1"):
        store.open()
    with pytest.raises(StoreSchemaError, match="upgrade copilot-analytics"):
        store.write(_error(NOW_MS))


def test_a_remote_store_counts_the_bytes_of_its_events(store: DynamoDBStore) -> None:
    assert store.remote
    assert store.bytes_written == 0
    store.write(_error(NOW_MS))
    once = store.bytes_written
    assert 300 < once < 600
    store.write(_error(NOW_MS + 1))
    assert once < store.bytes_written < 2 * once + 20


def test_a_day_without_events_costs_one_look_among_many(
    store: DynamoDBStore, clock: FakeClock
) -> None:
    """A page is found across empty days, in either direction."""
    for days_ago in (2, 0):
        store.write(_error(NOW_MS - days_ago * DAY_MS))
    for newest_first in (False, True):
        found = store.events(ALWAYS, limit=9, newest_first=newest_first)
        times = [one.timestamp for one in found]
        assert times == sorted([NOW_MS - 2 * DAY_MS, NOW_MS], reverse=newest_first)
