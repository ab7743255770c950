"""How the keys and indexes of the DynamoDB table are called, and what its third index holds.

For good: an index cannot be changed, and none of its attributes may change their meaning.
"""

from __future__ import annotations

__all__ = [
    "DATE_INDEX",
    "DATE_KEY",
    "EVENT_TYPE_INDEX",
    "PARTITION_KEY",
    "SORT_KEY",
    "STATS_COLUMNS",
    "STATS_INDEX",
    "STATS_KEY",
    "STATS_SORT_KEY",
    "TIME_KEY",
    "TTL",
    "TYPE_KEY",
]

PARTITION_KEY = "PK"
SORT_KEY = "SK"
TTL = "ttl"
"""When an item may be deleted, epoch seconds."""

DATE_INDEX = "DateIndex"
"""Events of a day: partition `DATE_KEY`, sort `TIME_KEY`, everything projected."""
DATE_KEY = "dateShard"
"""`<date>#<shard>`."""

EVENT_TYPE_INDEX = "EventTypeIndex"
"""Events of a type and a day: partition `TYPE_KEY`, sort `TIME_KEY`, everything projected."""
TYPE_KEY = "typeShard"
"""`<eventType>#<date>#<shard>`."""

TIME_KEY = "timeId"
"""`<timestamp, 13 digits>#<event id>`: the order of events, for both indexes."""

STATS_INDEX = "StatsIndex"
"""Rollups of a kind and a month: partition `STATS_KEY`, sort `STATS_SORT_KEY`."""
STATS_KEY = "statsMonth"
"""`<kind>#<YYYY-MM>`, for users also `#<shard>`."""
STATS_SORT_KEY = "statsDay"
"""`<date>#<dimension>`."""

STATS_COLUMNS = (
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
"""What `StatsIndex` projects besides the keys; 20 names are the most that a projection takes."""
