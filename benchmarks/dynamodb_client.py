"""CPU of this process for one request to DynamoDB: our client, and boto3 as it comes.

A BatchWriteItem of 25 events and an UpdateItem of one rollup, to dynoxide in a process of its own;
interleaved rounds, and what an event costs of both in a write of 500 events over 96 rollups.

    python benchmarks/dynamodb_client.py [rounds=15] [requests=100]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from _engine import engine
from _report import Result, ratios
from botocore.config import Config

from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_provisioning import create

TABLE = "benchmark-table"
EVENTS, ROLLUPS, BATCH = 500, 96, 25

Call = Callable[[], object]


def _event(number: int) -> dict[str, Any]:
    return {
        "PK": {"S": "EVENT#ACTION_EXECUTED"},
        "SK": {"S": f"user-{number}#1790000000000#01K5PW2R7G0000000000000000"},
        "dateShard": {"S": "2026-09-21#2"},
        "typeDateShard": {"S": "ACTION_EXECUTED#2026-09-21#2"},
        "timestampId": {"S": f"17900000000{number:02}#01K5PW2R7G0000000000000000"},
        "userId": {"S": f"user-{number}"},
        "eventType": {"S": "ACTION_EXECUTED"},
        "timestamp": {"N": f"17900000000{number:02}"},
        "date": {"S": "2026-09-21"},
        "hour": {"S": "2026-09-21T12"},
        "conversationId": {"S": "conversation-0123456789"},
        "connectionId": {"S": "connection-0123456789"},
        "metadata": {
            "M": {
                "commandName": {"S": "add-supplier"},
                "success": {"BOOL": True},
                "executionMs": {"N": "412.25"},
            }
        },
        "ttl": {"N": "1798000000"},
        "writer": {"S": "01K5PW2R7G0000000000000000"},
        "seq": {"N": str(number)},
    }


def _batch() -> dict[str, Any]:
    writes = [{"PutRequest": {"Item": _event(number)}} for number in range(BATCH)]
    return {"RequestItems": {TABLE: writes}}


def _update() -> dict[str, Any]:
    counters = [f"#c{number} :c{number}" for number in range(8)]
    return {
        "TableName": TABLE,
        "Key": {"PK": {"S": "COMMAND#add-supplier"}, "SK": {"S": "STATS#2026-09-21"}},
        "UpdateExpression": f"SET #w = :last ADD {', '.join(counters)}",
        "ConditionExpression": "attribute_not_exists(#w) OR #w < :never",
        "ExpressionAttributeNames": {
            "#w": "w_AAAAAAAAAAA",
            **{f"#c{number}": f"h{number}" for number in range(8)},
        },
        "ExpressionAttributeValues": {
            ":last": {"N": "12"},
            ":never": {"N": "999999"},
            **{f":c{number}": {"N": str(number + 1)} for number in range(8)},
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _boto3(url: str, **options: object) -> Any:
    config = Config(connect_timeout=2, read_timeout=5, **options)
    return boto3.client("dynamodb", endpoint_url=url, config=config)


def _milliseconds(call: Call, requests: int) -> float:
    started = time.process_time()
    for _ in range(requests):
        call()
    return (time.process_time() - started) * 1000 / requests


def _measure(calls: Mapping[str, Call], rounds: int, requests: int) -> dict[str, list[float]]:
    for call in calls.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(_milliseconds(call, requests))
    return taken


def _print(what: str, taken: Mapping[str, list[float]], result: Result) -> None:
    for name, times in taken.items():
        result.line(f"{what}, {name} (median)", statistics.median(times), "ms")
    for name in ("boto3", "boto3 unvalidated"):
        ratio, low, high = ratios(taken["ours"], taken[name])
        result.line(f"{what}, ours / {name}", ratio, "x", 0.75)
        print(f"{'':<58} {low:.3f} to {high:.3f} in interleaved rounds")


def main(rounds: str = "15", requests: str = "100") -> int:
    """Print CPU a request and an event, and the ratios."""
    result = Result()
    with engine() as url:
        client = DynamoDBClient(TABLE, endpoint_url=url)
        create(client)
        plain, unvalidated = _boto3(url), _boto3(url, parameter_validation=False)
        batch, update = _batch(), _update()
        batches = _measure(
            {
                "ours": lambda: client.call("BatchWriteItem", batch),
                "boto3": lambda: plain.batch_write_item(**batch),
                "boto3 unvalidated": lambda: unvalidated.batch_write_item(**batch),
            },
            int(rounds),
            int(requests),
        )
        updates = _measure(
            {
                "ours": lambda: client.call("UpdateItem", update),
                "boto3": lambda: plain.update_item(**update),
                "boto3 unvalidated": lambda: unvalidated.update_item(**update),
            },
            int(rounds),
            int(requests),
        )
        client.close()
    _print(f"BatchWriteItem of {BATCH}", batches, result)
    _print("UpdateItem", updates, result)
    for name in batches:
        event = (
            EVENTS / BATCH * statistics.median(batches[name])
            + ROLLUPS * statistics.median(updates[name])
        ) / EVENTS
        result.line(f"requests an event, {name}", event, "ms")
    return result.missed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
