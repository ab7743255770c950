"""Single events and conversations: what is told of them, page by page, and to whom."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from copilot_analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.events import ALL_METADATA_KEYS, METADATA_KEYS, EventType, ValueKind
from copilot_analytics.periods import HOUR_MS
from copilot_analytics_graphql.schema import core_schema

EVENTS = """
query ($filter: EventFilter, $range: DateRange, $first: Int = 50, $after: String) {
  events(filter: $filter, range: $range, first: $first, after: $after) {
    edges { cursor node { id eventType userId timestamp conversationId connectionId } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
TALK = """
query ($id: ID!, $userId: ID, $first: Int = 200, $after: String) {
  conversation(id: $id, userId: $userId, first: $first, after: $after) {
    id userId
    events { edges { node { eventType timestamp } } pageInfo { hasNextPage endCursor } }
  }
}
"""


def nodes(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [edge["node"] for edge in page["edges"]]


async def walk(served: Any, token: str, **variables: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = None
    while True:
        data = await served.data(EVENTS, {**variables, "after": after}, token=token)
        page = data["events"]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        found += nodes(page)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


def test_pages_hold_every_event_once_newest_first(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            everything = await walk(served, served.admin, first=1000)
            assert len(everything) == 14  # the last 30 days; five are older
            assert await walk(served, served.admin, first=3) == everything
            order = [(one["timestamp"], one["id"]) for one in everything]
            assert order == sorted(order, reverse=True)
            data = await served.data(EVENTS, {"first": 3})
            edges, info = data["events"]["edges"], data["events"]["pageInfo"]
            assert info["startCursor"] == edges[0]["cursor"]
            assert info["endCursor"] == edges[2]["cursor"]
            middle = await served.data(EVENTS, {"after": edges[1]["cursor"], "first": 1})
            assert nodes(middle["events"]) == [edges[2]["node"]]

    asyncio.run(ask())


FILTERS: list[tuple[dict[str, Any], int]] = [
    ({}, 14),
    ({"eventType": "ACTION_FAILED"}, 2),
    ({"userId": "bob"}, 4),
    ({"userId": "bob", "eventType": "WEBSOCKET_CONNECTED"}, 1),
    ({"command": "list-orders"}, 1),
    ({"errorType": "ValueError"}, 1),
    ({"errorType": "ValueError", "userId": "bob"}, 0),
    ({"conversationId": "c-1"}, 0),
    ({"fingerprint": "none"}, 0),
    ({"userId": "nobody"}, 0),
]


def test_a_filter_is_all_of_what_it_says(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            for asked, count in FILTERS:
                found = await walk(served, served.admin, filter=asked, first=2)
                assert len(found) == count, asked

    asyncio.run(ask())


def test_a_pattern_leads_to_its_events(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            data = await served.data("{ errorPatterns { edges { node { fingerprint } } } }")
            [edge] = data["errorPatterns"]["edges"]
            [error] = await walk(served, served.admin, filter=edge["node"])
            assert error["eventType"] == "ERROR_OCCURRED"

    asyncio.run(ask())


def test_metadata_is_told_under_its_documented_names(endpoint: Any) -> None:
    """With what the application registered beside it."""

    async def ask() -> None:
        extra = {
            "retry_count": ValueKind.COUNT,
            "is_beta": ValueKind.FLAG,
            "my_label": ValueKind.LABEL,
        }
        config = AnalyticsConfig(strict=True, extra_keys=extra)
        async with endpoint(events=False, config=config) as served:
            served.analytics.service.track_event(
                "ACTION_FAILED",
                "ada",
                conversation_id="c-1",
                connection_id="s-1",
                metadata={
                    "command_name": "export",
                    "success": False,
                    "execution_ms": 12.5,
                    "input_tokens": 3_000_000_000,
                    "cost": 0.01,
                    "retry_count": 2,
                    "is_beta": True,
                    "my_label": "x",
                },
            )
            assert await served.analytics.flush()
            data = await served.data(
                "{ events { edges { node { id userId conversationId connectionId metadata { "
                "commandName success executionMs inputTokens cost ttftMs closeCode variant "
                "extra { name value } } } } } }"
            )
            [node] = nodes(data["events"])
            assert len(node.pop("id")) == 26
            assert node == {
                "userId": "ada",
                "conversationId": "c-1",
                "connectionId": "s-1",
                "metadata": {
                    "commandName": "export",
                    "success": False,
                    "executionMs": 12.5,
                    "inputTokens": 3_000_000_000,
                    "cost": 0.01,
                    "ttftMs": None,
                    "closeCode": None,
                    "variant": None,
                    "extra": [
                        {"name": "retryCount", "value": "2"},
                        {"name": "isBeta", "value": "true"},
                        {"name": "myLabel", "value": "x"},
                    ],
                },
            }

    asyncio.run(ask())


def test_every_documented_key_has_a_field() -> None:
    """Under its stored name, with its meanings."""
    fields: Any = core_schema().type_map["EventMetadata"]
    assert fields.fields.keys() == {key.stored for key in ALL_METADATA_KEYS.values()} | {"extra"}
    for keys in METADATA_KEYS.values():
        for key in keys.values():
            assert key.meaning in fields.fields[key.stored].description


def record_a_talk(analytics: Analytics) -> None:
    """Record a conversation of ada's, with bob in one of the same id, and ada in another."""
    now = analytics.clock.now_ms()
    for ago, user, talk, kind in (
        (50, "ada", "c-1", EventType.MESSAGE_SENT),
        (40, "ada", "c-1", EventType.INTENT_CLASSIFIED),
        (35, "bob", "c-1", EventType.MESSAGE_SENT),
        (30, "ada", "c-1", EventType.STREAMING_STARTED),
        (20, "ada", "c-2", EventType.MESSAGE_SENT),
        (10, "ada", "c-1", EventType.STREAMING_COMPLETED),
    ):
        metadata = {"intent": "find"} if kind is EventType.INTENT_CLASSIFIED else {}
        analytics.service.track_event(
            kind, user, conversation_id=talk, timestamp=now - ago * HOUR_MS, metadata=metadata
        )


def test_a_conversation_is_told_from_its_start(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            record_a_talk(served.analytics)
            assert await served.analytics.flush()
            expected = [
                "MESSAGE_SENT",
                "INTENT_CLASSIFIED",
                "STREAMING_STARTED",
                "STREAMING_COMPLETED",
            ]
            for token, user_id in ((served.admin, "ada"), (served.ada, None), (served.ada, "ada")):
                asked = {"id": "c-1", "userId": user_id}
                told = (await served.data(TALK, asked, token=token))["conversation"]
                assert (told["id"], told["userId"]) == ("c-1", "ada")
                assert [one["eventType"] for one in nodes(told["events"])] == expected
                page = (await served.data(TALK, {**asked, "first": 3}, token=token))["conversation"]
                assert page["events"]["pageInfo"]["hasNextPage"]
                rest = await served.data(
                    TALK,
                    {**asked, "first": 3, "after": page["events"]["pageInfo"]["endCursor"]},
                    token=token,
                )
                [last] = nodes(rest["conversation"]["events"])
                assert last["eventType"] == "STREAMING_COMPLETED"
            of_bob = await served.data(TALK, {"id": "c-1"}, token=served.bob)
            assert len(nodes(of_bob["conversation"]["events"])) == 1
            unknown = await served.data(TALK, {"id": "c-9", "userId": "ada"})
            assert unknown["conversation"]["events"]["edges"] == []

    asyncio.run(ask())


def test_an_admin_says_whose_conversation_it_is(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint(events=False) as served:
            error = await served.error(TALK, {"id": "c-1"})
            assert error["extensions"]["argument"] == "userId"
            assert error["message"] == "userId cannot be null: say whose conversation it is."
            error = await served.error(TALK, {"id": "c-1", "userId": ""})
            assert error["extensions"]["argument"] == "userId"

    asyncio.run(ask())


def test_a_user_sees_their_own_events_only(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            mine = await walk(served, served.ada)
            assert {one["userId"] for one in mine} == {"ada"}
            assert await walk(served, served.ada, filter={"userId": "ada"}) == mine
            assert len(mine) == 10
            for asked in ({"userId": "bob"}, {"userId": "nobody"}, {"userId": ""}):
                error = await served.error(EVENTS, {"filter": asked}, token=served.ada)
                assert error["extensions"]["code"] == "FORBIDDEN"
            error = await served.error(TALK, {"id": "c", "userId": "bob"}, token=served.ada)
            assert error["extensions"]["code"] == "FORBIDDEN"
            aliased = await served.ask(
                "{ mine: events { edges { node { userId } } } "
                'theirs: events(filter: {userId: "bob"}) { edges { node { userId } } } }',
                token=served.ada,
            )
            assert aliased["data"]["theirs"] is None
            assert len(aliased["data"]["mine"]["edges"]) == 10

    asyncio.run(ask())


def test_a_pseudonym_opens_nobody_s_events_but_to_an_admin(endpoint: Any) -> None:
    async def ask() -> None:
        config = AnalyticsConfig(strict=True, pseudonymise_key="k" * 32)
        async with endpoint(config=config) as served:
            theirs = served.analytics.stored_user_id("bob")
            assert len(await walk(served, served.admin, filter={"userId": theirs})) == 4
            assert len(await walk(served, served.admin, filter={"userId": "bob"})) == 4
            assert {one["userId"] for one in await walk(served, served.bob)} == {theirs}
            error = await served.error(EVENTS, {"filter": {"userId": theirs}}, token=served.ada)
            assert error["extensions"]["code"] == "FORBIDDEN"
            told = await served.data(TALK, {"id": "c", "userId": "bob"})
            assert told["conversation"]["userId"] == theirs

    asyncio.run(ask())


def test_a_cursor_is_refused_in_any_other_list(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            data = await served.data(EVENTS, {"first": 2, "filter": {"userId": "ada"}})
            cursor = data["events"]["pageInfo"]["endCursor"]
            ours = {"filter": {"userId": "ada"}, "after": cursor}
            assert (await served.data(EVENTS, ours))["events"]["edges"]
            others: list[tuple[str, dict[str, Any], str]] = [
                (EVENTS, {"after": cursor}, served.admin),
                (EVENTS, {**ours, "filter": {"userId": "bob"}}, served.admin),
                (EVENTS, {**ours, "range": {"preset": "TODAY"}}, served.admin),
                (EVENTS, ours, served.ada),
                (EVENTS, {**ours, "after": cursor.swapcase()}, served.admin),
                (EVENTS, {**ours, "after": cursor + "A"}, served.admin),
                (EVENTS, {**ours, "after": ""}, served.admin),
                (EVENTS, {**ours, "after": "ünïcode"}, served.admin),
                (EVENTS, {**ours, "after": "A" * 10_000}, served.admin),
                (TALK, {"id": "c-1", "userId": "ada", "after": cursor}, served.admin),
            ]
            for query, variables, token in others:
                error = await served.error(query, variables, token=token)
                assert error["extensions"]["code"] == "BAD_USER_INPUT"
                assert error["extensions"]["argument"] == "after"

    asyncio.run(ask())


def test_processes_share_cursors_by_their_key(endpoint: Any, tmp_path: Path) -> None:
    async def ask() -> None:
        store, key = f"sqlite:///{tmp_path}/analytics.db", "a key that is at least 32 bytes long"
        async with (
            endpoint(store, cursor_key=key) as one,
            endpoint(store, cursor_key=key, events=False) as same,
            endpoint(store, events=False) as other,
        ):
            data = await one.data(EVENTS, {"first": 2})
            asked = {"after": data["events"]["pageInfo"]["endCursor"]}
            assert len((await same.data(EVENTS, asked))["events"]["edges"]) == 12
            error = await other.error(EVENTS, asked)
            assert error["extensions"]["argument"] == "after"

    asyncio.run(ask())


def test_events_are_never_held(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            before = await walk(served, served.admin, first=100)
            served.analytics.service.track_event("MESSAGE_SENT", "ada")
            assert await served.analytics.flush()
            assert len(await walk(served, served.admin, first=100)) == len(before) + 1

    asyncio.run(ask())


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"first": 0}, "first"),
    ({"first": 1_001}, "first"),
    ({"first": -(2**31)}, "first"),
    ({"range": {"start": "2025-02-01", "end": "2025-01-01"}}, "range"),
    ({"filter": {"userId": ""}}, "userId"),
]


def test_a_mistake_names_the_argument(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint(events=False) as served:
            for variables, argument in MISTAKES:
                error = await served.error(EVENTS, variables)
                assert error["extensions"]["code"] == "BAD_USER_INPUT"
                assert error["extensions"]["argument"] == argument

    asyncio.run(ask())
