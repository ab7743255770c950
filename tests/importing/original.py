"""A table as the original copilot wrote it, with everything that is odd about it."""

from __future__ import annotations

from typing import Any

from copilot_analytics.periods import DAY_MS
from copilot_analytics.store_samples import NOW_MS
from copilot_analytics.stores._dynamodb_client import DynamoDBClient

TODAY = "2025-11-25"
YESTERDAY = "2025-11-24"
LONG_AGO = "2025-03-01"
LONG_AGO_MS = 1_740_830_400_000
"""2025-03-01T12:00Z; events of that day have expired."""


def definition(name: str) -> dict[str, Any]:
    """Return the request that makes an original table; its indexes do not matter to a Scan."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "PK", "AttributeType": "S"},
            {"AttributeName": "SK", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "PK", "KeyType": "HASH"},
            {"AttributeName": "SK", "KeyType": "RANGE"},
        ],
    }


def typed(value: Any) -> dict[str, Any]:
    """Return a plain value as the API has it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, float)):
        return {"N": str(value)}
    if isinstance(value, dict):
        return {"M": {name: typed(one) for name, one in value.items()}}
    if isinstance(value, list):
        return {"L": [typed(one) for one in value]}
    if isinstance(value, set):
        return {"SS": sorted(value)}
    return {"NULL": True} if value is None else {"S": value}


def event(
    number: int, event_type: str, user_id: str, at: int, metadata: Any = None, **others: Any
) -> dict[str, Any]:
    """Return an event's item."""
    return {
        "PK": f"EVENT#{event_type}",
        "SK": f"{user_id}#{at}#r{number}",
        "userId": user_id,
        "eventType": event_type,
        "timestamp": at,
        "metadata": {} if metadata is None else metadata,
        "ttl": at // 1000 + 90 * 86_400,
        **others,
    }


def command(
    name: str, day: str, successes: int, failures: int, time_ms: float, last: Any
) -> dict[str, Any]:
    """Return a command's row of a day."""
    return {
        "PK": f"COMMAND#{name}",
        "SK": f"STATS#{day}",
        "commandName": name,
        "totalExecutions": successes + failures,
        "successfulExecutions": successes,
        "failedExecutions": failures,
        "totalExecutionTime": time_ms,
        "lastExecuted": last,
    }


def error(
    error_type: str, mark: str, message: str, count: int, first: Any, last: Any, users: Any
) -> dict[str, Any]:
    """Return an error's row."""
    return {
        "PK": f"ERROR#{error_type}",
        "SK": f"PATTERN#{mark}",
        "errorType": error_type,
        "errorMessage": message,
        "count": count,
        "firstOccurrence": first,
        "lastOccurrence": last,
        "affectedUsers": users,
    }


def items() -> list[dict[str, Any]]:
    """Return the table's items."""
    run = {"commandName": "search", "executionTime": 120.5, "success": True}
    failed = {"commandName": "search", "executionTime": 30, "errorType": "Timeout"}
    refused = {"errorType": "Timeout", "errorMessage": "no answer for ann@example.com after 30 s"}
    return [
        *(event(n, "ACTION_EXECUTED", "ada", NOW_MS - n, run) for n in range(3)),
        event(3, "ACTION_FAILED", "bob", NOW_MS - DAY_MS, failed),
        event(4, "ACTION_EXECUTED", "a#b", NOW_MS - 9, {**run, "parameters": {"q": "secret"}}),
        # A command without a row: its events are all there is.
        event(5, "ACTION_EXECUTED", "ada", NOW_MS - 5, '{"commandName": "export"}'),
        event(6, "ERROR_OCCURRED", "ada", NOW_MS - 6, refused, conversationId="c-1"),
        event(
            7, "MESSAGE_SENT", "ada", NOW_MS - 7, {"message": "secret words", "messageLength": 9}
        ),
        event(8, "NO_SUCH_TYPE", "ada", NOW_MS),
        event(9, "MESSAGE_SENT", "ada", NOW_MS, 5),
        # More than its events, also in failures; exactly them; less, as after a lost update.
        command("search", TODAY, 9, 2, 2_000.25, NOW_MS - 1),
        command("search", YESTERDAY, 0, 1, 30, "2025-11-24T12:00:00Z"),
        command("export", YESTERDAY, 4, 0, 0, None),
        command("search", LONG_AGO, 5, 0, 500, LONG_AGO_MS),
        command("mail bob@example.com", LONG_AGO, 1, 0, 1, LONG_AGO_MS),
        command("mail eve@example.com", LONG_AGO, 2, 0, 2, LONG_AGO_MS + 5),
        {**command("bad", TODAY, 1, 1, 1, NOW_MS), "totalExecutions": -1},
        {**command("bad", "someday", 1, 1, 1, NOW_MS)},
        # Equal once their texts are normalised; one has an event, one a list with duplicates.
        error(
            "Timeout",
            "h1",
            "no answer for ann@example.com after 30 s",
            7,
            LONG_AGO_MS,
            NOW_MS - 6,
            ["zoe", "ada", "zoe", *(f"user-{n:03}" for n in range(120))],
        ),
        error(
            "Timeout",
            "h2",
            "no answer for bob@example.com after 99 s",
            5,
            "2025-03-01T12:00:01Z",
            NOW_MS - 2 * DAY_MS,
            {"bob", "ada"},
        ),
        error("Denied", "h3", "not allowed", 4, LONG_AGO_MS, LONG_AGO_MS + 60_000, None),
        error("Denied", "h4", "never", 0, LONG_AGO_MS, LONG_AGO_MS, []),
        {"PK": "CONFIG#all", "SK": "1"},
    ]


def fill(client: DynamoDBClient, content: list[dict[str, Any]] | None = None) -> None:
    """Make the table of a client an original one, with `items` or others."""
    client.call("CreateTable", definition(client.table))
    for item in items() if content is None else content:
        typed_item = {name: typed(value) for name, value in item.items()}
        client.call("PutItem", {"TableName": client.table, "Item": typed_item})
