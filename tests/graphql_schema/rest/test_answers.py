"""What a client of the original's API gets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from copilot_analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.periods import DAY_MS
from copilot_analytics_graphql.rest.routes import ALIAS_PREFIX

Serve = Callable[..., AbstractAsyncContextManager[Any]]

NOW_MS = 1_750_000_000_000  # 2025-06-15T15:06:40Z


PERIOD = {"startDate": "2025-05-17", "endDate": "2025-06-15"}
ADD_SUPPLIER = {
    "commandName": "add-supplier",
    "totalExecutions": 10,
    "successfulExecutions": 8,
    "failedExecutions": 2,
    "successRate": 80.0,
    "averageExecutionTime": 100.0,
    "lastExecuted": NOW_MS,
}
LIST_ORDERS = {
    "commandName": "list-orders",
    "totalExecutions": 1,
    "successfulExecutions": 1,
    "failedExecutions": 0,
    "successRate": 100.0,
    "averageExecutionTime": 12.0,
    "lastExecuted": NOW_MS,
}
PATTERN = {
    "errorType": "ValueError",
    "errorMessage": "no supplier for <email>",
    "count": 1,
    "totalCount": 1,
    "firstOccurrence": NOW_MS,
    "lastOccurrence": NOW_MS,
    "affectedUsers": ["ada"],
    "affectedUserCount": 1,
    "contexts": [],
}


def test_dashboard_has_the_totals_in_percent_and_the_most_frequent(story: Any) -> None:
    dashboard = story.json("/dashboard")

    assert dashboard["topErrors"][0].pop("fingerprint")
    assert dashboard == {
        "period": PERIOD,
        "summary": {
            "totalExecutions": 11,
            "totalSuccessful": 9,
            "totalFailed": 2,
            "successRate": pytest.approx(900 / 11),
            "averageExecutionTime": 92.0,
            "totalErrors": 1,
            "uniqueErrorTypes": 1,
            "totalMessages": 1,
            "activeUsers": 2,
        },
        "popularCommands": [ADD_SUPPLIER, LIST_ORDERS],
        "topErrors": [PATTERN],
    }


def test_dashboard_of_nothing_is_zeros(story: Any) -> None:
    summary = story.json("/dashboard?startDate=2025-01-01&endDate=2025-01-31")["summary"]

    assert set(summary.values()) == {0}


def test_popular_commands_are_limited_and_ordered(story: Any) -> None:
    assert story.json("/commands/popular?limit=1") == {
        "commands": [ADD_SUPPLIER],
        "totalCommands": 2,
        "period": PERIOD,
    }
    by_time = story.json("/commands/popular?orderBy=latency&limit=1000")["commands"]
    assert by_time == [ADD_SUPPLIER, LIST_ORDERS]


def test_command_has_its_statistics(story: Any) -> None:
    stats = story.json("/commands/add-supplier?startDate=2025-06-15")

    for percentile in ("p50", "p95", "p99"):
        assert stats.pop(f"{percentile}ExecutionTime") == pytest.approx(100, rel=0.02)
    assert stats == {
        **ADD_SUPPLIER,
        "uniqueUsers": 2,
        "errorsByType": [],
        "period": {"startDate": "2025-06-15", "endDate": "2025-06-15"},
    }


def test_command_that_never_ran_is_not_found(story: Any) -> None:
    problem = story.problem("/commands/no-such", 404)

    assert problem["code"] == "NOT_FOUND"
    assert problem["detail"].startswith("No statistics found for this command from 2025-05-17")


def test_errors_are_of_all_types_or_of_one(story: Any) -> None:
    everything = story.json("/errors")
    assert everything["patterns"][0].pop("fingerprint")
    assert everything == {
        "patterns": [PATTERN],
        "errorType": "all",
        "totalPatterns": 1,
        "period": PERIOD,
    }
    assert story.json("/errors?errorType=")["errorType"] == "all"
    assert len(story.json("/errors?errorType=ValueError&limit=1")["patterns"]) == 1
    assert story.json("/errors?errorType=KeyError") == {
        "patterns": [],
        "errorType": "KeyError",
        "totalPatterns": 0,
        "period": PERIOD,
    }


def test_user_has_their_activity(story: Any) -> None:
    assert story.json("/users/ada") == {
        "userId": "ada",
        "totalMessages": 1,
        "totalActions": 8,
        "successfulActions": 6,
        "failedActions": 2,
        "successRate": 75.0,
        "popularCommands": ["add-supplier", "list-orders"],
        "firstActivity": NOW_MS,
        "lastActivity": NOW_MS,
        "averageResponseTime": pytest.approx((5 * 100 + 12) / 6),
        "totalErrors": 1,
        "totalConnections": 0,
        "days": [
            {
                "date": "2025-06-15",
                "messages": 1,
                "actions": 8,
                "failedActions": 2,
                "errors": 1,
                "connections": 0,
            }
        ],
        "period": PERIOD,
    }


def test_user_is_asked_about_by_milliseconds_or_days(story: Any) -> None:
    last_month = NOW_MS - 40 * DAY_MS
    by_time = story.json(f"/users/ada?startDate={last_month}&endDate={last_month + 1}")

    assert by_time["period"] == {"startDate": "2025-05-06", "endDate": "2025-05-06"}
    assert by_time["totalActions"] == 5
    assert by_time == story.json("/users/ada?startDate=2025-05-06&endDate=2025-05-06")


def test_user_without_activity_is_not_found(story: Any) -> None:
    problem = story.problem("/users/nobody", 404)

    assert problem["detail"].startswith("No activity found for this user")


def test_user_may_ask_about_themselves_only(story: Any) -> None:
    ada = story.endpoint.ada

    assert story.json("/users/ada", token=ada) == story.json("/users/ada")
    for path in ("/users/bob", "/users/nobody", "/users/ADA", "/users/ada%20"):
        assert story.problem(path, 403, token=ada)["code"] == "FORBIDDEN"
    for path in ("/dashboard", "/commands/popular", "/commands/add-supplier", "/errors", "/export"):
        assert story.problem(path, 403, token=ada)["code"] == "FORBIDDEN"


def test_alias_of_the_originals_page_gives_the_same(story: Any) -> None:
    ours, original = story.get("/dashboard"), story.get("/dashboard", prefix=ALIAS_PREFIX)

    assert original.status_code == 200
    assert original.content == ours.content


@pytest.mark.parametrize(
    ("path", "status", "parameter", "fix"),
    [
        ("/dashboard?startDate=15.6.2025", 400, "startDate", "YYYY-MM-DD"),
        ("/dashboard?startDate=20250615", 400, "startDate", "YYYY-MM-DD"),
        ("/dashboard?startDate=", 400, "startDate", "YYYY-MM-DD"),
        ("/dashboard?endDate=2025-02-30", 400, "endDate", "YYYY-MM-DD"),
        ("/dashboard?startDate=2025-06-02&endDate=2025-06-01", 422, "startDate", "swap"),
        ("/dashboard?startDate=2020-01-01", 422, "startDate", "at most 400"),
        ("/dashboard?endDate=0001-01-01", 422, "endDate", "later"),
        ("/dashboard?limit=5", 400, None, "give one of startDate, endDate"),
        ("/dashboard?startDate=2025-06-01&startDate=2025-06-02", 400, "startDate", "once"),
        ("/dashboard?startDate=%FF", 400, None, "percent-encoded in UTF-8"),
        ("/dashboard?" + "a" * 9000, 400, None, "too long"),
        ("/commands/popular?limit=0", 400, "limit", "1 to 1000"),
        ("/commands/popular?limit=1001", 400, "limit", "1 to 1000"),
        ("/commands/popular?limit=ten", 400, "limit", "1 to 1000"),
        ("/commands/popular?limit=1e2", 400, "limit", "1 to 1000"),
        ("/commands/popular?limit=" + "9" * 4000, 400, "limit", "1 to 1000"),
        ("/commands/popular?orderBy=name", 400, "orderBy", "executions"),
        ("/errors?errorType=" + "x" * 257, 400, "errorType", "256"),
        ("/users/ada?startDate=-1", 400, "startDate", "milliseconds"),
        ("/users/ada?startDate=yesterday", 400, "startDate", "YYYY-MM-DD"),
        ("/users/", 400, "userId", "name"),
        ("/commands/%FF%FE", 400, None, "UTF-8"),
        ("/openapi.json?x=1", 400, None, "give none"),
    ],
)
def test_mistake_is_told_with_its_fix(
    story: Any, path: str, status: int, parameter: str | None, fix: str
) -> None:
    problem = story.problem(path, status)

    assert problem["code"] == "BAD_USER_INPUT"
    assert problem.get("parameter") == parameter
    assert fix in problem["detail"]
    assert len(problem["detail"]) < 400


def test_paths_that_are_none_are_not_found(story: Any) -> None:
    for path in ("/", "/nothing", "/dashboard/more"):
        assert story.get(path).status_code == 404


NAMES = [
    "with/slash",
    "a//b/",
    "50% #1 & more?",
    "%2F",
    "🚀 launch",
    "é",
    "e\u0301",
    "..",
    "popular/",
    "\u202egnp.exe",
    "n" * 10_000,
]


@pytest.mark.parametrize("name", NAMES, ids=[repr(name[:12]) for name in NAMES])
def test_name_in_a_path_is_found_as_it_was_tracked(endpoint: Serve, name: str) -> None:
    async def ask() -> tuple[httpx.Response, httpx.Response, Any]:
        async with endpoint(events=False) as served:
            served.analytics.service.track_command_execution(name, name, True, 5.0)
            assert await served.analytics.flush()
            popular = (await served.get("/commands/popular")).json()
            encoded = quote(name, safe="").replace(".", "%2E")
            return (
                await served.get(f"/commands/{encoded}"),
                await served.get(f"/users/{encoded}"),
                popular["commands"][0]["commandName"],
            )

    command, user, stored = asyncio.run(ask())

    assert command.status_code == user.status_code == 200, command.text + user.text
    assert command.json()["commandName"] == stored
    assert user.json()["popularCommands"] == [stored]


def test_pseudonym_that_answers_show_is_an_admins_way_to_a_user(endpoint: Serve) -> None:
    config = AnalyticsConfig(strict=True, pseudonymise_key="k" * 32)

    async def ask() -> tuple[httpx.Response, httpx.Response, httpx.Response, str]:
        async with endpoint(config=config) as served:
            analytics: Analytics = served.analytics
            stored = analytics.stored_user_id("ada")
            return (
                await served.get(f"/users/{stored}"),
                await served.get("/users/ada"),
                await served.get("/users/ada", token=served.ada),
                stored,
            )

    by_pseudonym, by_id, by_herself, stored = asyncio.run(ask())

    assert by_pseudonym.json()["userId"] == stored
    assert by_pseudonym.json() == by_id.json() == by_herself.json()
