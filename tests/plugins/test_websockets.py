"""The `websockets` plugin: which sockets it sees, what it records of them, and what it leaves."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, basic_auth, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from copilot_analytics.analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.current import command
from copilot_analytics.errors import ConfigurationError
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.tracking import ConnectionTracker
from copilot_analytics_plugins.websockets import AnalyticsConnection, track

MESSAGE = '{"action": "message", "message": "Grüße"}'
TOKEN = '{"type": "stream_token", "token": "word"}'
STREAM = ('{"type": "stream_start", "metadata": {}}', TOKEN, TOKEN, TOKEN)

Handler = Callable[[ServerConnection], Awaitable[None]]
StoredEvents = Callable[[Analytics], list[AnalyticsEvent]]
Served = Callable[..., Any]


def with_decorator(analytics: Analytics, handler: Handler, **options: Any) -> dict[str, Any]:
    """Return the arguments of `serve` that track a handler by the decorator."""
    return {"handler": track(analytics, **options)(handler)}


def with_connection(analytics: Analytics, handler: Handler, **options: Any) -> dict[str, Any]:
    """Return those that track it by the connection class."""
    connection = AnalyticsConnection.factory(analytics, **options)
    return {"handler": handler, "create_connection": connection}


both = pytest.mark.parametrize("tracked", [with_decorator, with_connection])


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    with_everything_raised = Analytics("memory://", config=AnalyticsConfig(strict=True))
    yield with_everything_raised
    with_everything_raised.close()


@asynccontextmanager
async def serving(**arguments: Any) -> AsyncIterator[int]:
    options = {"select_subprotocol": lambda _, offered: next(iter(offered), None), **arguments}
    async with serve(host="127.0.0.1", port=0, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def leave(client: ClientConnection) -> None:
    await client.close(3000)


async def abort(client: ClientConnection) -> None:
    client.transport.abort()


async def stay(client: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        async for _ in client:
            pass


def visit(
    arguments: dict[str, Any],
    path: str = "/ws",
    end: Callable[[ClientConnection], Awaitable[None]] = leave,
    **options: Any,
) -> None:
    """Connect to a server once."""

    async def main() -> None:
        async with (
            serving(**arguments) as port,
            connect(f"ws://127.0.0.1:{port}{path}", **options) as client,
        ):
            await end(client)

    asyncio.run(main())


async def handler(connection: ServerConnection) -> None:
    assert isinstance(connection, ServerConnection)
    assert connection.request is not None
    path = connection.request.path
    if path == "/raises":
        raise LookupError("no supplier 'Doe' for alice@example.com")
    if path == "/closes":
        await connection.close(4001)
    if path == "/returns":
        return
    async for message in connection:
        await connection.send(message)


def kinds(events: list[AnalyticsEvent]) -> list[EventType]:
    return [event.event_type for event in events]


@both
@pytest.mark.parametrize(
    ("path", "end", "code"),
    [
        ("/ws", leave, 3000),
        ("/ws", abort, 1006),
        ("/closes", stay, 4001),
        ("/returns", stay, 1000),
        ("/raises", stay, 1011),
    ],
)
def test_close_is_recorded_with_its_final_code(
    analytics: Analytics,
    stored_events: StoredEvents,
    tracked: Served,
    path: str,
    end: Callable[[ClientConnection], Awaitable[None]],
    code: int,
) -> None:
    visit(tracked(analytics, handler), path, end)
    events = stored_events(analytics)
    assert events[0].event_type is EventType.WEBSOCKET_CONNECTED
    assert events[-1].event_type is EventType.WEBSOCKET_DISCONNECTED
    assert events[-1].metadata["close_code"] == code
    errors = [e.metadata for e in events if e.event_type is EventType.ERROR_OCCURRED]
    assert [error["error_type"] for error in errors] == ["LookupError"] * (path == "/raises")
    assert "alice" not in str(errors)


@both
def test_rejected_handshake_leaves_nothing(
    analytics: Analytics, stored_events: StoredEvents, tracked: Served
) -> None:
    def reject(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(HTTPStatus.FORBIDDEN, "no")

    arguments = tracked(analytics, handler)
    with pytest.raises(InvalidStatus):
        visit(arguments | {"process_request": reject})
    assert stored_events(analytics) == []


async def receive_iterating(connection: ServerConnection) -> None:
    async for _ in connection:
        return


async def receive_once(connection: ServerConnection) -> None:
    await connection.recv()


async def receive_undecoded(connection: ServerConnection) -> None:
    await connection.recv(decode=False)


async def receive_fragments(connection: ServerConnection) -> None:
    async for _ in connection.recv_streaming():
        pass


async def receive_undecoded_fragments(connection: ServerConnection) -> None:
    async for _ in connection.recv_streaming(decode=False):
        pass


@both
@pytest.mark.parametrize("sent", [MESSAGE, [MESSAGE[:30], MESSAGE[30:]], MESSAGE.encode()])
@pytest.mark.parametrize(
    "receive",
    [
        receive_iterating,
        receive_once,
        receive_undecoded,
        receive_fragments,
        receive_undecoded_fragments,
    ],
)
def test_message_is_seen_however_it_is_received(
    analytics: Analytics,
    stored_events: StoredEvents,
    tracked: Served,
    sent: str | list[str] | bytes,
    receive: Handler,
) -> None:
    async def send(client: ClientConnection) -> None:
        await client.send(sent)
        await stay(client)

    visit(tracked(analytics, receive), end=send)
    _, message, disconnected = stored_events(analytics)
    assert message.metadata["message_length"] == len("Grüße")
    assert message.metadata["message_bytes"] == len(MESSAGE.encode())
    assert disconnected.metadata["messages"] == 1


async def arriving(text: str) -> AsyncIterator[str]:
    for character in text:
        yield character


SENDS: list[Callable[[str], Any]] = [
    lambda text: text,
    lambda text: text.encode(),
    lambda text: bytearray(text.encode()),
    lambda text: [text[:12], text[12:]],
    lambda text: (character.encode() for character in text),
    arriving,
]


@both
@pytest.mark.parametrize("form", SENDS)
def test_answer_is_seen_however_it_is_sent(
    analytics: Analytics, stored_events: StoredEvents, tracked: Served, form: Callable[[str], Any]
) -> None:
    async def answer(connection: ServerConnection) -> None:
        for frame in STREAM:
            await connection.send(form(frame))

    visit(tracked(analytics, answer), end=stay)
    events = stored_events(analytics)
    assert kinds(events) == [
        EventType.WEBSOCKET_CONNECTED,
        EventType.STREAMING_STARTED,
        EventType.STREAMING_INTERRUPTED,
        EventType.WEBSOCKET_DISCONNECTED,
    ]
    assert events[2].metadata["chunk_count"] == 3


@both
@pytest.mark.parametrize(
    ("path", "options", "is_tracked"),
    [
        ("/ws?user=1", {"include": ["/ws"]}, True),
        ("/w%73", {"include": ["/ws"]}, True),
        ("/other", {"include": ["/ws", "/ws/*"]}, False),
        ("/ws/admin", {"include": ["/ws/*"], "exclude": ["*/admin"]}, False),
    ],
)
def test_patterns_choose_the_sockets(
    analytics: Analytics,
    stored_events: StoredEvents,
    tracked: Served,
    path: str,
    options: dict[str, Any],
    is_tracked: bool,
) -> None:
    visit(tracked(analytics, handler, **options), path)
    assert bool(stored_events(analytics)) is is_tracked


@both
@pytest.mark.parametrize(
    ("offered", "is_tracked"),
    [(["chat.v1"], True), (["graphql-transport-ws"], False), (["chat.v1", "graphql-ws"], False)],
)
def test_graphql_sockets_are_never_tracked(
    analytics: Analytics,
    stored_events: StoredEvents,
    tracked: Served,
    offered: list[Subprotocol],
    is_tracked: bool,
) -> None:
    visit(tracked(analytics, handler), subprotocols=offered)
    connected = [event.metadata.get("subprotocol") for event in stored_events(analytics)]
    assert connected[:1] == (["chat.v1"] if is_tracked else [])


def by_query(connection: ServerConnection) -> str | None:
    assert connection.request is not None
    return "identified" if "yes" in connection.request.path else None


@both
@pytest.mark.parametrize(
    ("options", "settings", "query", "headers", "user"),
    [
        ({}, {}, "", {}, None),
        ({}, {"identity_header": "X-User"}, "", {"x-user": "u7"}, "u7"),
        ({}, {}, "", {"X-User": "u7"}, None),
        ({}, {"identity_query": "user"}, "a=b&user=%C3%A4da", {}, "äda"),
        ({}, {}, "user=ada", {}, None),
        ({"identify": by_query}, {"identity_header": "X-User"}, "yes", {}, "identified"),
        ({"identify": by_query}, {"identity_header": "X-User"}, "", {"X-User": "u7"}, None),
    ],
)
def test_user_is_who_the_application_says(
    stored_events: StoredEvents,
    tracked: Served,
    options: dict[str, Any],
    settings: dict[str, Any],
    query: str,
    headers: dict[str, str],
    user: str | None,
) -> None:
    analytics = Analytics("memory://", config=AnalyticsConfig(strict=True, **settings))
    arguments = tracked(analytics, handler, **options)
    visit(arguments, f"/ws?{query}", additional_headers=headers)
    users = {event.user_id for event in stored_events(analytics)}
    anonymous = {f"anonymous:{event.connection_id}" for event in stored_events(analytics)}
    assert users == (anonymous if user is None else {user})
    analytics.close()


@both
def test_user_of_basic_auth_is_known(
    analytics: Analytics, stored_events: StoredEvents, tracked: Served
) -> None:
    auth = basic_auth(realm="copilot", credentials=("ada", "secret"))
    arguments = tracked(analytics, handler) | {"process_request": auth}

    async def main() -> None:
        async with (
            serving(**arguments) as port,
            connect(f"ws://ada:secret@127.0.0.1:{port}"),
        ):
            pass

    asyncio.run(main())
    assert {event.user_id for event in stored_events(analytics)} == {"ada"}


@both
def test_explicit_calls_find_the_socket(
    analytics: Analytics, stored_events: StoredEvents, tracked: Served
) -> None:
    async def acting(connection: ServerConnection) -> None:
        gc.collect()  # nothing of the binding is left to be collected
        with command("add-supplier"):
            await asyncio.sleep(0)

    visit(tracked(analytics, acting), end=stay)
    connected, action, _ = stored_events(analytics)
    assert action.event_type is EventType.ACTION_EXECUTED
    assert action.connection_id == connected.connection_id
    assert action.user_id == connected.user_id


def test_both_at_once_are_an_error(analytics: Analytics, stored_events: StoredEvents) -> None:
    raised = []

    async def catching(connection: ServerConnection) -> None:
        try:
            await track(analytics)(handler)(connection)
        except ConfigurationError as exc:
            raised.append(str(exc))

    visit(with_connection(analytics, catching), end=stay)
    visit(with_decorator(analytics, catching), end=stay)
    assert len(raised) == 2
    assert all("either @track or AnalyticsConnection" in text for text in raised)
    assert len(stored_events(analytics)) == 4


@pytest.mark.parametrize("options", [{"include": "/ws"}, {"exclude": [1]}, {"adapter": "no such"}])
def test_wrong_options_are_refused_at_once(analytics: Analytics, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        track(analytics, **options)
    with pytest.raises(ConfigurationError):
        AnalyticsConnection.factory(analytics, **options)


def test_tracking_twice_is_refused_at_once(analytics: Analytics) -> None:
    with pytest.raises(ConfigurationError, match="tracked already"):
        track(analytics)(track(analytics)(handler))
    with pytest.raises(ConfigurationError, match="tracked already"):
        AnalyticsConnection.factory(analytics, base=AnalyticsConnection.factory(analytics))


def test_switched_off_everything_is_left_as_it_is() -> None:
    off = Analytics("memory://", config=AnalyticsConfig(enabled=False))
    assert track(off)(handler) is handler
    assert AnalyticsConnection.factory(off) is ServerConnection


@pytest.mark.parametrize("decorated", [True, False])
def test_connection_class_of_the_application_is_kept(
    analytics: Analytics, stored_events: StoredEvents, decorated: bool
) -> None:
    sent = []

    class Own(ServerConnection):
        async def send(self, message: Any, *, text: bool | None = None) -> None:
            sent.append(message)
            await super().send(message, text=text)

    async def answer(connection: ServerConnection) -> None:
        assert isinstance(connection, Own)
        for frame in STREAM:
            await connection.send(frame)

    if decorated:
        arguments = {"handler": track(analytics)(answer), "create_connection": Own}
    else:
        arguments = with_connection(analytics, answer, base=Own)
    visit(arguments, end=stay)
    assert stored_events(analytics)[2].metadata["chunk_count"] == 3
    assert sent == list(STREAM)


class Copilot:
    async def __call__(self, connection: ServerConnection) -> None:
        await connection.send("hello")

    async def method(self, connection: ServerConnection) -> None:
        await connection.send("hello")

    def plain(self, connection: ServerConnection) -> Awaitable[None]:
        return connection.send("hello")


async def with_more(connection: ServerConnection, *, text: str) -> None:
    await connection.send(text)


@pytest.mark.parametrize(
    "served",
    [Copilot(), Copilot().method, Copilot().plain, functools.partial(with_more, text="hello")],
)
def test_decorator_takes_whatever_serve_takes(
    analytics: Analytics, stored_events: StoredEvents, served: Handler
) -> None:
    visit(with_decorator(analytics, served), end=stay)
    assert kinds(stored_events(analytics)) == [
        EventType.WEBSOCKET_CONNECTED,
        EventType.WEBSOCKET_DISCONNECTED,
    ]


def test_decorated_handler_keeps_its_name(analytics: Analytics) -> None:
    assert track(analytics)(handler).__name__ == "handler"


def test_connection_lost_before_the_handler_runs_is_closed(
    analytics: Analytics, stored_events: StoredEvents
) -> None:
    async def late(connection: ServerConnection) -> None:
        await connection.wait_closed()
        await track(analytics)(handler)(connection)

    visit({"handler": late})
    connected, disconnected = stored_events(analytics)
    assert connected.event_type is EventType.WEBSOCKET_CONNECTED
    assert disconnected.metadata["close_code"] == 3000


@both
def test_connections_leave_nothing_behind(
    analytics: Analytics, tracked: Served, caplog: pytest.LogCaptureFixture
) -> None:
    def left() -> int:
        gc.collect()
        kinds = (ConnectionTracker, ServerConnection)
        return sum(issubclass(type(each), kinds) for each in gc.get_objects())

    # What is logged is kept for the report: exceptions, whose frames have the connection.
    caplog.set_level(logging.CRITICAL, "websockets.server")
    before = left()
    for path, end in (("/ws", leave), ("/ws", abort), ("/raises", stay), ("/closes", stay)):
        visit(tracked(analytics, handler), path, end)
    assert left() == before
