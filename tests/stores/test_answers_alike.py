"""Every store answers every question alike, to the last digit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from copilot_analytics.answers import Answers
from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.periods import DateRange
from copilot_analytics.store_samples import NOW_MS, batches_of, numbered, sample_events
from copilot_analytics.stores import MemoryStore, SQLiteStore, Store
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_table import definition
from copilot_analytics.stores.dynamodb import DynamoDBStore
from copilot_analytics.testing import FakeClock

from .dynamodb_engines import Engine
from .every_answer import every_answer

MONTH = DateRange(dt.date(2025, 10, 25), dt.date(2025, 11, 25))
"""It begins in one calendar month and ends in another."""


def events_of_a_month() -> list[AnalyticsEvent]:
    """Return the samples of four days, drawn out over the month."""
    samples = sample_events(200, seed=11)
    times = [NOW_MS - (NOW_MS - one.timestamp) * 9 for one in samples]
    return numbered(
        msgspec.structs.replace(one, timestamp=at) for one, at in zip(samples, times, strict=True)
    )


def answered(store: Store) -> dict[str, object]:
    for batch in batches_of(events_of_a_month(), 130):
        store.write(batch)
    return dict(every_answer(Answers(store, FakeClock(NOW_MS)), MONTH))


@pytest.fixture(scope="module")
def expected() -> dict[str, object]:
    with MemoryStore(clock=FakeClock(NOW_MS)) as store:
        return answered(store)


@pytest.fixture
def dynamodb(engine: Engine) -> Iterator[DynamoDBStore]:
    name = engine.new_table_name()
    client = DynamoDBClient(name, endpoint_url=engine.endpoint_url)
    client.call("CreateTable", definition(name))
    client.close()
    clock = FakeClock(NOW_MS)
    with DynamoDBStore(name, endpoint_url=engine.endpoint_url, shards=1, clock=clock) as store:
        yield store


def assert_alike(answers: dict[str, object], expected: dict[str, object]) -> None:
    assert answers.keys() == expected.keys()
    for question, answer in answers.items():
        assert answer == expected[question], question


def test_sqlite_answers_as_memory_does(expected: dict[str, object], tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "alike.db", clock=FakeClock(NOW_MS)) as store:
        assert_alike(answered(store), expected)


def test_dynamodb_answers_as_memory_does(
    expected: dict[str, object], dynamodb: DynamoDBStore
) -> None:
    assert_alike(answered(dynamodb), expected)
