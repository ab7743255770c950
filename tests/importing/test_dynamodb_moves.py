"""Moves into a DynamoDB table and out of it, on every engine that is present."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_analytics.aggregation import PatternDelta
from copilot_analytics.batch import Batch
from copilot_analytics.distinct import Distinct
from copilot_analytics.errors import StoreUnavailableError
from copilot_analytics.importing import Importer, SQLiteSource, Stage, StoreSource
from copilot_analytics.periods import DAY_MS, DateRange
from copilot_analytics.rollups import ACTIVITY, Rollup, RollupKey, RollupKind
from copilot_analytics.store_samples import DAYS, NOW_MS, batches_of, sample_events
from copilot_analytics.stores import SQLiteStore
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_table import definition
from copilot_analytics.stores.dynamodb import DynamoDBStore
from copilot_analytics.supplements import PatternSupplement, RollupSupplement, Supplement
from copilot_analytics.testing import FakeClock

from ..stores.dynamodb_engines import Engine
from .importing import assert_answers_same, assert_same

_RANGE = DateRange(DAYS.start - dt.timedelta(days=1), DAYS.end)


@pytest.fixture
def table(engine: Engine) -> Iterator[DynamoDBStore]:
    name = engine.new_table_name()
    client = DynamoDBClient(name, endpoint_url=engine.endpoint_url)
    client.call("CreateTable", definition(name))
    client.close()
    with DynamoDBStore(name, endpoint_url=engine.endpoint_url, clock=FakeClock(NOW_MS)) as store:
        yield store


def _filled(path: Path) -> SQLiteStore:
    """Return a store with events, and with counts, users and a pattern beyond them."""
    search = RollupKey(RollupKind.COMMAND, "search", _RANGE.first_day)
    active = RollupKey(RollupKind.ACTIVITY, ACTIVITY, _RANGE.last_day)
    counts = Rollup({"executions": 40, "successes": 40, "execution_us": 7}, NOW_MS - 4 * DAY_MS, 9)
    sketch = Distinct.of_registers([(5, 3), (9, 1)]).to_bytes()
    delta = PatternDelta("Error0", "earlier", 30, 5, NOW_MS - 4 * DAY_MS, ("zoe",))
    supplements: list[Supplement] = [
        RollupSupplement(sequence=1, key=search, rollup=counts),
        RollupSupplement(
            sequence=2,
            key=RollupKey(RollupKind.ACTIVITY, ACTIVITY, search.period),
            rollup=counts,
            users=Distinct.of([1, 2]).to_bytes(),
        ),
        RollupSupplement(sequence=3, key=active, rollup=Rollup({}), users=sketch),
        PatternSupplement(sequence=4, dimension="1-0:Error0", delta=delta),
    ]
    store = SQLiteStore(path, clock=FakeClock(NOW_MS))
    for batch in batches_of(sample_events(40), 25):
        store.write(batch)
    store.write(Batch("imported", [], supplements=supplements))
    return store


class _Dying(DynamoDBStore):
    """Fails in the middle of each of its first writes, a step later each time."""

    steps = 2

    def write(self, batch: Batch) -> None:
        left = self.steps
        call = self._client.call

        def dying(operation: str, request: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise StoreUnavailableError(self.url, "the test ends it here", "go on")
            return call(operation, request)  # type: ignore[arg-type]

        self._client.call = dying  # type: ignore[assignment,method-assign]
        try:
            super().write(batch)
        finally:
            self._client.call = call  # type: ignore[method-assign]
            self.steps *= 3


def test_a_move_into_a_table_and_back_changes_no_answer(
    tmp_path: Path, table: DynamoDBStore
) -> None:
    """To the last digit, with unbacked counts and sketches."""
    clock = FakeClock(NOW_MS)
    with _filled(tmp_path / "from.db") as source, Stage(None) as stage, Stage(None) as other:
        Importer(SQLiteSource(tmp_path / "from.db", clock=clock), table, stage).run()
        assert_same(source, table, _RANGE)
        assert_answers_same(source, table, _RANGE)
        with SQLiteStore(tmp_path / "back.db", clock=clock) as back:
            Importer(StoreSource(table, clock=clock), back, other).run()
            assert_same(source, back, _RANGE)


def test_writes_that_end_half_way_are_completed_once(
    tmp_path: Path, table: DynamoDBStore, engine: Engine
) -> None:
    """Whatever of a batch the table has, with other batches the next time, and no state."""
    clock = FakeClock(NOW_MS)
    dying = _Dying(table._client.table, endpoint_url=engine.endpoint_url, clock=clock)
    with _filled(tmp_path / "from.db") as source, dying:
        for size in (20, 7, 31, 50):
            with Stage(None) as stage:
                moving = SQLiteSource(tmp_path / "from.db", clock=clock)
                importer = Importer(moving, dying, stage, batch_size=size)
                with pytest.raises(StoreUnavailableError, match="the test ends it"):
                    importer.run()
        with Stage(None) as stage:
            moving = SQLiteSource(tmp_path / "from.db", clock=clock)
            Importer(moving, table, stage, batch_size=13).run()
        assert_same(source, table, _RANGE)
