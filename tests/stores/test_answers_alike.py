"""Every store answers every question alike, to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_analytics.answers import Answers
from copilot_analytics.store_samples import DAYS, NOW_MS, batches_of, sample_events
from copilot_analytics.stores import MemoryStore, SQLiteStore, Store
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_table import definition
from copilot_analytics.stores.dynamodb import DynamoDBStore
from copilot_analytics.testing import FakeClock

from .dynamodb_engines import Engine
from .every_answer import every_answer

EVENTS = sample_events(240, seed=11)


def answered(store: Store) -> dict[str, object]:
    for batch in batches_of(EVENTS, 130):
        store.write(batch)
    return dict(every_answer(Answers(store, FakeClock(NOW_MS)), DAYS))


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
