"""gql, the client of Python programs: queries, denials, and a token's end, over both transports.

How subscriptions are filtered, bounded and ended is for the tests of subscriptions.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from gql import Client, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import (
    TransportClosed,
    TransportConnectionFailed,
    TransportQueryError,
)
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed

from copilot_analytics_graphql import Credentials, Principal

NOW_MS = 1_750_000_000_000
QUERY = GraphQLRequest("{ dashboard { summary { executions { value } } } }")
ANSWER = {"dashboard": {"summary": {"executions": {"value": 11}}}}


def over_http(served: Any, token: str) -> Client:
    return Client(transport=AIOHTTPTransport(served.url, headers=served.bearer(token)))


def over_socket(served: Any, token: str) -> Client:
    transport = WebsocketsTransport(served.socket_url, init_payload=served.bearer(token))
    return Client(transport=transport)


@pytest.mark.parametrize("way", [over_http, over_socket])
def test_it_is_answered_and_told_its_mistakes(endpoint: Any, way: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            async with way(served, served.admin) as session:
                assert await session.execute(QUERY) == ANSWER
                with pytest.raises(TransportQueryError, match="Cannot query field 'nope'"):
                    await session.execute(GraphQLRequest("{ nope }"))
            async with way(served, served.ada) as session:
                with pytest.raises(TransportQueryError, match="Only an admin"):
                    await session.execute(QUERY)

    asyncio.run(ask())


def test_nobody_is_let_in_without_credentials(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint(events=False) as served:
            async with over_http(served, "nobody") as session:
                with pytest.raises(TransportQueryError, match="Nobody is let in"):
                    await session.execute(QUERY)
            with pytest.raises((TransportConnectionFailed, ConnectionClosed)) as caught:
                async with over_socket(served, "nobody"):
                    pass
            assert "4403" in str(caught.value) + str(caught.value.__cause__)

    asyncio.run(ask())


def test_a_token_s_end_ends_what_is_under_way_and_a_new_one_goes_on(endpoint: Any) -> None:
    async def known(credentials: Credentials) -> Principal | None:
        if credentials.bearer_token == "brief":
            return Principal("root", "admin", expires_at=NOW_MS + 50)
        return Principal("root", "admin") if credentials.bearer_token == "new" else None

    async def ask() -> None:
        async with endpoint(authenticate=known) as served:
            hanging = asyncio.Event()
            commands = served.analytics.service.command_stats

            async def hang(*args: Any, **options: Any) -> Any:
                await hanging.wait()
                return await commands(*args, **options)

            served.analytics.service.command_stats = hang
            client = over_socket(served, "brief")
            async with client as session:
                with pytest.raises((TransportConnectionFailed, ConnectionClosed)):
                    await session.execute(
                        GraphQLRequest('{ commandStats(name: "add-supplier") { executions } }')
                    )
            hanging.set()
            served.clock.advance(50)
            async with over_http(served, "brief") as session:
                with pytest.raises(TransportQueryError, match="Nobody is let in"):
                    await session.execute(QUERY)
            async with over_socket(served, "new") as session:
                assert await session.execute(QUERY) == ANSWER

    asyncio.run(ask())


EVENTS = GraphQLRequest("subscription { eventRecorded { event { metadata { commandName } } } }")


async def next_command(events: Any) -> str:
    recorded = await asyncio.wait_for(anext(events), 30)
    return str(recorded["eventRecorded"]["event"]["metadata"]["commandName"])


async def drain(events: Any) -> None:
    """Take what comes until it ends."""
    while True:
        await next_command(events)


async def record_until(served: Any, name: str, done: asyncio.Future[Any]) -> None:
    """Record events until somebody has got one."""
    while not done.done():
        served.analytics.service.track_command_execution("ada", name, True)
        await asyncio.wait({done}, timeout=0.05)


def test_it_follows_and_goes_on_after_a_lost_connection(endpoint: Any) -> None:
    async def ask() -> None:
        async with endpoint() as served:
            transport = WebsocketsTransport(
                served.socket_url, init_payload=served.bearer(served.admin)
            )
            client: Any = Client(transport=transport)
            session = await client.connect_async(reconnecting=True, retry_connect=False)
            for name in ("first", "second"):
                events = session.subscribe(EVENTS)
                got = asyncio.ensure_future(next_command(events))
                await record_until(served, name, got)
                assert await got == name
                assert transport.adapter.websocket is not None
                transport.adapter.websocket.transport.abort()  # as when the network goes
                with pytest.raises((TransportConnectionFailed, ConnectionClosed)):
                    await drain(events)
                while True:
                    try:
                        await session.execute(GraphQLRequest("{ __typename }"))
                    except (TransportConnectionFailed, TransportClosed):
                        await asyncio.sleep(0)  # it is connecting again
                    else:
                        break
            await client.close_async()

    asyncio.run(ask())


def test_a_token_s_end_ends_what_is_followed_and_a_new_one_goes_on(endpoint: Any) -> None:
    async def known(credentials: Credentials) -> Principal | None:
        if credentials.bearer_token == "brief":
            return Principal("root", "admin", expires_at=NOW_MS + 700)
        return Principal("root", "admin") if credentials.bearer_token == "new" else None

    async def ask() -> None:
        async with endpoint(authenticate=known) as served:
            async with over_socket(served, "brief") as session:
                events = session.subscribe(EVENTS)
                with pytest.raises((TransportConnectionFailed, ConnectionClosed)) as ended:
                    await next_command(events)
                assert "4403" in str(ended.value) + str(ended.value.__cause__)
            async with over_socket(served, "new") as session:
                events = session.subscribe(EVENTS)
                got = asyncio.ensure_future(next_command(events))
                await record_until(served, "again", got)
                assert await got == "again"
                await events.aclose()

    asyncio.run(ask())
