"""Writes that fail in the middle, processes that die, and many that write at once: all once."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.errors import StoreUnavailableError
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.store_samples import (
    NOW_MS,
    assert_holds,
    batches_of,
    event,
    numbered,
    sample_events,
)
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_table import definition
from copilot_analytics.stores.dynamodb import DynamoDBStore
from copilot_analytics.testing import FakeClock

from .dynamodb_engines import Engine
from .faulty_proxy import Answer, Drop, FaultyProxy, Part, Rates


class Table:
    """A table that processes open."""

    def __init__(self, engine: Engine) -> None:
        self.endpoint = engine.endpoint_url
        self._name = engine.new_table_name()
        client = DynamoDBClient(self._name, endpoint_url=self.endpoint)
        client.call("CreateTable", definition(self._name))
        client.close()

    def opened(self, *, shards: int = 2, endpoint: str | None = None) -> DynamoDBStore:
        """Return a store as another process would have it."""
        return DynamoDBStore(
            self._name,
            endpoint_url=endpoint or self.endpoint,
            shards=shards,
            clock=FakeClock(NOW_MS),
        )


@pytest.fixture
def table(engine: Engine) -> Table:
    return Table(engine)


@pytest.fixture
def concurrent_table(engine: Engine) -> Table:
    if not engine.atomic_add:
        pytest.skip(f"{engine.name} loses concurrent updates")
    return Table(engine)


class Dying:
    """Lets a store's process die: after so many requests nothing goes through any more.

    The last one goes through without its answer, every other time.
    """

    def __init__(self, store: DynamoDBStore, requests: int) -> None:
        self._send = store._client.call
        self._left = requests
        self._applied = requests % 2 == 0
        self._lock = threading.Lock()
        store._client.call = self._call  # type: ignore[method-assign]

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._left -= 1
            left = self._left
        if left > 0 or (left == 0 and self._applied):
            answer = self._send(operation, request)
            if left > 0:
                return answer
        raise StoreUnavailableError("dynamodb://t", "the process died", "start another")


def test_a_write_that_failed_anywhere_is_completed_once(table: Table) -> None:
    """By other processes of the same writer, which die too, with other batches each time."""
    rng = random.Random(5)
    events = sample_events(90)
    done = deaths = 0
    while done < len(events):
        with table.opened() as store:
            Dying(store, rng.randrange(1, 100))
            try:
                for batch in batches_of(events[done:], rng.choice([11, 40, 90])):
                    store.write(batch)
                    done += len(batch.events)
            except StoreUnavailableError:
                deaths += 1
    assert deaths >= 4
    with table.opened() as store:
        assert_holds(store, events)
        store.write(Batch("writer", events))
        assert_holds(store, events)


def _of_writer(number: int) -> Iterator[AnalyticsEvent]:
    """Yield events of one of many writers on the same names, at times that cross the others'."""
    rng = random.Random(number)
    for _ in range(60):
        at = NOW_MS - rng.randrange(60_000)
        user = f"user-{rng.randrange(12)}"
        name = f"command-{rng.randrange(3)}"
        kind = rng.randrange(2)
        yield event(EventType.ACTION_EXECUTED, user, at, command_name=name, execution_ms=1.5)
        yield event(
            EventType.ERROR_OCCURRED,
            user,
            at,
            error_type="Timeout",
            error_message=f"no answer {rng.randrange(5)}",
            fingerprint=f"1-{kind}",
        )


def _write_in_the_end(store: DynamoDBStore, batch: Batch, *, tries: int) -> None:
    """Write a batch as a recorder does: again where the store had to give up."""
    for _ in range(tries - 1):
        with suppress(StoreUnavailableError):
            store.write(batch)
            return
    store.write(batch)


CONFLICTS = Rates(
    {Answer.conflict(): 0.1, Answer.throttling(): 0.1, Drop(): 0.1, Part(): 0.1}, seed=8
)


@pytest.mark.parametrize("rates", [Rates(), CONFLICTS], ids=["good day", "conflicts"])
def test_eight_writers_at_once_lose_nothing(concurrent_table: Table, rates: Rates) -> None:
    """Neither counts nor the earliest and the latest times, messages and users."""
    writers = {f"writer-{n}": numbered(_of_writer(n), f"writer-{n}") for n in range(8)}
    start = threading.Barrier(len(writers))
    # A request is sent ten times at most; with the faults, one batch in ten thousand is in vain
    # each time. Without them none may be.
    tries = 5 if rates.shares else 1

    def write(events: list[AnalyticsEvent]) -> None:
        with concurrent_table.opened(endpoint=proxy.url) as store:
            start.wait()
            for batch in batches_of(events, 30):
                _write_in_the_end(store, batch, tries=tries)

    with FaultyProxy(concurrent_table.endpoint) as proxy, ThreadPoolExecutor(8) as threads:
        proxy.rates = rates
        list(threads.map(write, writers.values()))
        assert not rates.shares or min(proxy.met["Answer"], proxy.met["Drop"]) > 0
    with concurrent_table.opened() as store:
        assert_holds(store, [one for events in writers.values() for one in events])


def test_many_counters_take_several_updates(table: Table) -> None:
    """More than one expression has room for, also when they are written again."""
    events = numbered(
        event(EventType.ACTION_EXECUTED, f"u{n % 3}", command_name="c", execution_ms=1.04**n)
        for n in range(450)
    )
    with table.opened() as store:
        store.write(Batch("writer", events))
        assert_holds(store, events)
        store.write(Batch("writer", events))
        for batch in batches_of(events, 200):
            store.write(batch)
        assert_holds(store, events)


def test_more_shards_leave_nothing_behind(table: Table) -> None:
    """Whoever reads looks into as many as anybody ever used, also if they use fewer again."""
    events = sample_events(80)
    for shards, part in ((1, events[:20]), (5, events[20:50]), (2, events[50:])):
        with table.opened(shards=shards) as store:
            store.write(Batch("writer", part))
    with table.opened() as store:
        assert_holds(store, events)
