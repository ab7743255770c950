"""The DynamoDB table: its keys, its indexes, and the request that makes it.

Whoever names a key attribute or an index, here or in a template, takes the name from here. Keys
and projections are fixed for good: DynamoDB changes neither.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = [
    "DATE_INDEX",
    "DATE_KEY",
    "EVENT_SORT_KEY",
    "PARTITION_KEY",
    "PROJECTED",
    "SORT_KEY",
    "STATS_INDEX",
    "STATS_PARTITION_KEY",
    "STATS_SORT_KEY",
    "TTL",
    "TYPE_INDEX",
    "TYPE_KEY",
    "definition",
]

PARTITION_KEY: Final = "PK"
SORT_KEY: Final = "SK"
TTL: Final = "ttl"
"""When an item may be deleted, in epoch seconds."""

DATE_INDEX: Final = "DateIndex"
DATE_KEY: Final = "dateShard"
"""`<date>#<shard>`."""

TYPE_INDEX: Final = "EventTypeIndex"
TYPE_KEY: Final = "typeDateShard"
"""`<eventType>#<date>#<shard>`."""

EVENT_SORT_KEY: Final = "timestampId"
"""`<timestamp>#<eventId>`, the sort key of both indexes over events: a span of time is one range,
in the order of events everywhere."""

STATS_INDEX: Final = "StatsIndex"
STATS_PARTITION_KEY: Final = "statsMonth"
"""`<kind>#<month>`, and a shard where there is more than one."""
STATS_SORT_KEY: Final = "statsDay"
"""`<date>#<dimension>`."""

PROJECTED: Final = (
    "commandName",
    "totalExecutions",
    "successfulExecutions",
    "failedExecutions",
    "totalExecutionTime",
    "lastExecuted",
    "count",
    "first",
    "last",
    *(f"c{number}" for number in range(1, 12)),
)
"""What `StatsIndex` holds of a rollup besides keys: 20 names, as many as a projection takes."""


def definition(table: str) -> dict[str, Any]:
    """Return the request that creates the table, as CreateTable takes it.

    TTL on the attribute `TTL` and point-in-time recovery are requests of their own.
    """
    everything = {"ProjectionType": "ALL"}
    some = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(PROJECTED)}
    indexes = [
        _index(DATE_INDEX, DATE_KEY, EVENT_SORT_KEY, everything),
        _index(TYPE_INDEX, TYPE_KEY, EVENT_SORT_KEY, everything),
        _index(STATS_INDEX, STATS_PARTITION_KEY, STATS_SORT_KEY, some),
    ]
    keys = {key["AttributeName"]: None for index in indexes for key in index["KeySchema"]}
    return {
        "TableName": table,
        "KeySchema": _keys(PARTITION_KEY, SORT_KEY),
        "AttributeDefinitions": [
            {"AttributeName": key, "AttributeType": "S"} for key in (PARTITION_KEY, SORT_KEY, *keys)
        ],
        "GlobalSecondaryIndexes": indexes,
        "BillingMode": "PAY_PER_REQUEST",
        "SSESpecification": {"Enabled": True, "SSEType": "KMS"},
    }


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


def _index(name: str, partition: str, sort: str, projection: dict[str, Any]) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": _keys(partition, sort), "Projection": projection}
