"""What an event costs this process on its whole way into DynamoDB, and how fast it goes.

`record()`, admission, redaction, the spool, every rollup and the requests, to dynoxide in a process
of its own, in writes of as many events as come in 5 s at 100 and at 500 events/s; CPU time of all
threads. Beside it boto3 sends the very same requests, to another table: the requests alone.

    python benchmarks/dynamodb_store.py [rounds=9]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

import boto3
from _engine import engine
from _observations import observations
from _report import Result, ratios

from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.events import Observation
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_provisioning import create
from copilot_analytics.stores.dynamodb import DynamoDBStore

_Request = tuple[str, Mapping[str, Any]]

USERS = 50
WRITES = (500, 2_500)
"""Events."""
BOUND_MS = 0.6

_METHODS = {
    "BatchWriteItem": "batch_write_item",
    "GetItem": "get_item",
    "Query": "query",
    "UpdateItem": "update_item",
}


class _Way:
    """The whole way, and what it has sent."""

    def __init__(self, url: str, table: str, folder: str) -> None:
        store = DynamoDBStore(table, endpoint_url=url)
        self._client = store._client
        self._call = self._client.call
        config = AnalyticsConfig(spool_dir=folder, write_interval=3600)
        self.analytics = Analytics(store, config=config)

    def write(self, seen: list[Observation]) -> tuple[float, float]:
        """Return CPU milliseconds and seconds an event."""
        started, began = time.process_time(), time.perf_counter()
        for observation in seen:
            self.analytics.recorder.record(observation)
        assert self.analytics.recorder.flush_blocking(300)
        cpu, took = time.process_time() - started, time.perf_counter() - began
        return cpu * 1000 / len(seen), took / len(seen)

    def write_noted(self, seen: list[Observation]) -> list[_Request]:
        """Write, and return the requests that it took."""
        sent: list[_Request] = []

        def call(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
            sent.append((operation, request))
            return self._call(operation, request)

        self._client.call = call  # type: ignore[method-assign]
        self.write(seen)
        self._client.call = self._call  # type: ignore[method-assign]
        return sent


def _resent(client: Any, table: str, sent: list[_Request], events: int) -> float:
    """Return CPU milliseconds an event of boto3 sending requests again, to another table."""
    calls: list[tuple[str, dict[str, Any]]] = []
    for operation, request in sent:
        if operation == "BatchWriteItem":
            (writes,) = request["RequestItems"].values()
            calls.append((_METHODS[operation], {"RequestItems": {table: writes}}))
        else:
            calls.append((_METHODS[operation], {**request, "TableName": table}))
    started = time.process_time()
    for method, parameters in calls:
        with suppress(client.exceptions.ConditionalCheckFailedException):
            getattr(client, method)(**parameters)
    return (time.process_time() - started) * 1000 / events


def _groups(events: int) -> Iterator[list[Observation]]:
    now = time.time_ns() // 1_000_000
    seen = observations(1_000_000, users=USERS, start_ms=now - 3_600_000, end_ms=now)
    while group := list(islice(seen, events)):
        yield group


def _measure(url: str, events: int, rounds: int, result: Result) -> None:
    ours, theirs, seconds, count = [], [], [], 0
    table, other = f"ours-{events}", f"boto3-{events}"
    for name in (table, other):
        client = DynamoDBClient(name, endpoint_url=url)
        create(client)
        client.close()
    boto = boto3.client("dynamodb", endpoint_url=url)
    with tempfile.TemporaryDirectory() as folder:
        way = _Way(url, table, folder)
        groups = _groups(events)
        for _ in range(2):  # until everybody is known
            _resent(boto, other, way.write_noted(next(groups)), events)
        for _ in range(rounds):
            cpu, took = way.write(next(groups))
            ours.append(cpu)
            seconds.append(took)
            sent = way.write_noted(next(groups))
            count = len(sent)
            theirs.append(_resent(boto, other, sent, events))
        way.analytics.close()
    median = statistics.median
    name = f"{events} events a write"
    result.line(f"{name}: requests", count, "")
    result.line(f"{name}: CPU of the whole way (median)", median(ours), "ms/event", BOUND_MS)
    result.line(f"{name}: CPU of boto3's requests alone", median(theirs), "ms/event")
    ratio, low, high = ratios(ours, theirs)
    result.line(f"{name}: the whole way / boto3's requests", ratio, "x")
    print(f"{'':<58} {low:.3f} to {high:.3f} in interleaved rounds")
    result.line(f"{name}: throughput on dynoxide", 1 / median(seconds), "events/s")


def main(rounds: str = "9") -> int:
    """Print the costs and the ratios."""
    result = Result()
    with engine() as url:
        for events in WRITES:
            _measure(url, events, int(rounds), result)
    return result.missed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
