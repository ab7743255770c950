"""Every question, over HTTP from a real store: its figures, its ranges, its mistakes."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gql import Client, GraphQLRequest
from gql.transport.httpx import HTTPXAsyncTransport

from copilot_analytics.exporting import ExportRequest, ExportStream
from copilot_analytics.periods import DAY_MS
from copilot_analytics.queries import ExportSection
from copilot_analytics_graphql.types.export import MAX_CONTENT_BYTES

OPERATIONS = Path(__file__).resolve().parents[2] / "graphql_schema" / "operations"


def test_the_dashboard_answers_a_real_client(endpoint: Any) -> None:
    async def ask() -> dict[str, Any]:
        async with endpoint() as served:
            transport = HTTPXAsyncTransport(
                served.url, headers=served.bearer(served.admin), trust_env=False
            )
            async with Client(transport=transport) as session:
                request = GraphQLRequest((OPERATIONS / "dashboard.graphql").read_text())
                answer: dict[str, Any] = await session.execute(request)
                return answer

    dashboard = asyncio.run(ask())["dashboard"]

    assert dashboard["range"] == {"start": "2025-05-17", "end": "2025-06-15", "days": 30}
    summary = dashboard["summary"]
    assert summary["executions"] == {"value": 11, "previous": 5, "changeRatio": 1.2}
    assert summary["successRate"]["value"] == pytest.approx(9 / 11)
    assert summary["successRate"]["previous"] == 1.0
    assert summary["execution"]["p50Ms"]["value"] == pytest.approx(100, rel=0.02)
    assert summary["execution"]["p50Ms"]["previous"] == pytest.approx(200, rel=0.02)
    assert summary["messages"] == {"value": 1, "previous": 0, "changeRatio": None}
    assert summary["activeUsers"] == {"value": 2, "previous": 1, "changeRatio": 1.0}
    assert summary["activeUsersExact"] is True
    assert summary["errorsByType"] == [
        {"errorType": "ValueError", "count": 1, "previous": 0, "changeRatio": None}
    ]
    assert summary["ttft"]["p50Ms"] == {"value": None, "previous": None, "changeRatio": None}
    assert summary["interruptionRate"]["value"] is None
    assert [command["name"] for command in dashboard["topCommands"]] == [
        "add-supplier",
        "list-orders",
    ]
    [error] = dashboard["topErrors"]
    assert error["message"] == "no supplier for <email>"
    assert error["affectedUsers"] == {"count": 1, "exact": True}


def test_every_operation_answers(endpoint: Any) -> None:
    variables = {
        "command_stats": {"name": "add-supplier"},
        "time_series": {"metric": "EXECUTIONS"},
        "export": {"format": "JSON"},
        "user_activity": {"userId": "ada"},
        "error_pattern": {"fingerprint": "none"},
        "conversation": {"id": "none", "userId": "ada"},
        "erase_user": {"userId": "nobody"},
    }

    async def ask() -> dict[str, Any]:
        async with endpoint() as served:
            answers: dict[str, Any] = {}
            for path in sorted(OPERATIONS.glob("*.graphql")):
                if "\nsubscription " not in path.read_text():
                    # Of a question that several ask, the answer to the last one counts.
                    answers |= await served.data(path.read_text(), variables.get(path.stem))
            return answers

    answers = asyncio.run(ask())

    stats = answers["commandStats"]
    assert (stats["executions"], stats["successes"], stats["failures"]) == (10, 8, 2)
    assert stats["execution"]["averageMs"] == 100.0
    [times] = stats["histogram"]
    assert times["fromMs"] < 100 < times["toMs"]
    assert times["count"] == stats["execution"]["count"] == 10
    assert stats["users"] == {"count": 2, "exact": True}
    assert answers["popularCommands"]["edges"][0]["node"]["successRate"] == 0.8
    assert answers["errorPatterns"]["edges"][0]["node"]["trend"]["daily"]["values"][-1] == 1
    activity = answers["userActivity"]
    assert (activity["executions"], activity["messages"], activity["errors"]) == (8, 1, 1)
    assert [day["day"] for day in activity["days"]] == ["2025-06-15"]
    assert answers["timeSeries"]["values"] == [0.0] * 29 + [11.0]
    assert json.loads(answers["export"]["content"])["summary"]["executions"]["value"] == 11
    health = answers["recorderHealth"]
    assert health["accepted"] == health["stored"] == 19
    assert health["store"] == "memory://"


RANGE = "query($range: DateRange) { dashboard(range: $range) { range { start end days } } }"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, ("2025-05-17", "2025-06-15", 30)),
        ({}, ("2025-05-17", "2025-06-15", 30)),
        ({"end": "2025-01-31"}, ("2025-01-02", "2025-01-31", 30)),
        ({"start": "2025-06-01"}, ("2025-06-01", "2025-06-15", 15)),
        ({"start": "2024-05-13"}, ("2024-05-13", "2025-06-15", 399)),
        ({"start": "2025-01-01", "end": "2025-01-01"}, ("2025-01-01", "2025-01-01", 1)),
        ({"preset": "TODAY"}, ("2025-06-15", "2025-06-15", 1)),
        ({"preset": "YESTERDAY"}, ("2025-06-14", "2025-06-14", 1)),
        ({"preset": "LAST_7_DAYS"}, ("2025-06-09", "2025-06-15", 7)),
        ({"preset": "LAST_30_DAYS"}, ("2025-05-17", "2025-06-15", 30)),
        ({"preset": "LAST_90_DAYS"}, ("2025-03-18", "2025-06-15", 90)),
        ({"preset": "THIS_MONTH"}, ("2025-06-01", "2025-06-15", 15)),
        ({"preset": "LAST_MONTH"}, ("2025-05-01", "2025-05-31", 31)),
        ({"preset": None, "start": None, "end": None}, ("2025-05-17", "2025-06-15", 30)),
    ],
)
def test_ranges(endpoint: Any, asked: Any, expected: tuple[str, str, int]) -> None:
    async def ask() -> dict[str, Any]:
        async with endpoint(events=False) as served:
            answer: dict[str, Any] = await served.data(RANGE, {"range": asked})
            return answer

    days = asyncio.run(ask())["dashboard"]["range"]

    assert (days["start"], days["end"], days["days"]) == expected


def test_mistakes_name_the_argument_and_the_fix(endpoint: Any) -> None:
    mistakes: list[tuple[str, str, str]] = [
        (
            '{dashboard(range:{start:"2025-02-02",end:"2025-02-01"}){range{days}}}',
            "range",
            "range cannot be '2025-02-02..2025-02-01': its start is after its end; swap them.",
        ),
        (
            '{dashboard(range:{start:"2020-01-01"}){range{days}}}',
            "range",
            "range cannot be '2020-01-01..2025-06-15': it spans 1993 days; ask for at most 400.",
        ),
        (
            '{dashboard(range:{preset:TODAY,start:"2025-01-01"}){range{days}}}',
            "preset",
            "preset cannot be 'TODAY': it came with dates; give a preset or dates, not both.",
        ),
        (
            '{dashboard(range:{end:"0001-01-02"}){range{days}}}',
            "end",
            "end cannot be '0001-01-02': give a later date.",
        ),
        (
            "{dashboard(top:0){range{days}}}",
            "top",
            "top cannot be 0: give a number from 1 to 1000.",
        ),
        (
            "{popularCommands(first:1000000000){totalCount}}",
            "first",
            "first cannot be 1000000000: give a number from 1 to 1000.",
        ),
        (
            "{errorPatterns(first:-1){totalCount}}",
            "first",
            "first cannot be -1: give a number from 1 to 1000.",
        ),
        (
            '{userActivity(userId:""){messages}}',
            "userId",
            "userId cannot be '': give a user's id.",
        ),
        (
            '{timeSeries(metric:ERRORS,errorType:"E",interval:HOUR){at}}',
            "interval",
            "interval cannot be 'HOUR': a series of one error is kept by day only; "
            "ask for DAY or WEEK.",
        ),
        (
            "{export(format:CSV){content}}",
            "section",
            "section cannot be null: a CSV holds one table: give COMMANDS or ERRORS, or take its "
            "url.",
        ),
        (
            "{export(format:JSON,section:ERRORS){content}}",
            "section",
            "section cannot be 'ERRORS': leave it out: JSON holds every section.",
        ),
    ]

    async def ask() -> None:
        async with endpoint(events=False) as served:
            for query, argument, message in mistakes:
                error = await served.error(query)
                assert error["message"] == message
                assert error["extensions"]["code"] == "BAD_USER_INPUT"
                assert error["extensions"]["argument"] == argument
                assert message.endswith(f"{error['extensions']['fix']}.")
                assert error["path"][0] == query[1:].partition("(")[0]

    asyncio.run(ask())


@pytest.mark.parametrize(
    "date", ["2025-1-1", "2025-02-30", "yesterday", "", "20250101", "2025-W01-1", 5, True, [], {}]
)
def test_what_is_no_date_is_refused_before_anything_runs(endpoint: Any, date: object) -> None:
    async def ask() -> dict[str, Any]:
        async with endpoint(events=False) as served:
            answer: dict[str, Any] = await served.ask(RANGE, {"range": {"start": date}})
            return answer

    answer = asyncio.run(ask())

    assert "data" not in answer
    assert "give a date as YYYY-MM-DD, in UTC" in answer["errors"][0]["message"]


def test_one_failing_field_leaves_the_others(endpoint: Any) -> None:
    async def ask() -> dict[str, Any]:
        async with endpoint() as served:
            answer: dict[str, Any] = await served.ask(
                "{ bad: popularCommands(first: 0) { totalCount }"
                " good: popularCommands { edges { node { name } } } }"
            )
            return answer

    answer = asyncio.run(ask())

    assert answer["data"]["bad"] is None
    assert [edge["node"]["name"] for edge in answer["data"]["good"]["edges"]] == [
        "add-supplier",
        "list-orders",
    ]
    assert [error["path"] for error in answer["errors"]] == [["bad"]]


def test_comparisons_before_retention_are_null(endpoint: Any) -> None:
    query = (
        'query { dashboard(range: {start: "2023-04-20", end: "2023-05-19"}) {'
        " previousRange { start } summary { executions { value previous changeRatio }"
        " successRate { previous } execution { count { previous } } } } }"
    )

    async def ask() -> dict[str, Any]:
        async with endpoint() as served:
            answer: dict[str, Any] = await served.data(query)
            return answer

    dashboard = asyncio.run(ask())["dashboard"]

    assert dashboard["previousRange"] == {"start": "2023-03-21"}
    assert dashboard["summary"] == {
        "executions": {"value": 0, "previous": None, "changeRatio": None},
        "successRate": {"previous": None},
        "execution": {"count": {"previous": None}},
    }


def test_the_calendar_s_first_days_have_no_previous_ones(endpoint: Any) -> None:
    query = (
        '{ dashboard(range: {start: "0001-01-01", end: "0001-01-09"}) {'
        " previousRange { start } summary { executions { value previous } } } }"
    )

    async def ask() -> dict[str, Any]:
        async with endpoint() as served:
            answer: dict[str, Any] = await served.data(query)
            return answer

    dashboard = asyncio.run(ask())["dashboard"]

    assert dashboard["previousRange"] is None
    assert dashboard["summary"]["executions"] == {"value": 0, "previous": None}


def test_csv_exports_are_one_table_each(endpoint: Any) -> None:
    query = (
        "query($section: ExportSection) { export(format: CSV, section: $section) {"
        " filename contentType size content } }"
    )

    async def ask() -> list[dict[str, Any]]:
        async with endpoint() as served:
            return [
                (await served.data(query, {"section": section}))["export"]
                for section in ExportSection
            ]

    commands, errors = asyncio.run(ask())

    assert commands["filename"] == "copilot-analytics-commands-2025-05-17_2025-06-15.csv"
    assert commands["contentType"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(commands["content"])))
    assert [(row["name"], row["executions"]) for row in rows] == [
        ("add-supplier", "10"),
        ("list-orders", "1"),
    ]
    assert commands["size"] == len(commands["content"].encode())
    [row] = csv.DictReader(io.StringIO(errors["content"]))
    assert row["message"] == "no supplier for <email>"


class Bulky:
    """A service whose exports are as large as its test says."""

    def __init__(self, service: Any, size: int) -> None:
        self._service = service
        self._size = size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    async def export(self, request: ExportRequest) -> ExportStream:
        return ExportStream("a.json", "application/json", self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        yield b"x" * 100
        yield b"x" * (self._size - 100)


@pytest.mark.parametrize("over", [0, 1])
def test_content_beyond_5_mb_is_null_with_an_error(endpoint: Any, over: int) -> None:
    async def ask() -> dict[str, Any]:
        async with endpoint(events=False) as served:
            served.analytics.service = Bulky(served.analytics.service, MAX_CONTENT_BYTES + over)
            answer: dict[str, Any] = await served.ask(
                "{ export(format: JSON) { filename size content } }"
            )
            return answer

    answer = asyncio.run(ask())

    assert answer["data"]["export"]["size"] == MAX_CONTENT_BYTES + over
    if over:
        assert answer["data"]["export"]["content"] is None
        [error] = answer["errors"]
        assert error["path"] == ["export", "content"]
        assert "ask for fewer days" in error["message"]
    else:
        assert len(answer["data"]["export"]["content"]) == MAX_CONTENT_BYTES
        assert "errors" not in answer


def test_hourly_series_have_every_hour(endpoint: Any) -> None:
    query = (
        "{ timeSeries(metric: EXECUTIONS, interval: HOUR, range: {preset: TODAY}) "
        "{ metric interval at values } }"
    )

    async def ask() -> dict[str, Any]:
        async with endpoint() as served:
            answer: dict[str, Any] = await served.data(query)
            return answer

    series = asyncio.run(ask())["timeSeries"]

    assert (series["metric"], series["interval"]) == ("EXECUTIONS", "HOUR")
    assert len(series["at"]) == len(series["values"]) == 24
    assert series["at"][0] % DAY_MS == 0
    assert sum(series["values"]) == series["values"][15] == 11


def test_the_store_s_failure_is_masked_and_the_others_answer(
    endpoint: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> dict[str, Any]:
        async with endpoint(events=False) as served:

            async def fail(*args: object, **options: object) -> None:
                raise RuntimeError("the secret of ada@example.com")

            served.analytics.service.popular_commands = fail
            answer: dict[str, Any] = await served.ask(
                "{ popularCommands { totalCount } recorderHealth { running } }"
            )
            return answer

    answer = asyncio.run(ask())

    assert answer["data"]["popularCommands"] is None
    assert answer["data"]["recorderHealth"] is not None
    [error] = answer["errors"]
    reference = error["extensions"]["reference"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert reference in error["message"]
    assert f"{reference}: RuntimeError raised at" in caplog.text
    assert "ada@example.com" not in json.dumps(answer) + caplog.text


def test_answers_are_never_cached_by_anybody_else(endpoint: Any) -> None:
    async def ask() -> httpx.Response:
        async with endpoint(events=False) as served:
            response: httpx.Response = await served.post(json={"query": "{ __typename }"})
            return response

    assert asyncio.run(ask()).headers["cache-control"] == "no-store"
