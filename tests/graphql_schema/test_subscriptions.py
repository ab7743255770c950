"""Subscriptions over real sockets: what comes, to whom, in which order, and how they end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from gql import Client, GraphQLRequest
from gql.transport.websockets import WebsocketsTransport

RECORDED = """
    subscription ($filter: EventFilter) {
        eventRecorded(filter: $filter) {
            missed
            event { id eventType userId metadata { commandName errorMessage } }
        }
    }
"""


class Subscriber:
    """One socket of one principal, that speaks the protocol word by word."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def say(self, type: str, **more: Any) -> None:
        await self.socket.send(json.dumps({"type": type, **more}))

    async def hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), 30))
        return message

    async def subscribe(self, query: str, variables: object = None, *, id: str = "1") -> None:
        await self.say("subscribe", id=id, payload={"query": query, "variables": variables})
        # What is asked afterwards is answered afterwards: the subscription has begun.
        await self.say("subscribe", id="begun", payload={"query": "{ __typename }"})
        heard = [await self.hear() for _ in range(2)]
        assert [message["id"] for message in heard] == ["begun"] * 2, heard

    async def event(self) -> dict[str, Any]:
        message = await self.hear()
        assert message["type"] == "next", message
        recorded: dict[str, Any] = message["payload"]["data"]["eventRecorded"]
        return recorded

    async def events(self, count: int) -> list[dict[str, Any]]:
        return [await self.event() for _ in range(count)]


@asynccontextmanager
async def subscriber(served: Any, token: str | None = None) -> AsyncIterator[Subscriber]:
    async with served.connect(served.bearer(token or served.admin)) as socket:
        one = Subscriber(socket)
        await one.say("connection_init")
        assert await one.hear() == {"type": "connection_ack"}
        yield one


def run_commands(served: Any, *names: str, user: str = "ada") -> None:
    for name in names:
        served.analytics.service.track_command_execution(user, name, True)


def commands_of(recorded: list[dict[str, Any]]) -> list[str]:
    return [one["event"]["metadata"]["commandName"] for one in recorded]


def test_events_come_as_they_are_recorded_in_order_and_redacted(endpoint: Any) -> None:
    async def follow() -> list[dict[str, Any]]:
        async with endpoint() as served, subscriber(served) as one:
            await one.subscribe(RECORDED)
            run_commands(served, *(f"c{number}" for number in range(200)))
            served.analytics.service.track_error("ada", "ValueError", "mail ada@example.com")
            await served.analytics.flush()
            return await one.events(201)

    *executed, failed = asyncio.run(follow())

    assert commands_of(executed) == [f"c{number}" for number in range(200)]
    assert {(one["missed"], one["event"]["userId"]) for one in executed} == {(0, "ada")}
    assert failed["event"]["metadata"]["errorMessage"] == "mail <email>"


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (None, ["a", "b", None, "c"]),
        ({}, ["a", "b", None, "c"]),
        ({"userId": "bob"}, ["c"]),
        ({"eventType": "ACTION_EXECUTED"}, ["a", "b", "c"]),
        ({"command": "b"}, ["b"]),
        ({"errorType": "ValueError"}, [None]),
        ({"conversationId": "talk"}, ["a"]),
        ({"conversationId": "talk", "userId": "bob"}, []),
        ({"fingerprint": "nope"}, []),
    ],
)
def test_filters_are_those_of_events(endpoint: Any, filter: Any, expected: list[Any]) -> None:
    async def follow() -> list[Any]:
        async with endpoint(events=False) as served, subscriber(served) as one:
            await one.subscribe(RECORDED, {"filter": filter})
            await one.subscribe(RECORDED, {"filter": {"command": "end"}}, id="end")
            service = served.analytics.service
            service.track_command_execution("ada", "a", True, conversation_id="talk")
            run_commands(served, "b")
            service.track_error("ada", "ValueError", "no")
            run_commands(served, "c", user="bob")
            await served.analytics.flush()
            run_commands(served, "end", user="end")
            await served.analytics.flush()
            seen: list[Any] = []
            ended = False
            while not ended or len(seen) < len(expected):
                message = await one.hear()
                recorded = message["payload"]["data"]["eventRecorded"]
                name = recorded["event"]["metadata"]["commandName"]
                if message["id"] == "end":
                    ended = True
                elif name != "end":
                    seen.append(name)
            return seen

    assert asyncio.run(follow()) == expected


def test_a_real_client_follows(endpoint: Any) -> None:
    async def follow() -> list[dict[str, Any]]:
        async with endpoint() as served:
            transport = WebsocketsTransport(
                served.socket_url, init_payload=served.bearer(served.ada)
            )
            async with Client(transport=transport) as session:
                seen = []
                updates = session.subscribe(GraphQLRequest(RECORDED))
                first = asyncio.ensure_future(anext(updates))
                # Asked after it, and answered once it has begun.
                await session.execute(GraphQLRequest("{ __typename }"))
                run_commands(served, "theirs", user="bob")
                run_commands(served, "a", "b")
                seen.append(await asyncio.wait_for(first, 30))
                seen.append(await asyncio.wait_for(anext(updates), 30))
                await updates.aclose()
                return [one["eventRecorded"] for one in seen]

    assert commands_of(asyncio.run(follow())) == ["a", "b"]


OPERATIONS = Path(__file__).resolve().parents[2] / "graphql_schema" / "operations"


def test_the_operations_of_a_live_view_answer(endpoint: Any) -> None:
    async def follow() -> tuple[Any, Any]:
        async with endpoint() as served, subscriber(served) as one:
            await one.subscribe((OPERATIONS / "event_recorded.graphql").read_text(), id="events")
            run_commands(served, "a")
            await served.analytics.flush()
            recorded = await one.event()
            await one.say("complete", id="events")
            text = (OPERATIONS / "dashboard_updated.graphql").read_text()
            await one.say("subscribe", id="1", payload={"query": text, "variables": {"top": 1}})
            return recorded, (await one.hear())["payload"]["data"]["dashboardUpdated"]

    recorded, dashboard = asyncio.run(follow())

    assert recorded["event"]["metadata"]["commandName"] == "a"
    assert dashboard["summary"]["executions"]["value"] == 12
    assert [command["name"] for command in dashboard["topCommands"]] == ["add-supplier"]
