"""Lists over HTTP: page by page, in every order, and what is refused."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.periods import DAY_MS
from copilot_analytics.store_samples import sample_events
from copilot_analytics_graphql.enums import CommandOrder, IntentOrder, UserOrder

NODES = {
    "popularCommands": "name executions failures averageMs stats { users { count } }",
    "errorPatterns": "fingerprint errorType count trend { count { value } }",
    "intents": "name count clarifications clarificationRate failures",
    "users": "userId messages executions failures errors connections lastSeen",
}
ORDERS = [
    *(("popularCommands", order) for order in CommandOrder),
    *(("intents", order) for order in IntentOrder),
    *(("users", order) for order in UserOrder),
    ("errorPatterns", None),
]
PAGE_SIZES = {"popularCommands": 2, "errorPatterns": 1, "intents": 2, "users": 9}
SAMPLES = sample_events(400, seed=3)


def record_samples(served: Any) -> None:
    """Record events of every type on yesterday and today."""
    service, now = served.analytics.service, served.clock.now_ms()
    for number, event in enumerate(SAMPLES):
        service.track_event(
            event.event_type,
            event.user_id,
            conversation_id=event.conversation_id,
            metadata={k: v for k, v in event.metadata.items() if k != "fingerprint"},
            timestamp=now - number % 2 * DAY_MS,
        )


async def page_by_page(
    served: Any, name: str, arguments: str, first: int
) -> AsyncIterator[dict[str, Any]]:
    query = (
        f"query($after: String) {{ {name}(first: {first}, after: $after{arguments}) {{ totalCount"
        " pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
        f" edges {{ cursor node {{ {NODES[name]} }} }} }} }}"
    )
    after = None
    while True:
        page = (await served.data(query, {"after": after}))[name]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        yield page
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def test_every_list_is_read_page_by_page_in_every_order(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint(events=False) as served:
            record_samples(served)
            assert await served.analytics.flush()
            for name, order in ORDERS:
                arguments = "" if order is None else f", orderBy: {order}"
                [whole] = [page async for page in page_by_page(served, name, arguments, 100)]
                nodes = []
                async for page in page_by_page(served, name, arguments, PAGE_SIZES[name]):
                    cursors = [edge["cursor"] for edge in page["edges"]]
                    assert page["pageInfo"]["startCursor"] == cursors[0]
                    assert page["pageInfo"]["endCursor"] == cursors[-1]
                    assert page["totalCount"] == len(whole["edges"])
                    nodes += [edge["node"] for edge in page["edges"]]
                assert nodes == [edge["node"] for edge in whole["edges"]]
                assert len(nodes) > PAGE_SIZES[name]

    asyncio.run(ask())


def test_an_empty_list_is_a_page_without_cursors(endpoint: Any) -> None:
    async def ask() -> list[dict[str, Any]]:
        async with endpoint(events=False) as served:
            return [page for name in NODES async for page in page_by_page(served, name, "", 10)]

    for page in asyncio.run(ask()):
        assert page["edges"] == []
        assert page["totalCount"] == 0
        assert page["pageInfo"]["startCursor"] is page["pageInfo"]["endCursor"] is None


def test_page_sizes_out_of_bounds_are_refused(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint(events=False) as served:
            for name, first in itertools.product(NODES, (0, -1, 1001, 10**9)):
                error = await served.error(f"{{ {name}(first: {first}) {{ totalCount }} }}")
                assert error["message"] == f"first cannot be {first}: give a number from 1 to 1000."
                assert error["extensions"]["code"] == "BAD_USER_INPUT"

    asyncio.run(ask())


def test_a_cursor_is_good_for_its_own_list_only(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            [page] = [page async for page in page_by_page(served, "popularCommands", "", 10)]
            cursor = page["pageInfo"]["endCursor"]
            for query in (
                '{ users(after: "%s") { totalCount } }',
                '{ popularCommands(orderBy: FAILURES, after: "%s") { totalCount } }',
                '{ popularCommands(search: "a", after: "%s") { totalCount } }',
                '{ popularCommands(range: {preset: TODAY}, after: "%s") { totalCount } }',
                '{ popularCommands(range: {end: "2025-06-15"}, after: "%s") { totalCount } }',
            ):
                error = await served.error(query % cursor)
                assert error["extensions"]["argument"] == "after"
                assert "endCursor of a page of this very list" in error["message"]
            altered = cursor.swapcase()
            for forged in (cursor[:-1], altered, cursor + "A", "", "\u00e9", "x" * 3000):
                error = await served.error(
                    "query($after: String) { popularCommands(after: $after) { totalCount } }",
                    {"after": forged},
                )
                assert error["extensions"]["code"] == "BAD_USER_INPUT"

    asyncio.run(ask())


def test_what_is_no_value_is_refused_before_anything_runs(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint(events=False) as served:
            for query in (
                "{ popularCommands(orderBy: NAME) { totalCount } }",
                "{ intents(orderBy: EXECUTIONS) { totalCount } }",
                "{ users(orderBy: 5) { totalCount } }",
                "{ users(after: 5) { totalCount } }",
                "{ timeSeries(metric: EVENTS, groupBy: USER) { at } }",
                "{ timeSeries(metric: EVENTS, interval: MONTH) { at } }",
            ):
                answer = await served.ask(query)
                assert "data" not in answer
                assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"

    asyncio.run(ask())


def test_what_rows_are_asked_for_besides_is_one_question_a_list(endpoint: Any) -> None:
    query = (
        "{ popularCommands { edges { node { name stats { executions series { values } } } } }"
        "  errorPatterns { edges { node { trend { count { value } } } } } }"
    )

    async def ask() -> tuple[dict[str, Any], list[object]]:
        asked: list[object] = []
        async with endpoint() as served:
            service = served.analytics.service
            for question in ("commands_stats", "error_trends"):
                whole = getattr(service, question)

                async def count(names: Any, *rest: Any, whole: Any = whole) -> Any:
                    asked.append(names)
                    return await whole(names, *rest)

                setattr(service, question, count)
            return await served.data(query), asked

    data, asked = asyncio.run(ask())

    [commands, patterns] = sorted(asked, key=repr)
    assert commands == ("add-supplier", "list-orders")
    assert isinstance(patterns, tuple)
    assert len(patterns) == 1
    first = data["popularCommands"]["edges"][0]["node"]
    assert first["stats"]["executions"] == sum(first["stats"]["series"]["values"]) == 10


def test_a_user_is_found_by_their_id_behind_its_pseudonym(endpoint: Any) -> None:
    config = AnalyticsConfig(strict=True, pseudonymise_key="k" * 32)

    async def ask() -> tuple[Any, Any]:
        async with endpoint(config=config) as served:
            by_id = '{ users(search: "bob") { edges { node { userId executions } } } }'
            return await served.data(by_id), served.analytics.stored_user_id("bob")

    answer, stored = asyncio.run(ask())

    [edge] = answer["users"]["edges"]
    assert edge["node"] == {"userId": stored, "executions": 3}
