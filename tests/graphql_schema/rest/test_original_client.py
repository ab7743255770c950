"""A client of the original, which knows its requests and fields, and gets another base URL."""

from __future__ import annotations

from typing import Any

import pytest

COMMAND = {
    "commandName": str,
    "totalExecutions": int,
    "successfulExecutions": int,
    "failedExecutions": int,
    "averageExecutionTime": float,
    "lastExecuted": int,
}
PATTERN = {
    "errorType": str,
    "errorMessage": str,
    "count": int,
    "firstOccurrence": int,
    "lastOccurrence": int,
    "affectedUsers": list,
    "contexts": list,
}
PERIOD = {"startDate": str, "endDate": str}
DAYS = "startDate=2025-05-20&endDate=2025-06-20"
REQUESTS: dict[str, dict[str, Any]] = {
    f"/dashboard?{DAYS}": {
        "period": PERIOD,
        "summary": {
            "totalExecutions": int,
            "totalSuccessful": int,
            "totalFailed": int,
            "successRate": float,
            "averageExecutionTime": float,
            "totalErrors": int,
            "uniqueErrorTypes": int,
        },
        "popularCommands": [COMMAND],
        "topErrors": [PATTERN],
    },
    f"/commands/add-supplier?{DAYS}": COMMAND,
    f"/commands/popular?{DAYS}&limit=10": {"commands": [COMMAND], "period": PERIOD},
    "/errors?errorType=ValueError&limit=20": {"patterns": [PATTERN], "errorType": str},
    "/users/ada?startDate=1747699200000&endDate=1750377600000": {
        "userId": str,
        "totalMessages": int,
        "totalActions": int,
        "successfulActions": int,
        "failedActions": int,
        "popularCommands": list,
        "firstActivity": int,
        "lastActivity": int,
        "averageResponseTime": float,
    },
    f"/export?{DAYS}&format=json": {"exportDate": str, "commands": list, "errors": list},
}


@pytest.mark.parametrize("base", ["/analytics", "/api/copilot/analytics"])
@pytest.mark.parametrize("path", REQUESTS)
def test_request_has_the_fields_that_the_client_reads(story: Any, base: str, path: str) -> None:
    _check(story.json(path, prefix=base), REQUESTS[path])


def test_client_is_told_of_errors_where_it_looks(story: Any) -> None:
    for path in ("/commands/no-such", "/users/nobody"):
        response = story.get(path)
        assert response.status_code == 404
        assert isinstance(response.json()["error"], str)


def _check(value: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        for name, kind in expected.items():
            _check(value[name], kind)
    elif isinstance(expected, list):
        assert value
        for each in value:
            _check(each, expected[0])
    else:
        assert isinstance(value, expected)
