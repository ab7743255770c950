"""Subscriptions over real sockets: what comes, to whom, in which order, and how they end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from gql import Client, GraphQLRequest
from gql.transport.websockets import WebsocketsTransport

from copilot_analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics_graphql import Credentials, Principal, create_graphql_app, static_token, tail
from copilot_analytics_graphql.questions import OPEN_TTL_MS
from copilot_analytics_graphql.websocket import WebSocketEndpoint

NOW_MS = 1_750_000_000_000
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


def test_a_user_sees_their_own_and_cannot_ask_for_more(endpoint: Any) -> None:
    async def follow() -> tuple[list[Any], list[Any]]:
        refusals = []
        async with endpoint() as served, subscriber(served, served.ada) as one:
            theirs = {"query": RECORDED, "variables": {"filter": {"userId": "bob"}}}
            dashboard = {"query": "subscription { dashboardUpdated { range { days } } }"}
            for payload in (theirs, dashboard):
                await one.say("subscribe", id="2", payload=payload)
                refusals.append(await one.hear())
            await one.subscribe(RECORDED, {"filter": {"userId": "ada"}})
            run_commands(served, "theirs", user="bob")
            run_commands(served, "a")
            run_commands(served, "theirs", user="bob")
            run_commands(served, "b")
            await served.analytics.flush()
            return refusals, await one.events(2)

    refusals, recorded = asyncio.run(follow())

    assert [refusal["type"] for refusal in refusals] == ["error", "error"]
    codes = [refusal["payload"][0]["extensions"]["code"] for refusal in refusals]
    assert codes == ["FORBIDDEN", "FORBIDDEN"]
    assert commands_of(recorded) == ["a", "b"]


def test_pseudonyms_are_shown_and_found(endpoint: Any) -> None:
    config = AnalyticsConfig(strict=True, pseudonymise_key="k" * 32)

    async def follow() -> tuple[str, list[Any]]:
        async with endpoint(config=config, events=False) as served, subscriber(served) as one:
            stored = served.analytics.stored_user_id("ada")
            await one.subscribe(RECORDED, {"filter": {"userId": "ada"}})
            run_commands(served, "a")
            await served.analytics.flush()
            seen = [await one.event()]
            await one.say("complete", id="1")
            await one.subscribe(RECORDED, {"filter": {"userId": stored}})
            run_commands(served, "b")
            await served.analytics.flush()
            return stored, [*seen, await one.event()]

    stored, recorded = asyncio.run(follow())

    assert [one["event"]["userId"] for one in recorded] == [stored, stored]
    assert commands_of(recorded) == ["a", "b"]


def test_other_processes_events_come_through_the_store_each_once(
    endpoint: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "POLL_SECONDS", 0.02)
    url = f"sqlite:///{tmp_path}/shared.db"

    async def follow() -> list[dict[str, Any]]:
        async with endpoint(url) as served, subscriber(served) as one:
            other = Analytics(url, config=served.analytics.config, clock=served.clock)
            other.service.track_command_execution("bob", "before", True)
            await other.flush()
            await one.subscribe(RECORDED)
            served.clock.advance(1_000)
            recorded = []
            for number in range(10):
                run_commands(served, f"here{number}")
                other.service.track_command_execution("bob", f"there{number}", True)
                await asyncio.gather(served.analytics.flush(), other.flush())
                recorded += await one.events(2)
            await other.aclose()
            return recorded

    recorded = asyncio.run(follow())

    assert sorted(commands_of(recorded)) == sorted(
        f"{place}{number}" for place in ("here", "there") for number in range(10)
    )
    assert {one["missed"] for one in recorded} == {0}


LENGTHS = "subscription { eventRecorded { missed event { metadata { messageLength } } } }"


def test_whoever_cannot_keep_up_is_told_what_they_missed(endpoint: Any) -> None:
    async def follow() -> list[tuple[int, int]]:
        async with endpoint(events=False) as served:
            free, said, heard = asyncio.Event(), asyncio.Queue[Any](), asyncio.Queue[Any]()

            async def send(message: Any) -> None:
                if '"id":"1"' in message.get("text", ""):
                    await free.wait()
                heard.put_nowait(message)

            def say(**message: Any) -> None:
                said.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

            app = create_graphql_app(
                served.analytics, authenticate=static_token("t" * 32), rate_limit=None
            )
            scope = {
                "type": "websocket",
                "headers": [(b"authorization", b"Bearer " + b"t" * 32)],
                "subprotocols": ["graphql-transport-ws"],
            }
            said.put_nowait({"type": "websocket.connect"})
            say(type="connection_init")
            say(type="subscribe", id="1", payload={"query": LENGTHS})
            say(type="subscribe", id="2", payload={"query": "{ __typename }"})
            serving = asyncio.ensure_future(app(scope, said.get, send))
            for _ in range(4):  # accepted, acknowledged, the answer to "2", complete
                await heard.get()
            for number in range(1_501):
                served.analytics.service.track_event(
                    "MESSAGE_SENT", "ada", metadata={"message_length": number}
                )
            assert await served.analytics.flush()
            # What the recorder handed over is matched before what is asked now is answered.
            await served.data("{ __typename }")
            free.set()
            seen: list[tuple[int, int]] = []
            while not seen or seen[-1][1] < 1_500:
                payload = json.loads((await heard.get())["text"])["payload"]
                recorded = payload["data"]["eventRecorded"]
                seen.append((recorded["missed"], recorded["event"]["metadata"]["messageLength"]))
            said.put_nowait({"type": "websocket.disconnect", "code": 1000})
            await serving
            return seen

    first, gap, *rest = asyncio.run(follow())

    # One was being sent, and of those that waited the newest thousand were kept.
    assert first == (0, 0)
    assert gap == (500, 501)
    assert rest == [(0, number) for number in range(502, 1_501)]


def test_a_client_that_takes_nothing_is_given_up(
    endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WebSocketEndpoint, "SEND_SECONDS", 0.01)

    async def follow() -> None:
        async with endpoint(events=False) as served:
            said, begun = asyncio.Queue[Any](), asyncio.Event()

            async def send(message: Any) -> None:
                if '"id":"1"' in message.get("text", ""):
                    await asyncio.Event().wait()
                elif '"id":"2"' in message.get("text", ""):
                    begun.set()

            app = create_graphql_app(served.analytics, authenticate=static_token("t" * 32))
            scope = {
                "type": "websocket",
                "headers": [(b"authorization", b"Bearer " + b"t" * 32)],
                "subprotocols": ["graphql-transport-ws"],
            }
            said.put_nowait({"type": "websocket.connect"})
            for message in (
                {"type": "connection_init"},
                {"type": "subscribe", "id": "1", "payload": {"query": RECORDED}},
                {"type": "subscribe", "id": "2", "payload": {"query": "{ __typename }"}},
            ):
                said.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})
            serving = asyncio.ensure_future(app(scope, said.get, send))
            await begun.wait()
            run_commands(served, "a")
            await asyncio.wait_for(serving, 30)

    asyncio.run(follow())


def test_two_hundred_subscribers_get_every_event_in_order(endpoint: Any) -> None:
    async def follow() -> list[list[str]]:
        async with endpoint(events=False) as served, AsyncExitStack() as stack:
            everybody = [await stack.enter_async_context(subscriber(served)) for _ in range(200)]
            for one in everybody:
                await one.subscribe(RECORDED)
            names = [f"c{number}" for number in range(20)]
            run_commands(served, *names)
            recorded = await asyncio.gather(*(one.events(20) for one in everybody))
            return [commands_of(of_one) for of_one in recorded]

    seen = asyncio.run(follow())

    assert seen == [[f"c{number}" for number in range(20)]] * 200


DASHBOARD = """
    subscription ($every: Int! = 1, $top: Int! = 5) {
        dashboardUpdated(every: $every, top: $top, range: {preset: TODAY}) {
            summary { executions { value } }
        }
    }
"""


def executions_of(message: dict[str, Any]) -> int:
    assert message["type"] == "next", message
    dashboard = message["payload"]["data"]["dashboardUpdated"]
    return int(dashboard["summary"]["executions"]["value"])


def test_the_dashboard_comes_now_and_when_it_has_changed_read_once_for_all(endpoint: Any) -> None:
    async def follow() -> tuple[list[list[int]], int]:
        async with endpoint() as served, AsyncExitStack() as stack:
            reads = 0
            question = served.analytics.service.dashboard

            async def count(*args: Any, **options: Any) -> Any:
                nonlocal reads
                reads += 1
                return await question(*args, **options)

            served.analytics.service.dashboard = count
            everybody = [await stack.enter_async_context(subscriber(served)) for _ in range(20)]
            for number, one in enumerate(everybody):
                # Other texts, too: what is asked of the store is the same.
                query = DASHBOARD if number % 2 else DASHBOARD.replace("value }", "value value }")
                await one.say("subscribe", id="1", payload={"query": query})
            first = [executions_of(await one.hear()) for one in everybody]
            run_commands(served, "more")
            await served.analytics.flush()
            served.clock.advance(OPEN_TTL_MS)
            second = [executions_of(await one.hear()) for one in everybody]
            return [first, second], reads

    seen, reads = asyncio.run(follow())

    assert seen == [[11] * 20, [12] * 20]
    assert reads == 2


@pytest.mark.parametrize(
    ("payload", "code", "text"),
    [
        ({"query": DASHBOARD, "variables": {"every": 0}}, "BAD_USER_INPUT", "every cannot be 0"),
        ({"query": DASHBOARD, "variables": {"every": 3601}}, "BAD_USER_INPUT", "from 1 to 3600"),
        ({"query": DASHBOARD, "variables": {"top": 0}}, "BAD_USER_INPUT", "from 1 to 1000"),
        (
            {"query": RECORDED, "variables": {"filter": {"userId": ""}}},
            "BAD_USER_INPUT",
            "give a user's id",
        ),
        ({"query": RECORDED, "variables": {"filter": 5}}, "GRAPHQL_VALIDATION_FAILED", "filter"),
        ({"query": "subscription { __typename }"}, "GRAPHQL_VALIDATION_FAILED", "introspection"),
        (
            {"query": "subscription { eventRecorded @skip(if: true) { missed } }"},
            "GRAPHQL_VALIDATION_FAILED",
            "@skip",
        ),
        (
            {"query": "subscription { eventRecorded { missed } b: eventRecorded { missed } }"},
            "GRAPHQL_VALIDATION_FAILED",
            "only one",
        ),
        (
            {
                "query": "subscription { dashboardUpdated(top: 1000) { topCommands "
                "{ name stats { executions } } } }"
            },
            "LIMIT_EXCEEDED",
            "would cost",
        ),
    ],
)
def test_what_cannot_be_followed_says_why(
    endpoint: Any, payload: Any, code: str, text: str
) -> None:
    async def ask() -> dict[str, Any]:
        async with endpoint(events=False) as served, subscriber(served) as one:
            await one.say("subscribe", id="1", payload=payload)
            return await one.hear()

    message = asyncio.run(ask())

    assert (message["type"], message["id"]) == ("error", "1")
    [error] = message["payload"]
    assert error["extensions"]["code"] == code
    assert text in error["message"]


def test_http_takes_no_subscriptions(endpoint: Any) -> None:
    async def ask() -> tuple[int, dict[str, Any]]:
        async with endpoint(events=False) as served:
            headers = {"accept": "application/graphql-response+json"}
            response = await served.post(json={"query": RECORDED}, headers=headers)
            return response.status_code, response.json()

    status, answer = asyncio.run(ask())

    assert status == 400
    assert "graphql-transport-ws" in answer["errors"][0]["message"]


def test_what_is_completed_is_followed_no_longer(endpoint: Any) -> None:
    async def follow() -> list[str]:
        async with endpoint(events=False) as served, subscriber(served) as one:
            await one.subscribe(RECORDED, id="1")
            await one.subscribe(RECORDED, id="2")
            await one.say("complete", id="1")
            await one.say("subscribe", id="3", payload={"query": "{"})
            assert (await one.hear())["id"] == "3"
            run_commands(served, "a", "b")
            heard = [await one.hear() for _ in range(2)]
            assert {message["id"] for message in heard} == {"2"}
            recorder = served.analytics.recorder
            assert len(recorder._listeners._listeners) == 1
            await one.say("complete", id="2")
            await one.say("subscribe", id="4", payload={"query": "{"})
            assert (await one.hear())["id"] == "4"
            # Nobody listens any more: the recorder does nothing for it.
            return [str(listener) for listener in recorder._listeners._listeners]

    assert asyncio.run(follow()) == []


def test_a_subscription_ends_with_its_token(endpoint: Any) -> None:
    expires = NOW_MS + 500

    async def authenticate(credentials: Credentials) -> Principal | None:
        return Principal("root", "admin", expires_at=expires)

    async def follow() -> tuple[int | None, str | None]:
        async with (
            endpoint(events=False, authenticate=authenticate) as served,
            subscriber(served) as one,
        ):
            await one.subscribe(RECORDED)
            assert served.analytics.recorder._listeners._listeners
            await one.socket.wait_closed()
            assert not served.analytics.recorder._listeners._listeners
            return one.socket.close_code, one.socket.close_reason

    assert asyncio.run(follow()) == (4403, "Your credentials have expired")


def test_subscriptions_end_when_the_analytics_is_closed(
    endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "POLL_SECONDS", 0.01)

    async def follow() -> list[dict[str, Any]]:
        async with endpoint(events=False) as served, subscriber(served) as one:
            await one.subscribe(RECORDED, id="1")
            await served.analytics.aclose()
            return [await one.hear()]

    [message] = asyncio.run(follow())

    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
