"""The WebSocket: real clients get answers, and every mistake its close code."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from typing import Any

import pytest
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed, InvalidStatus

from copilot_analytics.queries import PopularCommand
from copilot_analytics.rankings import Page
from copilot_analytics_graphql import Credentials, Principal

INIT = {"type": "connection_init"}
ACK = {"type": "connection_ack"}


def subscribe(id: Any, query: Any = "{ __typename }", **payload: Any) -> dict[str, Any]:
    return {"type": "subscribe", "id": id, "payload": {"query": query, **payload}}


@pytest.mark.parametrize("ws", ["websockets-sansio", "websockets", "wsproto"])
def test_a_real_client_is_answered_on_every_server(endpoint: Any, ws: str) -> None:
    async def ask() -> None:
        async with endpoint(ws=ws) as served:
            transport = WebsocketsTransport(
                served.socket_url, init_payload=served.bearer(served.admin)
            )
            async with Client(transport=transport) as session:
                query = GraphQLRequest("{ dashboard { summary { executions { value } } } }")
                answers = await asyncio.gather(*(session.execute(query) for _ in range(10)))
                assert all(
                    answer["dashboard"]["summary"]["executions"]["value"] == 11
                    for answer in answers
                )
                with pytest.raises(TransportQueryError, match="Cannot query field 'nope'"):
                    await session.execute(GraphQLRequest("{ nope }"))
                with pytest.raises(TransportQueryError, match="give a number from 1 to 1000"):
                    await session.execute(
                        GraphQLRequest("{ popularCommands(first: 0) { totalCount } }")
                    )
            assert await served.close_code(INIT, "nonsense") == 4400

    asyncio.run(ask())


def test_the_protocol_word_by_word(endpoint: Any) -> None:
    async def converse() -> list[dict[str, Any]]:
        async with (
            endpoint(events=False) as served,
            served.connect(served.bearer(served.admin)) as socket,
        ):
            assert socket.subprotocol == "graphql-transport-ws"
            said = [
                {"type": "ping"},
                {"type": "pong", "payload": {}},
                INIT,
                {"type": "ping", "payload": {"a": 1}},
                subscribe("1"),
            ]
            for message in said:
                await socket.send(json.dumps(message))
            heard = [json.loads(await socket.recv()) for _ in range(5)]
            for message in (subscribe("1", "{"), subscribe("2", "{ nope }")):
                await socket.send(json.dumps(message))
                heard.append(json.loads(await socket.recv()))
            await socket.send(json.dumps({"type": "complete", "id": "9"}))
            await socket.send(json.dumps({"type": "subscribe", "id": "3", "payload": None}))
            heard.append(json.loads(await socket.recv()))
            return heard

    pong, ack, pong_again, answer, complete, *errors = asyncio.run(converse())

    assert pong == pong_again == {"type": "pong"}
    assert ack == ACK
    assert answer == {"type": "next", "id": "1", "payload": {"data": {"__typename": "Query"}}}
    assert complete == {"type": "complete", "id": "1"}
    assert [(error["type"], error["id"]) for error in errors] == [
        ("error", "1"),
        ("error", "2"),
        ("error", "3"),
    ]
    assert "Syntax Error" in errors[0]["payload"][0]["message"]
    assert "malformed" in errors[2]["payload"][0]["message"]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        pytest.param([b"{}"], 4400, id="binary"),
        pytest.param(["nonsense"], 4400, id="no JSON"),
        pytest.param(["5"], 4400, id="scalar"),
        pytest.param(["null"], 4400, id="null"),
        pytest.param(["[]"], 4400, id="list"),
        pytest.param(["{}"], 4400, id="no type"),
        pytest.param(['{"type": 5}'], 4400, id="type"),
        pytest.param(['{"type": "' + "é" * 5_000 + '"}'], 4400, id="unknown"),
        pytest.param(['{"type":' * 5_000], 4400, id="deep"),
        pytest.param([INIT, '{"type": "next", "id": "1"}'], 4400, id="server's"),
        pytest.param(["x" * 70_000], 1009, id="large"),
        pytest.param([{**INIT, "payload": []}], 4400, id="init payload"),
        pytest.param([{**INIT, "payload": "x"}], 4400, id="init text"),
        pytest.param([INIT, INIT], 4429, id="two inits"),
        pytest.param([subscribe("1")], 4401, id="too early"),
        pytest.param([INIT, {"type": "subscribe", "payload": {}}], 4400, id="no id"),
        pytest.param([INIT, subscribe("")], 4400, id="empty id"),
        pytest.param([INIT, subscribe(5)], 4400, id="id"),
        pytest.param([INIT, subscribe(["a"])], 4400, id="unhashable id"),
        pytest.param([INIT, subscribe("x" * 129)], 4400, id="long id"),
        pytest.param([INIT, {"type": "complete"}], 4400, id="complete without id"),
    ],
)
def test_mistakes_end_with_a_close_code(
    shared: Any, messages: list[object], code: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert shared.close_code(*messages) == code

    assert caplog.text == ""


@pytest.mark.parametrize("offered", [None, ["graphql-ws"], ["chat", "graphql-ws"]])
def test_only_one_subprotocol_is_spoken(endpoint: Any, offered: Any) -> None:
    async def converse() -> tuple[Any, Any]:
        async with endpoint(events=False) as served:
            options = {"subprotocols": offered}
            async with served.connect(served.bearer(served.admin), **options) as socket:
                await socket.wait_closed()
                return socket.subprotocol, socket.close_code

    assert asyncio.run(converse()) == (None, 4406)


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        (None, True),
        ("http://{host}", True),
        ("https://{host}", True),
        ("https://admin.example.com", True),
        ("https://evil.example.com", False),
        ("https://{host}.evil.example.com", False),
        ("null", False),
        ("http://[", False),
    ],
)
def test_pages_of_other_origins_are_refused(
    endpoint: Any, origin: str | None, welcome: bool
) -> None:
    async def converse() -> bool:
        options = {"allowed_origins": ["https://admin.example.com"]}
        async with endpoint(events=False, **options) as served:
            headers = served.bearer(served.admin)
            if origin is not None:
                headers["Origin"] = origin.format(host=served.host)
            try:
                async with served.connect(headers) as socket:
                    await socket.send(json.dumps(INIT))
                    return bool(json.loads(await socket.recv()) == ACK)
            except InvalidStatus as error:
                return error.response.status_code != 403

    assert asyncio.run(converse()) is welcome


def test_an_id_may_be_used_once_at_a_time_and_work_is_bounded(endpoint: Any) -> None:
    async def converse() -> None:
        async with endpoint(events=False) as served:
            running: list[str] = []
            freed = asyncio.Event()

            async def wait(name: str, *args: object, **options: object) -> None:
                running.append(name)
                try:
                    await asyncio.Event().wait()
                finally:
                    freed.set()

            served.analytics.service.command_stats = wait

            def ask(number: int) -> str:
                query = f'{{ commandStats(name: "{number}") {{ name }} }}'
                return json.dumps(subscribe(str(number), query))

            async with served.connect(served.bearer(served.admin)) as socket:
                await socket.send(json.dumps(INIT))
                await socket.recv()
                for number in range(21):
                    await socket.send(ask(number))
                refused = json.loads(await socket.recv())
                assert (refused["type"], refused["id"]) == ("error", "20")
                assert "20 operations are under way" in refused["payload"][0]["message"]

                await socket.send(json.dumps({"type": "complete", "id": "3"}))
                await socket.send(json.dumps({"type": "ping"}))
                assert json.loads(await socket.recv()) == {"type": "pong"}
                await socket.send(json.dumps(subscribe("3")))
                assert json.loads(await socket.recv())["type"] == "next"
                assert json.loads(await socket.recv())["type"] == "complete"

                await socket.send(ask(5))
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                assert socket.close_code == 4409

    asyncio.run(converse())


def test_a_socket_ends_with_its_credentials(endpoint: Any) -> None:
    now_ms = 1_750_000_000_000

    async def briefly(credentials: Credentials) -> Principal | None:
        return Principal("root", "admin", expires_at=now_ms + 50)

    async def converse() -> tuple[Any, Any]:
        async with (
            endpoint(events=False, authenticate=briefly) as served,
            served.connect({}) as socket,
        ):
            await socket.send(json.dumps(INIT))
            assert json.loads(await socket.recv()) == ACK
            await socket.wait_closed()
            return socket.close_code, socket.close_reason

    assert asyncio.run(converse()) == (4403, "Your credentials have expired")


def test_who_does_not_introduce_himself_is_closed(
    endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot_analytics_graphql.websocket._INIT_SECONDS", 0.05)

    async def converse() -> int:
        async with endpoint(events=False) as served:
            closed: int = await served.close_code({"type": "ping"})
            return closed

    assert asyncio.run(converse()) == 4408


def test_a_client_that_leaves_takes_its_operations_with_it(
    endpoint: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def converse() -> None:
        async with endpoint(events=False) as served:
            began, answered = asyncio.Event(), asyncio.Event()

            async def wait(*args: object, **options: object) -> Page[PopularCommand]:
                began.set()
                await answered.wait()
                return Page((), (), 0, has_previous=False, has_next=False)

            served.analytics.service.popular_commands = wait
            async with served.connect(served.bearer(served.admin)) as socket:
                await socket.send(json.dumps(INIT))
                await socket.send(json.dumps(subscribe("1", "{ popularCommands { totalCount } }")))
                await began.wait()
                socket.transport.abort()
            answered.set()
            assert await served.data("{ __typename }") == {"__typename": "Query"}

    with caplog.at_level(logging.WARNING):
        asyncio.run(converse())

    assert caplog.text == ""


def mutations(seed: int, count: int) -> list[list[str]]:
    """Return conversations that are almost right."""
    chance = random.Random(seed)
    values: list[Any] = [
        None,
        5,
        -1.5,
        True,
        "",
        "1",
        "{",
        [],
        [[]],
        {},
        {"query": []},
        "\x00",
        10**30,
    ]
    conversations = []
    for _ in range(count):
        messages: list[Any] = [dict(INIT), subscribe("1"), {"type": "complete", "id": "1"}]
        for message in messages:
            match chance.randrange(4):
                case 0:
                    message[chance.choice(["type", "id", "payload"])] = chance.choice(values)
                case 1 if isinstance(message.get("payload"), dict):
                    message["payload"][chance.choice(["query", "variables", "operationName"])] = (
                        chance.choice(values)
                    )
                case 2:
                    message.pop(chance.choice(list(message)))
                case _:
                    pass
        texts = [json.dumps(message) for message in messages]
        if chance.random() < 0.3:
            at = chance.randrange(len(texts))
            cut = chance.randrange(len(texts[at]))
            texts[at] = texts[at][:cut] + chance.choice(["", "\\", '"', "{", "\x00"])
        conversations.append(texts)
    return conversations


def test_no_message_ends_a_socket_abnormally(
    endpoint: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def converse() -> None:
        async with endpoint(events=False) as served:
            for conversation in mutations(seed=11, count=150):
                # The last word always ends it.
                code = await served.close_code(*conversation, "no more")
                assert code in (4400, 4401), (conversation, code)

    with caplog.at_level(logging.WARNING):
        asyncio.run(converse())

    assert caplog.text == ""
