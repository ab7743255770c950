"""What is granted and reckoned, against what the store asks of an engine and what that consumes."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from copilot_analytics.answers import Answers
from copilot_analytics.batch import Batch
from copilot_analytics.events import AnalyticsEvent, EventType, MetadataValue
from copilot_analytics.infrastructure import policy
from copilot_analytics.infrastructure.capacity import (
    EVENT_UNITS,
    dashboard_reads,
    rows_written,
    user_updates,
)
from copilot_analytics.infrastructure.workload import Workload
from copilot_analytics.periods import DAY_MS, DateRange
from copilot_analytics.store_samples import NOW_MS, event, numbered, sample_events
from copilot_analytics.stores import EventSelection
from copilot_analytics.stores._dynamodb_provisioning import create
from copilot_analytics.stores.dynamodb import DynamoDBStore
from copilot_analytics.testing import FakeClock

from ..stores.dynamodb_engines import Engine

COMMANDS, USERS, PATTERNS = 20, 50, 10
MONTH = DateRange(dt.date(2025, 10, 27), dt.date(2025, 11, 25))


class Watched:
    """A store whose every request is noted, with what it consumed."""

    def __init__(self, engine: Engine) -> None:
        url = f"dynamodb://{engine.new_table_name()}?endpoint={engine.endpoint_url}"
        self.store = DynamoDBStore(url, clock=FakeClock(NOW_MS))
        client = self.store._client
        create(client)
        self._send = client.call
        client.call = self.call  # type: ignore[method-assign]
        self.forget()

    def forget(self) -> None:
        """Start anew."""
        self.operations: set[str] = set()
        self.updates: Counter[str] = Counter()
        self.units: Counter[str] = Counter()

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        asked = {"ReturnConsumedCapacity": "TOTAL", **request}
        answer = self._send(operation, request if operation == "DescribeTable" else asked)
        kind = kind_of(request["Key"]) if operation == "UpdateItem" else operation
        capacity = answer.get("ConsumedCapacity", [])
        each = capacity if isinstance(capacity, list) else [capacity]
        self.operations.add(operation)
        self.updates[kind] += 1
        self.units[kind] += sum(one["CapacityUnits"] for one in each)
        return answer


NAMES = {"COMMAND": "commands", "INTENT": "intents", "ERROR": "error types", "USER": "users"}


def kind_of(key: Mapping[str, Any]) -> str:
    """Name what an update is of as the estimate does."""
    partition, sort = key["PK"]["S"].split("#"), key["SK"]["S"].split("#")
    match partition[0], sort[0], len(sort):
        case "ACTIVITY", "HOUR", _:
            return "activity of the hour"
        case "ACTIVITY", _, _:
            return "activity of the day"
        case "ERROR", "PATTERN", 2:
            return "patterns' lives"
        case "ERROR", "PATTERN", _:
            return "error patterns"
        case _:
            return NAMES.get(partition[0], str(partition[0]))


@pytest.fixture
def watched(engine: Engine) -> Iterator[Watched]:
    watched = Watched(engine)
    with watched.store:
        yield watched


def test_policy_grants_what_the_store_asks_for(watched: Watched) -> None:
    """And nothing else but PutItem: what BatchWriteItem does, one at a time."""
    events = sample_events(60)
    days = DateRange(dt.date(2025, 11, 22), dt.date(2025, 11, 25))
    watched.forget()
    watched.store.write(Batch(events[0].writer, events))
    Answers(watched.store, FakeClock(NOW_MS)).dashboard(days)
    watched.store.events(EventSelection(start_ms=NOW_MS - DAY_MS, end_ms=NOW_MS), limit=5)
    watched.store.statistics()
    watched.store.generations(days)

    (use,) = policy.statements("analytics")
    granted = {action.removeprefix("dynamodb:") for action in use.actions}
    assert granted - watched.operations == {"PutItem"}
    assert watched.operations <= granted

    watched.forget()
    watched.store.erase_user("ada")
    _, erase = policy.statements("analytics", erase=True)
    granted |= {action.removeprefix("dynamodb:") for action in erase.actions}
    assert watched.operations <= granted


def talk(count: int, *, seed: int, at: int, first: int = 1) -> list[AnalyticsEvent]:
    """Turns of many users over a day until `at`, everything equally likely; an error in ten."""
    rng = random.Random(seed)
    made: list[AnalyticsEvent] = []
    while len(made) < count:
        user, name = f"user-{rng.randrange(USERS)}", f"some-name-{rng.randrange(COMMANDS)}"
        ms = round(rng.lognormvariate(5.5, 0.8), 3)
        kind = rng.randrange(PATTERNS)
        turn: list[tuple[EventType, dict[str, MetadataValue]]] = [
            (EventType.MESSAGE_SENT, {"message_length": 120}),
            (EventType.INTENT_CLASSIFIED, {"intent": name, "confidence": rng.random()}),
            (EventType.STREAMING_COMPLETED, {"ttft_ms": ms, "duration_ms": 3 * ms}),
            (EventType.ACTION_EXECUTED, {"command_name": name, "intent": name, "execution_ms": ms}),
        ]
        if rng.random() < 0.1:
            error = {"error_type": f"Error{kind % 5}", "fingerprint": f"1-{kind}"}
            turn.append((EventType.ERROR_OCCURRED, {**error, "error_message": "it failed"}))
        made += [event(event_type, user, at, **metadata) for event_type, metadata in turn]
    return numbered(made[:count], first=first)


def write(watched: Watched, events: Sequence[AnalyticsEvent]) -> None:
    watched.store.write(Batch(events[0].writer, events))


def test_write_consumes_what_is_reckoned(watched: Watched, engine: Engine) -> None:
    if engine.name == "moto":
        pytest.skip("moto tells no true capacity")
    write(watched, talk(500, seed=1, at=NOW_MS))
    watched.forget()
    write(watched, talk(500, seed=2, at=NOW_MS, first=501))

    assert watched.units["BatchWriteItem"] == 500 * EVENT_UNITS
    workload = Workload(events_per_day=86_400 * 100, users=USERS, patterns=PATTERNS)
    assert workload.events_per_write == 500
    reckoned = {row.kind: row for row in rows_written(workload)}
    assert watched.updates.keys() - {"BatchWriteItem", "GetItem", "SKETCH"} == reckoned.keys()
    for kind, row in reckoned.items():
        # The day's rows are not as large yet as in the evening, for which they are reckoned.
        each = watched.units[kind] / watched.updates[kind]
        assert each <= row.table_units + row.index_units, kind
        assert each >= 1 + row.index_units, kind
        assert watched.updates[kind] <= row.rows * 1.5 + 1, kind
    assert sum(watched.units[kind] for kind in reckoned) / 500 <= 0.55
    assert watched.units["SKETCH"] / 500 <= 0.07


def test_users_met_before_cost_nothing(watched: Watched, engine: Engine) -> None:
    if engine.name == "moto":
        pytest.skip("moto tells no true capacity")
    events = talk(1_000, seed=1, at=NOW_MS)
    write(watched, events[:500])
    write(watched, events[500:])
    met = watched.updates["SKETCH"]

    names = 1 + COMMANDS + 5 + PATTERNS
    assert met <= 2 * names, "one update takes all users that a name meets in one write"
    reckoned = user_updates(
        Workload(events_per_day=1_000, users=USERS, patterns=PATTERNS, action_share=0.25)
    )
    assert met <= reckoned.updates
    assert watched.units["SKETCH"] / met <= reckoned.units


def test_dashboard_reads_what_is_reckoned(watched: Watched, engine: Engine) -> None:
    if engine.name == "moto":
        pytest.skip("moto tells no true capacity")
    first = 1
    for day in range(4):
        write(watched, talk(250, seed=day, at=NOW_MS - day * DAY_MS, first=first))
        first += 250
    watched.forget()
    Answers(watched.store, FakeClock(NOW_MS)).dashboard(MONTH)

    workload = Workload(events_per_day=250, users=USERS, patterns=PATTERNS)
    assert watched.units["GetItem"] == 0.5 * watched.updates["GetItem"] == 2.5, "a shown pattern"
    reckoned = sum(read.units for read in dashboard_reads(workload)) - 2.5
    there = reckoned * 4 / 30  # of each question's days, those that have anything
    rounding = 0.5 * watched.updates["Query"]
    assert 0.6 * there <= watched.units["Query"] <= there + rounding
