"""Erasing users: what it says, what is left, and who may."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.errors import StoreUnavailableError

ERASE = """
mutation ($userId: ID!) {
  eraseUser(userId: $userId) { userId events rollups patterns distinct }
}
"""
LEFT = """{
  events(first: 100) { edges { node { userId } } }
  userActivity(userId: "ada") { executions lastSeen }
  errorPatterns { edges { node { count affectedUserIds affectedUsers { count } } } }
  dashboard { summary { executions { value } activeUsers { value } } }
}"""


def test_an_erased_user_is_gone_and_counts_stay(endpoint: Any) -> None:
    async def erase() -> None:
        async with endpoint() as served:
            before = await served.data(LEFT)
            erased = (await served.data(ERASE, {"userId": "ada"}))["eraseUser"]
            assert erased == {
                "userId": "ada",
                "events": 15,
                "rollups": 2,
                "patterns": 1,
                "distinct": 7,
            }
            served.clock.advance(10_000)
            left = await served.data(LEFT)
            assert {edge["node"]["userId"] for edge in left["events"]["edges"]} == {"bob"}
            assert left["userActivity"] == {"executions": 0, "lastSeen": None}
            [pattern] = [edge["node"] for edge in left["errorPatterns"]["edges"]]
            assert pattern == {"count": 1, "affectedUserIds": [], "affectedUsers": {"count": 1}}
            assert left["dashboard"] == before["dashboard"]
            again = (await served.data(ERASE, {"userId": "ada"}))["eraseUser"]
            zeros = {"events": 0, "rollups": 0, "patterns": 0, "distinct": 0}
            assert again == {"userId": "ada", **zeros}

    asyncio.run(erase())


@pytest.mark.parametrize("by_pseudonym", [False, True])
def test_a_user_is_erased_by_their_id_or_pseudonym(endpoint: Any, by_pseudonym: bool) -> None:
    async def erase() -> None:
        config = AnalyticsConfig(strict=True, pseudonymise_key="k" * 32)
        async with endpoint(config=config) as served:
            user_id = served.analytics.stored_user_id("bob") if by_pseudonym else "bob"
            erased = (await served.data(ERASE, {"userId": user_id}))["eraseUser"]
            assert (erased["userId"], erased["events"]) == (user_id, 4)

    asyncio.run(erase())


def test_only_an_admin_may_erase(endpoint: Any) -> None:
    """Not even oneself, and nothing is erased."""

    async def erase() -> None:
        async with endpoint() as served:
            for user_id in ("ada", "bob", ""):
                error = await served.error(ERASE, {"userId": user_id}, token=served.ada)
                assert error["extensions"]["code"] == "FORBIDDEN"
            assert (await served.post(token=None, json={"query": ERASE})).status_code == 401
            assert len((await served.data(LEFT))["events"]["edges"]) == 14
            error = await served.error(ERASE, {"userId": ""})
            assert error["extensions"]["argument"] == "userId"

    asyncio.run(erase())


def test_erasure_takes_a_post_of_json_and_nothing_else(endpoint: Any) -> None:
    """No link, form or image of another page can do it, nor a socket."""

    async def erase() -> None:
        async with endpoint() as served:
            body = {"query": 'mutation { eraseUser(userId: "ada") { events } }'}
            text = json.dumps(body)
            for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
                refused = await served.post(method=method, params=body, content=text)
                assert refused.status_code == 405, method
            for media_type in (
                "text/plain",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
                "application/graphql",
                "",
            ):
                refused = await served.post(content=text, headers={"content-type": media_type})
                assert refused.status_code == 415, media_type
            headers = served.bearer(served.admin)
            transport = WebsocketsTransport(served.socket_url, headers=headers)
            async with Client(transport=transport) as session:
                with pytest.raises(TransportQueryError, match="by POST only"):
                    await session.execute(gql(body["query"]))
            assert len((await served.data(LEFT))["events"]["edges"]) == 14
            assert (await served.ask(body["query"]))["data"] == {"eraseUser": {"events": 15}}

    asyncio.run(erase())


def test_several_users_are_erased_at_once_but_not_any_number(endpoint: Any) -> None:
    async def erase() -> None:
        async with endpoint() as served:
            both = await served.data(
                'mutation { a: eraseUser(userId: "ada") { events } '
                'b: eraseUser(userId: "bob") { events } }'
            )
            assert both == {"a": {"events": 15}, "b": {"events": 4}}
            many = " ".join(f'a{n}: eraseUser(userId: "u{n}") {{ events }}' for n in range(20))
            error = await served.error(f"mutation {{ {many} }}")
            assert error["extensions"]["code"] == "LIMIT_EXCEEDED"

    asyncio.run(erase())


def test_equal_erasures_are_run_each(endpoint: Any) -> None:
    """They are not answered from memory."""

    async def erase() -> None:
        async with endpoint() as served:
            first = (await served.data(ERASE, {"userId": "bob"}))["eraseUser"]
            served.analytics.service.track_event("MESSAGE_SENT", "bob")
            second = (await served.data(ERASE, {"userId": "bob"}))["eraseUser"]
            assert (first["events"], second["events"]) == (4, 1)

    asyncio.run(erase())


def test_a_store_that_cannot_erase_now_is_told_of(
    endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def erase() -> None:
        async with endpoint() as served:

            def fail(user_id: str) -> None:
                raise StoreUnavailableError("memory://", f"no {user_id} today", "wait")

            monkeypatch.setattr(served.analytics.store, "erase_user", fail)
            error = await served.error(ERASE, {"userId": "ada"})
            assert error["extensions"]["code"] == "UNAVAILABLE"
            assert "ada" not in error["message"]

    asyncio.run(erase())
