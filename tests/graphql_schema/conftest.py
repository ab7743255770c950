"""The endpoint on a real server, over a real store, with a clock that stands still."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from copilot_analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.periods import DAY_MS
from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import Authenticate, Credentials, Principal, analytics_routes

NOW_MS = 1_750_000_000_000  # 2025-06-15T15:06:40Z
ADMIN, ADA, BOB = ("admin-" + "a" * 32, "user-ada-" + "a" * 32, "user-bob-" + "b" * 32)
PRINCIPALS = {
    ADMIN: Principal("root", "admin"),
    ADA: Principal("ada", "user"),
    BOB: Principal("bob", "user"),
}

WebSocketProtocol = Literal["websockets-sansio", "websockets", "wsproto"]


async def authenticate(credentials: Credentials) -> Principal | None:
    """Know an admin and two users by their tokens."""
    return PRINCIPALS.get(credentials.bearer_token or "")


class Endpoint:
    """A running endpoint and a client of it."""

    admin, ada, bob = ADMIN, ADA, BOB

    def __init__(
        self, host: str, analytics: Analytics, clock: FakeClock, client: httpx.AsyncClient
    ) -> None:
        self.host = host
        self.client = client
        self.url = f"http://{host}/graphql"
        self.socket_url = f"ws://{host}/graphql"
        self.analytics = analytics
        self.clock = clock

    @staticmethod
    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    async def post(self, *, token: str | None = ADMIN, **options: Any) -> httpx.Response:
        headers = {**({} if token is None else self.bearer(token)), **options.pop("headers", {})}
        method, url = options.pop("method", "POST"), options.pop("url", self.url)
        return await self.client.request(method, url, headers=headers, **options)

    async def get(
        self,
        path: str,
        *,
        token: str | None = ADMIN,
        method: str = "GET",
        prefix: str = "/analytics",
        **headers: str,
    ) -> httpx.Response:
        """Ask the REST API; headers are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        bearer = {} if token is None else self.bearer(token)
        url = f"http://{self.host}{prefix}{path}"
        return await self.client.request(method, url, headers={**bearer, **named})

    async def close_code(self, *messages: object, token: str | None = ADMIN) -> int | None:
        """Send messages over a socket until it is closed; return the code."""
        headers = {} if token is None else self.bearer(token)
        async with self.connect(headers) as socket:
            with contextlib.suppress(ConnectionClosed):
                for message in messages:
                    raw = isinstance(message, str | bytes)
                    await socket.send(message if raw else json.dumps(message))  # type: ignore[arg-type]
            await socket.wait_closed()
            return socket.close_code

    def connect(self, headers: Mapping[str, str], **options: Any) -> connect:
        """Return a client's connection that speaks our subprotocol."""
        options.setdefault("subprotocols", ["graphql-transport-ws"])
        return connect(self.socket_url, additional_headers=headers, proxy=None, **options)

    async def ask(
        self, query: str, variables: object = None, *, token: str = ADMIN
    ) -> dict[str, Any]:
        """Return the whole answer."""
        response = await self.post(token=token, json={"query": query, "variables": variables})
        answer: dict[str, Any] = response.json()
        return answer

    async def data(
        self, query: str, variables: object = None, *, token: str = ADMIN
    ) -> dict[str, Any]:
        """Return an answer's data; there may be no errors."""
        answer = await self.ask(query, variables, token=token)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def error(
        self, query: str, variables: object = None, *, token: str = ADMIN
    ) -> dict[str, Any]:
        """Return an answer's only error."""
        answer = await self.ask(query, variables, token=token)
        [error] = answer["errors"]
        assert isinstance(error, dict)
        return error


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.up.set()


@asynccontextmanager
async def _serve(app: ASGIApp, ws: WebSocketProtocol) -> AsyncIterator[str]:
    with warnings.catch_warnings(), socket.create_server(("127.0.0.1", 0)) as listener:
        # Its older implementation uses what `websockets` has deprecated, and says so itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "The `websockets` implementation")
        server = _Server(uvicorn.Config(app, ws=ws, log_level="warning", lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await server.up.wait()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def _endpoint(
    store: str = "memory://",
    *,
    events: bool = True,
    authenticate: Authenticate = authenticate,
    wrap: Callable[[Any], ASGIApp] = lambda routes: Starlette(routes=routes),
    ws: WebSocketProtocol = "websockets-sansio",
    config: AnalyticsConfig | None = None,
    **options: Any,
) -> AsyncIterator[Endpoint]:
    clock = FakeClock(NOW_MS)
    analytics = Analytics(store, config=config or AnalyticsConfig(strict=True), clock=clock)
    if events:
        record_a_story(analytics)
        assert await analytics.flush()
    app = wrap(analytics_routes(analytics, authenticate=authenticate, **options))
    try:
        client = httpx.AsyncClient(trust_env=False, timeout=30, verify=False)
        async with _serve(app, ws) as host, client:
            yield Endpoint(host, analytics, clock, client)
    finally:
        await analytics.aclose()


def record_a_story(analytics: Analytics) -> None:
    """Record two days: today ten commands, two of them failing, an error; five a month ago."""
    service, clock = analytics.service, analytics.clock
    for number in range(10):
        user = "ada" if number < 7 else "bob"
        service.track_command_execution(user, "add-supplier", number >= 2, 100.0)
    service.track_command_execution("ada", "list-orders", True, 12.0)
    service.track_event("MESSAGE_SENT", "ada", metadata={"message_length": 5})
    service.track_event("WEBSOCKET_CONNECTED", "bob")
    service.track_error("ada", "ValueError", "no supplier for ada@example.com")
    for _ in range(5):
        service.track_event(
            "ACTION_EXECUTED",
            "ada",
            metadata={"command_name": "add-supplier", "success": True, "execution_ms": 200.0},
            timestamp=clock.now_ms() - 40 * DAY_MS,
        )


@pytest.fixture(scope="session")
def serve_endpoint() -> Callable[..., AbstractAsyncContextManager[Endpoint]]:
    """Serve an endpoint as long as an `async with` lasts, for a module's own fixtures."""
    return _endpoint


@pytest.fixture
def endpoint() -> Callable[..., AbstractAsyncContextManager[Endpoint]]:
    """Serve an endpoint as long as an `async with` lasts."""
    return _endpoint


class Shared:
    """An endpoint without events that several tests use, one after the other."""

    def __init__(self, runner: asyncio.Runner, endpoint: Endpoint) -> None:
        self._runner = runner
        self._endpoint = endpoint
        self.url = endpoint.url

    def post(self, **options: Any) -> httpx.Response:
        return self._runner.run(self._endpoint.post(**options))

    def close_code(self, *messages: object) -> int | None:
        return self._runner.run(self._endpoint.close_code(*messages))


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    """Serve an endpoint for a module's tests that leave it as they find it."""
    with asyncio.Runner() as runner:
        served = _endpoint(events=False)
        try:
            yield Shared(runner, runner.run(served.__aenter__()))
        finally:
            runner.run(served.__aexit__(None, None, None))
