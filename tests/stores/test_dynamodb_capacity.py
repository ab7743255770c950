"""What writes and dashboards consume, as an engine tells it that counts as AWS does."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from copilot_analytics.answers import Answers
from copilot_analytics.batch import Batch
from copilot_analytics.events import AnalyticsEvent, EventType, MetadataValue
from copilot_analytics.infrastructure.capacity import rows_written
from copilot_analytics.infrastructure.workload import Workload
from copilot_analytics.periods import DAY_MS, DateRange
from copilot_analytics.rollups import RollupKind
from copilot_analytics.store_samples import NOW_MS, event, numbered
from copilot_analytics.stores._dynamodb_errors import ConditionFailed
from copilot_analytics.stores._dynamodb_items import size_of
from copilot_analytics.stores._dynamodb_keys import INDEXED_KINDS, pattern_key, rollup_key
from copilot_analytics.stores._dynamodb_table import definition
from copilot_analytics.stores._dynamodb_updates import item_key
from copilot_analytics.stores.dynamodb import DynamoDBStore
from copilot_analytics.testing import FakeClock

from .dynamodb_engines import Engine

EVENTS = 500
"""In one write."""

WRITE_MS = 5_000
"""Between two writes of one process."""

MONTH = DateRange(dt.date(2025, 10, 27), dt.date(2025, 11, 25))
"""With the comparison it touches three months."""


NAMES = {
    RollupKind.COMMAND: "commands",
    RollupKind.INTENT: "intents",
    RollupKind.ERROR: "error types",
    RollupKind.PATTERN: "error patterns",
    RollupKind.USER: "users",
}
"""How the formula calls the rows of each kind."""


class Counted:
    """A store whose requests are counted, and what they consume, by what they are about."""

    def __init__(self, engine: Engine) -> None:
        clock = FakeClock(NOW_MS)
        name = engine.new_table_name()
        self.store = DynamoDBStore(name, endpoint_url=engine.endpoint_url, clock=clock)
        self.client = self.store._client
        self.send = self.client.call
        self.send("CreateTable", definition(name))
        self.client.call = self._call  # type: ignore[method-assign]
        self.forget()

    def forget(self) -> None:
        """Start anew."""
        self.requests: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        self.refusals = 0
        self.refused_units = 0

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        about = _about(operation, request)
        self.requests[about] += 1
        try:
            answer = self.send(operation, {**request, "ReturnConsumedCapacity": "TOTAL"})
        except ConditionFailed as refused:
            # It consumes what the row's size makes it, and the engine does not say so.
            units = max(1, math.ceil(size_of(refused.item or {}) / 1024))
            self.units[about] += units
            self.refusals += 1
            self.refused_units += units
            raise
        capacity = answer["ConsumedCapacity"]
        for one in capacity if isinstance(capacity, list) else [capacity]:
            self.units[about] += one["CapacityUnits"]
        return answer


def _about(operation: str, request: Mapping[str, Any]) -> str:
    if operation == "BatchWriteItem":
        return "events"
    key = request["Key"]["PK"] if "Key" in request else request["ExpressionAttributeValues"][":p"]
    kind: str = key["S"].split("#")[0]
    return {"GetItem": "lookup ", "Query": "query "}.get(operation, "") + kind


@pytest.fixture
def counted(engine: Engine) -> Iterator[Counted]:
    if engine.name == "moto":
        pytest.skip("moto does not count as AWS does")
    counted = Counted(engine)
    with counted.store:
        yield counted


def talk(
    count: int,
    writer: str,
    *,
    start: int,
    span: int,
    first: int = 1,
    commands: int = 20,
    patterns: int = 10,
) -> list[AnalyticsEvent]:
    """Return events of a busy copilot in order of time, of 50 users, two patterns a type."""
    rng = random.Random(f"{writer}{first}")
    events: list[AnalyticsEvent] = []
    for at in sorted(rng.randrange(start, start + span) for _ in range(count)):
        user, command = f"user-{rng.randrange(50)}", f"command-{rng.randrange(commands)}"
        ms = round(rng.lognormvariate(5.5, 0.5), 3)
        kind = rng.randrange(patterns)
        choices: list[tuple[EventType, dict[str, MetadataValue]]] = [
            (EventType.MESSAGE_SENT, {"message_length": 120}),
            (EventType.INTENT_CLASSIFIED, {"intent": command, "confidence": rng.random()}),
            (EventType.STREAMING_STARTED, {}),
            (EventType.STREAMING_COMPLETED, {"ttft_ms": ms, "duration_ms": 4 * ms}),
            (EventType.ACTION_EXECUTED, {"command_name": command, "execution_ms": ms}),
            (
                EventType.ERROR_OCCURRED,
                {
                    "error_type": f"Error{kind // 2}",
                    "fingerprint": f"1-00000000000000{kind:02}",
                    "error_message": f"the service did not answer: <number> {kind}",
                },
            ),
        ]
        ((event_type, metadata),) = rng.choices(choices, [20, 20, 20, 18, 20, 2])
        events.append(event(event_type, user, at, **metadata))
    return numbered(events, writer, first=first)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a write of each of some processes consumed, but for sets of users."""

    events: int
    units: float
    refusals: int
    rows: Counter[str]
    """How many rows each kind has touched, as the formula names them, those of all together."""
    expected: float
    """Units by the sizes of these rows, and of those that refused an update."""

    def __str__(self) -> str:
        return (
            f"{self.units / self.events:.3f} units an event for {self.rows.total()} rows "
            f"of {self.events} events, {self.refusals} refusals"
        )


def _write(counted: Counted, writers: int, events: int, *, apart: int = 0) -> Written:
    """Write the evening of a day: some processes, so many events each, so many ms apart."""
    names = [f"writer-{number}" for number in range(writers)]
    for name in names:
        day = talk(4_000 // writers, name, start=NOW_MS - 8 * 3_600_000, span=7 * 3_600_000)
        counted.store.write(Batch(name, day))
    counted.forget()
    rows: Counter[str] = Counter()
    expected = 0.0
    for number, name in enumerate(names):
        start = NOW_MS + number * apart
        batch = Batch(name, talk(events, name, start=start, span=WRITE_MS, first=10_000))
        counted.store.write(batch)
        for kind, place, indexed in _rows(batch):
            item = counted.send("GetItem", {"TableName": counted.client.table, "Key": place})
            rows[kind] += 1
            expected += math.ceil(size_of(item["Item"]) / 1024) + indexed
    assert counted.units.pop("events") == 3 * events * writers
    sets = counted.units.pop("SKETCH", 0)
    written = Written(
        events=events * writers,
        units=sum(counted.units.values()),
        refusals=counted.refusals,
        rows=rows,
        expected=expected + counted.refused_units,
    )
    print(f"{written}; sets of users {sets / written.events:.3f}")  # noqa: T201
    if events == EVENTS:
        assert sets <= 0.07 * written.events
    return written


def _rows(batch: Batch) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield each row that a batch touches, by its kind and key, and whether an index has it."""
    for key in batch.deltas.rollups:
        indexed = key.kind in INDEXED_KINDS
        kind = NAMES.get(key.kind) or f"activity of the {'hour' if 'T' in key.period else 'day'}"
        yield kind, item_key(rollup_key(key)), indexed
    for dimension in batch.deltas.patterns:
        yield "patterns' lives", item_key(pattern_key(dimension)), False


def assert_by_the_formula(written: Written, writers: int) -> None:
    """Rows take what their sizes say, and those no more than the formula; the same of refusals."""
    if writers == 1:
        assert written.units == written.expected
    # What another process has written a later event to, and counts nothing shown, leaves the
    # index as it is.
    assert 0.9 * written.expected < written.units <= written.expected
    workload = Workload(events_per_day=100_000, users=50, writers=writers)
    documented = {row.kind: row for row in rows_written(workload)}
    shares = {kind: documented[kind].units / documented[kind].rows for kind in written.rows}
    assert written.units <= sum(shares[kind] * rows for kind, rows in written.rows.items())
    assert written.refusals <= documented["users"].refusals * written.rows.total()


@pytest.mark.parametrize("events", [EVENTS, 25])
def test_a_write_of_one_process(counted: Counted, events: int) -> None:
    """At 100 events a second, and at 5."""
    written = _write(counted, 1, events)
    assert_by_the_formula(written, 1)
    if events == EVENTS:
        assert written.units <= 0.55 * written.events


@pytest.mark.parametrize("events", [EVENTS, 25])
@pytest.mark.parametrize("apart", [0, WRITE_MS // 8])
def test_writes_of_eight_processes(counted: Counted, events: int, apart: int) -> None:
    """Each sees rows that the others have written to meanwhile, with later events or earlier."""
    written = _write(counted, 8, events, apart=apart)
    assert_by_the_formula(written, 8)
    if events == EVENTS:
        assert written.units <= 0.70 * written.events


def _fill_days(counted: Counted, commands: int) -> None:
    """Write a day, and put its rows that dashboards read under the 59 days before it, too."""
    day = MONTH.last_day
    events = talk(
        4_000,
        "writer",
        start=MONTH.end_ms - DAY_MS,
        span=DAY_MS,
        commands=commands,
        patterns=20,
    )
    counted.store.write(Batch("writer", events))
    rows = [
        row
        for row in _every_item(counted)
        if row["SK"]["S"].endswith(day)
        and row["PK"]["S"].startswith(("ACTIVITY#", "COMMAND#", "ERROR#"))
    ]
    puts = []
    for before in range(1, 60):
        other = (MONTH.end - dt.timedelta(days=before)).isoformat()
        puts += [{"PutRequest": {"Item": _moved(row, day, other)}} for row in rows]
    for start in range(0, len(puts), 25):
        counted.client.call(
            "BatchWriteItem", {"RequestItems": {counted.client.table: puts[start : start + 25]}}
        )


def _every_item(counted: Counted) -> Iterator[dict[str, Any]]:
    request: dict[str, Any] = {"TableName": counted.client.table}
    while True:
        answer = counted.send("Scan", request)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _moved(row: dict[str, Any], day: str, other: str) -> dict[str, Any]:
    moved = {**row, "SK": {"S": row["SK"]["S"].replace(day, other)}}
    if "statsDay" in row:
        moved["statsDay"] = {"S": row["statsDay"]["S"].replace(day, other)}
        moved["statsMonth"] = {"S": row["statsMonth"]["S"].replace(day[:7], other[:7])}
    return moved


def _dashboard(counted: Counted) -> tuple[int, float]:
    """Return how many requests one takes and what they consume, but for users and patterns."""
    counted.forget()
    dashboard = Answers(counted.store, FakeClock(NOW_MS)).dashboard(MONTH)
    assert dashboard.summary.previous is not None
    assert dashboard.summary.previous.executions > 0
    for apart in ("query SKETCH", "lookup ERROR"):
        del counted.requests[apart], counted.units[apart]
    return counted.requests.total(), sum(counted.units.values())


@pytest.mark.parametrize(("commands", "most"), [(20, 70), (200, 200)])
def test_a_dashboard_of_a_month(counted: Counted, commands: int, most: int) -> None:
    """With its comparison, however many events there are; users and patterns counted apart."""
    _fill_days(counted, commands)

    requests, units = _dashboard(counted)

    print(f"{requests} requests, {units} units")  # noqa: T201
    assert requests <= 14
    assert units <= most
    more = talk(4_000, "writer", start=MONTH.end_ms - DAY_MS, span=DAY_MS, first=5_000)
    counted.store.write(Batch("writer", more))
    requests_then, units_then = _dashboard(counted)
    assert requests_then == requests
    assert units_then == pytest.approx(units, abs=1)
