"""The middleware: which sockets it sees, what it records of them, and what it leaves alone."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    BaseUser,
    SimpleUser,
)
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.routing import Mount, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from copilot_analytics.analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.current import command
from copilot_analytics.errors import ConfigurationError
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.tracking import ConnectionTracker
from copilot_analytics.typing import SCOPE_KEY, ASGIApp, Message, Receive, Scope, Send
from copilot_analytics_graphql import graphql_routes, static_token
from copilot_analytics_plugins.starlette import AnalyticsMiddleware

PROTOCOLS = ("websockets-sansio", "websockets", "wsproto")
MESSAGE = '{"action": "message", "message": "hello"}'

Server = Callable[..., AbstractAsyncContextManager[int]]
StoredEvents = Callable[[Analytics], list[AnalyticsEvent]]


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    with_everything_raised = Analytics("memory://", config=AnalyticsConfig(strict=True))
    yield with_everything_raised
    with_everything_raised.close()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Do what the path says, with every client that is let in."""
    assert scope["type"] == "websocket"
    path = scope["path"].rpartition("/")[2]
    await receive()
    if path == "rejects":
        await send({"type": "websocket.close", "code": 4003})
        return
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    if path == "raises":
        raise LookupError("no supplier 'Doe' for alice@example.com")
    if path == "returns":
        return
    if path == "closes":
        await send({"type": "websocket.close", "code": 4001})
    with suppress(OSError):
        while (await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "heard"})


async def leave(client: ClientConnection) -> None:
    await client.close(3000)


async def abort(client: ClientConnection) -> None:
    client.transport.abort()


async def stay(client: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        await client.recv()


async def talk(
    port: int,
    path: str = "/ws",
    end: Callable[[ClientConnection], Awaitable[None]] = leave,
    **options: Any,
) -> None:
    async with connect(f"ws://127.0.0.1:{port}{path}", **options) as client:
        await end(client)


def visit(server: Server, app: ASGIApp, path: str = "/ws", **options: Any) -> None:
    """Connect to an application once, and close."""

    async def main() -> None:
        async with server(app) as port:
            await talk(port, path, **options)

    asyncio.run(main())


def kinds(events: list[AnalyticsEvent]) -> list[EventType]:
    return [event.event_type for event in events]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("path", "end", "code"),
    [
        ("/ws", leave, 3000),
        ("/ws", abort, 1006),
        ("/closes", stay, 4001),
        ("/returns", stay, 1006),
        ("/raises", stay, 1011),
    ],
)
def test_close_is_recorded_with_its_code(
    analytics: Analytics,
    uvicorn_server: Server,
    stored_events: StoredEvents,
    protocol: str,
    path: str,
    end: Callable[[ClientConnection], Awaitable[None]],
    code: int,
) -> None:
    async def main() -> None:
        async with uvicorn_server(AnalyticsMiddleware(application, analytics), protocol) as port:
            await talk(port, path, end)

    asyncio.run(main())
    events = stored_events(analytics)
    assert events[0].event_type is EventType.WEBSOCKET_CONNECTED
    assert events[-1].event_type is EventType.WEBSOCKET_DISCONNECTED
    assert events[-1].metadata["close_code"] == code
    assert (EventType.ERROR_OCCURRED in kinds(events)) == (path == "/raises")


def test_exception_of_the_handler_is_recorded_once_and_goes_on_untouched(
    analytics: Analytics, uvicorn_server: Server, stored_events: StoredEvents
) -> None:
    raised = []

    async def outermost(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await AnalyticsMiddleware(application, analytics)(scope, receive, send)
        except LookupError as exc:
            raised.append(exc)
            raise

    visit(uvicorn_server, outermost, "/raises", end=stay)
    (error,) = (
        event for event in stored_events(analytics) if event.event_type is EventType.ERROR_OCCURRED
    )
    assert error.metadata["error_type"] == "LookupError"
    assert "alice" not in str(error.metadata)
    assert [str(exc) for exc in raised] == ["no supplier 'Doe' for alice@example.com"]


def test_socket_that_is_not_accepted_leaves_nothing(
    analytics: Analytics, uvicorn_server: Server, stored_events: StoredEvents
) -> None:
    with pytest.raises(InvalidStatus):
        visit(uvicorn_server, AnalyticsMiddleware(application, analytics), "/rejects")
    assert stored_events(analytics) == []


@pytest.mark.parametrize(
    ("path", "options", "tracked"),
    [
        ("/ws", {}, True),
        ("/ws", {"include": ["/ws"]}, True),
        ("/ws/deep/down", {"include": ["/ws/*"]}, True),
        ("/other", {"include": ["/ws", "/ws/*"]}, False),
        ("/ws", {"exclude": ["/w?"]}, False),
        ("/ws/admin", {"include": ["/ws/*"], "exclude": ["*/admin"]}, False),
    ],
)
def test_patterns_choose_the_sockets(
    analytics: Analytics,
    uvicorn_server: Server,
    stored_events: StoredEvents,
    path: str,
    options: dict[str, Any],
    tracked: bool,
) -> None:
    visit(uvicorn_server, AnalyticsMiddleware(application, analytics, **options), path)
    assert bool(stored_events(analytics)) is tracked


@pytest.mark.parametrize(
    ("offered", "tracked"),
    [
        (["chat.v1"], True),
        (["graphql-transport-ws"], False),
        (["chat.v1", "graphql-ws"], False),
    ],
)
def test_graphql_sockets_are_never_tracked(
    analytics: Analytics,
    uvicorn_server: Server,
    stored_events: StoredEvents,
    offered: list[Subprotocol],
    tracked: bool,
) -> None:
    visit(uvicorn_server, AnalyticsMiddleware(application, analytics), subprotocols=offered)
    connected = [event.metadata.get("subprotocol") for event in stored_events(analytics)]
    assert connected[:1] == (["chat.v1"] if tracked else [])


def test_application_may_ask_to_be_ignored(
    analytics: Analytics, uvicorn_server: Server, stored_events: StoredEvents
) -> None:
    async def ours(scope: Scope, receive: Receive, send: Send) -> None:
        scope[SCOPE_KEY]["ignore"] = True
        await application(scope, receive, send)

    visit(uvicorn_server, AnalyticsMiddleware(ours, analytics))
    assert stored_events(analytics) == []


def test_our_own_endpoint_is_never_tracked(
    analytics: Analytics, uvicorn_server: Server, stored_events: StoredEvents
) -> None:
    routes = graphql_routes(analytics, authenticate=static_token("0123456789abcdef" * 2))
    app = Starlette(routes=routes)
    app.add_middleware(AnalyticsMiddleware, analytics=analytics)
    visit(uvicorn_server, app, "/graphql", end=stay)  # without a sub-protocol
    assert stored_events(analytics) == []


def test_nested_middlewares_track_a_socket_once(
    analytics: Analytics, uvicorn_server: Server, stored_events: StoredEvents
) -> None:
    inner = AnalyticsMiddleware(application, analytics)
    visit(uvicorn_server, AnalyticsMiddleware(inner, analytics))
    assert kinds(stored_events(analytics)) == [
        EventType.WEBSOCKET_CONNECTED,
        EventType.WEBSOCKET_DISCONNECTED,
    ]


def test_middleware_of_a_mounted_application_sees_the_whole_path(
    analytics: Analytics, uvicorn_server: Server, stored_events: StoredEvents
) -> None:
    tracked = AnalyticsMiddleware(application, analytics, include=["/copilot/v1/ws"])
    visit(uvicorn_server, Starlette(routes=[Mount("/copilot/v1", tracked)]), "/copilot/v1/ws")
    assert len(stored_events(analytics)) == 2


def test_switched_off_the_application_is_left_as_it_is(analytics: Analytics) -> None:
    off = Analytics("memory://", config=AnalyticsConfig(enabled=False))
    inner: ASGIApp = AnalyticsMiddleware(application, analytics)

    assert AnalyticsMiddleware(application, off) is application
    assert AnalyticsMiddleware(inner, off) is inner
    assert AnalyticsMiddleware(inner, off).app is application


@pytest.mark.parametrize("options", [{"include": "/ws"}, {"exclude": [1]}, {"adapter": "no such"}])
def test_wrong_options_are_refused_at_once(analytics: Analytics, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        AnalyticsMiddleware(application, analytics, **options)


def test_http_passes_through_untouched(analytics: Analytics) -> None:
    seen: list[object] = []

    async def app(*given: object) -> None:
        seen.extend(given)

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    scope = {"type": "http", "path": "/"}
    asyncio.run(AnalyticsMiddleware(app, analytics)(scope, receive, send))
    assert [id(given) for given in seen] == [id(scope), id(receive), id(send)]
    assert scope == {"type": "http", "path": "/"}


def test_lifespan_starts_and_drains_the_recorder(
    analytics: Analytics, uvicorn_server: Server
) -> None:
    running = []

    async def socket(websocket: WebSocket) -> None:
        running.append(analytics.recorder.health().running)
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            await websocket.receive_text()

    async def main() -> None:
        app = Starlette(routes=[WebSocketRoute("/ws", socket)])
        app.add_middleware(AnalyticsMiddleware, analytics=analytics)
        async with uvicorn_server(app, lifespan="on") as port:
            await talk(port)

    asyncio.run(main())
    health = analytics.recorder.health()
    assert running == [True]
    assert (health.running, health.stored, health.pending) == (False, 2, 0)


def test_applications_without_lifespan_are_tracked(
    analytics: Analytics, uvicorn_server: Server, stored_events: StoredEvents
) -> None:
    async def main() -> None:
        tracked = AnalyticsMiddleware(application, analytics)
        async with uvicorn_server(tracked, lifespan="auto") as port:
            await talk(port)

    asyncio.run(main())
    assert len(stored_events(analytics)) == 2


class Backend(AuthenticationBackend):
    """Lets in whoever says their name, each with another kind of user."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        name = conn.headers.get("x-name")
        if name is None:
            return None
        return AuthCredentials(), NamedUser(name) if name == "ada" else SimpleUser(name)


class NamedUser(BaseUser):
    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def identity(self) -> str:
        return f"id-of-{self.name}"


def by_query(scope: Scope) -> str | None:
    return "identified" if b"yes" in scope["query_string"] else None


@pytest.mark.parametrize(
    ("options", "settings", "request_", "user"),
    [
        ({}, {}, {"X-Name": "ada"}, "id-of-ada"),
        ({}, {}, {"X-Name": "bob"}, "bob"),
        ({}, {"identity_header": "X-User"}, {"X-Name": "ada", "X-User": "u"}, "id-of-ada"),
        ({}, {"identity_header": "X-User"}, {"x-user": "u7"}, "u7"),
        ({}, {}, {"X-User": "u7"}, None),
        ({}, {"identity_query": "user"}, {"?": "a=b&user=%C3%A4da"}, "äda"),
        ({}, {}, {"?": "user=ada"}, None),
        ({"identify": by_query}, {}, {"X-Name": "ada", "?": "yes"}, "identified"),
        ({"identify": by_query}, {}, {"X-Name": "ada"}, None),
    ],
)
def test_user_is_who_the_application_says(
    uvicorn_server: Server,
    stored_events: StoredEvents,
    options: dict[str, Any],
    settings: dict[str, Any],
    request_: dict[str, str],
    user: str | None,
) -> None:
    analytics = Analytics("memory://", config=AnalyticsConfig(strict=True, **settings))
    app = AuthenticationMiddleware(application, backend=Backend())
    query = request_.pop("?", "")
    visit(
        uvicorn_server,
        AnalyticsMiddleware(app, analytics, **options),
        f"/ws?{query}",
        additional_headers=request_,
    )
    users = {event.user_id for event in stored_events(analytics)}
    anonymous = {f"anonymous:{event.connection_id}" for event in stored_events(analytics)}
    assert users == (anonymous if user is None else {user})
    analytics.close()


def test_explicit_calls_find_the_socket(
    analytics: Analytics, uvicorn_server: Server, stored_events: StoredEvents
) -> None:
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        with command("add-supplier"):
            await asyncio.sleep(0)
        await websocket.close()

    app = Starlette(
        routes=[WebSocketRoute("/ws", socket)],
        middleware=[Middleware(AnalyticsMiddleware, analytics=analytics)],
    )
    visit(uvicorn_server, app, end=stay)
    connected, action, _ = stored_events(analytics)
    assert action.event_type is EventType.ACTION_EXECUTED
    assert action.connection_id == connected.connection_id
    assert action.user_id == connected.user_id


def test_sockets_leave_nothing_behind(analytics: Analytics, uvicorn_server: Server) -> None:
    async def main() -> None:
        async with uvicorn_server(AnalyticsMiddleware(application, analytics)) as port:
            for path, end in (("/ws", leave), ("/ws", abort), ("/raises", stay), ("/closes", stay)):
                await talk(port, path, end)

    def trackers() -> int:
        return sum(type(each) is ConnectionTracker for each in gc.get_objects())

    before = trackers()
    asyncio.run(main())
    gc.collect()
    assert trackers() <= before
