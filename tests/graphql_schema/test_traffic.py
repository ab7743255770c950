"""Streams, connections and split series over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.periods import DAY_MS

CONNECTIONS = "{ connections { openNow opened { value previous } closeCodes { code count } } }"


def test_streams_are_beside_those_of_the_period_before(endpoint: Any) -> None:
    query = (
        "{ streaming(range: {preset: TODAY}) { previousRange { start } started { value previous }"
        " ended { value changeRatio } interruptionRate { value } ends { reason count }"
        " ttft { p95Ms { value } count { value } } tokensPerSecond { value previous }"
        " tokenStreams { value } } }"
    )

    async def ask() -> dict[str, Any]:
        async with endpoint(events=False) as served:
            track = served.analytics.service.track_event
            yesterday = served.clock.now_ms() - DAY_MS
            for reason in ("completed", "completed", "closed"):
                done = reason == "completed"
                track(
                    f"STREAMING_{'COMPLETED' if done else 'INTERRUPTED'}",
                    "ada",
                    metadata={"end_reason": reason, "ttft_ms": 100.0, "duration_ms": 2_000.0}
                    | ({"token_count": 50} if done else {}),
                )
            track("STREAMING_STARTED", "ada", timestamp=yesterday)
            track("STREAMING_COMPLETED", "ada", timestamp=yesterday)
            assert await served.analytics.flush()
            answer: dict[str, Any] = await served.data(query)
            return answer

    streaming = asyncio.run(ask())["streaming"]

    assert streaming["previousRange"] == {"start": "2025-06-14"}
    assert streaming["started"] == {"value": 0, "previous": 1}
    assert streaming["ended"] == {"value": 3, "changeRatio": 2.0}
    assert streaming["interruptionRate"]["value"] == 1 / 3
    assert streaming["ends"] == [
        {"reason": "closed", "count": 1},
        {"reason": "completed", "count": 2},
    ]
    assert streaming["ttft"]["count"] == {"value": 3}
    assert 98 <= streaming["ttft"]["p95Ms"]["value"] <= 102
    assert streaming["tokensPerSecond"] == {"value": 25.0, "previous": None}
    assert streaming["tokenStreams"] == {"value": 2}


def test_open_connections_are_those_of_this_process_now(endpoint: Any) -> None:
    async def ask() -> list[Any]:
        seen = []
        async with endpoint(events=False) as served:

            async def look() -> None:
                seen.append((await served.data(CONNECTIONS))["connections"])
                # Held for as long as an answer about today.
                served.clock.advance(3_001)

            await look()
            tracker = served.analytics.open_connection(resolve_user=lambda: "ada")
            tracker.opened()
            await look()
            tracker.closed(1000)
            assert await served.analytics.flush()
            await look()
        return seen

    before, during, after = asyncio.run(ask())

    assert [one["openNow"] for one in (before, during, after)] == [None, 1, 0]
    assert after["opened"] == {"value": 1, "previous": 0}
    assert after["closeCodes"] == [{"code": 1000, "count": 1}]


def test_open_connections_are_not_held_with_an_answer_about_the_past(endpoint: Any) -> None:
    query = "{ connections(range: {preset: YESTERDAY}) { openNow } }"

    async def ask() -> list[Any]:
        async with endpoint(events=False) as served:
            first = await served.data(query)
            served.analytics.open_connection(resolve_user=lambda: None).opened()
            served.clock.advance(3_001)
            return [first["connections"], (await served.data(query))["connections"]]

    assert asyncio.run(ask()) == [{"openNow": None}, {"openNow": 1}]


def test_a_series_of_a_user_is_theirs_by_either_id(endpoint: Any) -> None:
    config = AnalyticsConfig(strict=True, pseudonymise_key="k" * 32)
    query = (
        "query($id: ID!) { timeSeries(metric: EXECUTIONS, range: {preset: TODAY}, userId: $id) "
        "{ values } }"
    )

    async def ask() -> list[Any]:
        async with endpoint(config=config) as served:
            stored = served.analytics.stored_user_id("ada")
            answers = [await served.data(query, {"id": one}) for one in ("ada", stored, "nobody")]
            denied = await served.error(query, {"id": "ada"}, token=served.ada)
            assert denied["extensions"]["code"] == "FORBIDDEN"
            return [answer["timeSeries"]["values"] for answer in answers]

    assert asyncio.run(ask()) == [[8.0], [8.0], [0.0]]


def test_series_are_split_by_name_and_cut_by_week(endpoint: Any) -> None:
    query = (
        "{ timeSeries(metric: EXECUTIONS, interval: WEEK, groupBy: COMMAND, top: 1) {"
        " interval at values parts { name values } } }"
    )

    async def ask() -> dict[str, Any]:
        async with endpoint() as served:
            answer: dict[str, Any] = await served.data(query)
            return answer

    series = asyncio.run(ask())["timeSeries"]

    assert series["interval"] == "WEEK"
    assert len(series["at"]) == len(series["values"]) == 5
    assert series["values"][-1] == 11.0
    assert series["parts"] == [{"name": "add-supplier", "values": [0.0] * 4 + [10.0]}]
