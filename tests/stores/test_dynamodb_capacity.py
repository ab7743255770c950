"""What writes and dashboards consume, as an engine tells it that counts as AWS does."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from copilot_analytics.answers import Answers
from copilot_analytics.batch import Batch
from copilot_analytics.events import AnalyticsEvent, EventType, MetadataValue
from copilot_analytics.periods import DAY_MS, DateRange
from copilot_analytics.store_samples import NOW_MS, event, numbered
from copilot_analytics.stores._dynamodb_errors import ConditionFailed
from copilot_analytics.stores._dynamodb_items import size_of
from copilot_analytics.stores._dynamodb_table import definition
from copilot_analytics.stores.dynamodb import DynamoDBStore
from copilot_analytics.testing import FakeClock

from .dynamodb_engines import Engine

EVENTS = 500
"""In one write."""

WRITE_MS = 5_000
"""Between two writes of one process."""

MONTH = DateRange(dt.date(2025, 10, 27), dt.date(2025, 11, 25))
"""With the comparison it touches three months."""


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

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        about = _about(operation, request)
        self.requests[about] += 1
        try:
            answer = self.send(operation, {**request, "ReturnConsumedCapacity": "TOTAL"})
        except ConditionFailed as refused:
            # It consumes what the row's size makes it, and the engine does not say so.
            self.units[about] += max(1, math.ceil(size_of(refused.item or {}) / 1024))
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


def _write(counted: Counted, writers: int) -> float:
    """Return what a write of each writer consumes in the evening, in units an event."""
    names = [f"writer-{number}" for number in range(writers)]
    for name in names:
        day = talk(4_000 // writers, name, start=NOW_MS - 8 * 3_600_000, span=7 * 3_600_000)
        counted.store.write(Batch(name, day))
    counted.forget()
    for number, name in enumerate(names):
        start = NOW_MS + number * WRITE_MS // writers
        window = talk(EVENTS, name, start=start, span=WRITE_MS, first=10_000)
        counted.store.write(Batch(name, window))
    events = EVENTS * writers
    assert counted.units.pop("events") == 3 * events
    assert counted.units.pop("SKETCH", 0) <= 0.07 * events
    return sum(counted.units.values()) / events


def test_a_write_of_one_process(counted: Counted) -> None:
    assert _write(counted, 1) <= 0.55


def test_writes_of_eight_processes(counted: Counted) -> None:
    """Each sees rows that the others have written to meanwhile."""
    assert _write(counted, 8) <= 0.70


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


@pytest.mark.parametrize(("commands", "units"), [(20, 70), (200, 200)])
def test_a_dashboard_of_a_month(counted: Counted, commands: int, units: int) -> None:
    """With its comparison; the users and the patterns shown counted apart."""
    _fill_days(counted, commands)
    counted.forget()
    dashboard = Answers(counted.store, FakeClock(NOW_MS)).dashboard(MONTH)
    assert dashboard.summary.previous is not None
    assert dashboard.summary.previous.executions == dashboard.summary.totals.executions
    for apart in ("query SKETCH", "lookup ERROR"):
        del counted.requests[apart], counted.units[apart]
    assert counted.requests.total() <= 14
    assert sum(counted.units.values()) <= units
