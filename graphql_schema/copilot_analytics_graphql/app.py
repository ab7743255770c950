"""The endpoint as an ASGI application, and as routes for Starlette and FastAPI."""

from __future__ import annotations

from collections.abc import Collection

from starlette.routing import BaseRoute, Route, WebSocketRoute

from copilot_analytics.typing import SCOPE_KEY, ASGIApp, Receive, Scope, Send

from .access import Authenticate, Gatekeeper
from .cursors import Cursors
from .execution import Executor
from .http import HTTPEndpoint
from .limits import Limits
from .source import Source
from .websocket import WebSocketEndpoint

__all__ = ["create_graphql_app", "graphql_routes"]

MAX_REQUEST_BYTES = 64 * 1024
"""The dashboard's own operation has 3 KB."""


class _Endpoint:
    """Sends each connection to the endpoint of its protocol."""

    def __init__(self, http: HTTPEndpoint, websocket: WebSocketEndpoint) -> None:
        self._http = http
        self._websocket = websocket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            scope.setdefault(SCOPE_KEY, {})["ignore"] = True  # it is no copilot's
            await self._websocket(scope, receive, send)
        else:
            raise RuntimeError(f"the GraphQL endpoint has no {scope['type']}: mount it in an app")


def create_graphql_app(
    analytics: Source,
    *,
    authenticate: Authenticate,
    allowed_origins: Collection[str] = (),
    limits: Limits | None = None,
    time_limit: float = 10.0,
    cursor_key: str | None = None,
) -> ASGIApp:
    """Return the endpoint as an ASGI application that answers on any path.

    It neither starts nor closes `analytics`.

    Args:
        analytics: answers; not owned.
        authenticate: tells who a client is; see `access.py`. There is no default.
        allowed_origins: origins besides our own whose pages may open a WebSocket, such as
            "https://admin.example.com".
        limits: what one operation may cost.
        time_limit: how long one operation may take, in seconds.
        cursor_key: signs the cursors of lists, at least 32 bytes: give one, the same everywhere,
            where several processes answer. By default a random one, good for this process only.

    Raises:
        ConfigurationError: `authenticate` is no authenticator, or `cursor_key` is too short.
    """
    gatekeeper = Gatekeeper(authenticate, analytics.clock)
    executor = Executor(
        analytics,
        limits=limits or Limits(),
        time_limit=time_limit,
        cursors=Cursors(cursor_key),
    )
    return _Endpoint(
        HTTPEndpoint(executor, gatekeeper, max_body=MAX_REQUEST_BYTES),
        WebSocketEndpoint(
            executor,
            gatekeeper,
            max_message=MAX_REQUEST_BYTES,
            allowed_origins=frozenset(allowed_origins),
        ),
    )


def graphql_routes(
    analytics: Source,
    *,
    path: str = "/graphql",
    authenticate: Authenticate,
    allowed_origins: Collection[str] = (),
    limits: Limits | None = None,
    time_limit: float = 10.0,
    cursor_key: str | None = None,
) -> list[BaseRoute]:
    """Return the endpoint's routes, HTTP and WebSocket at exactly `path`.

    For Starlette `Starlette(routes=[*graphql_routes(…)])`, for FastAPI
    `app.router.routes.extend(graphql_routes(…))`. A `Mount` would redirect POST and refuse the
    WebSocket.

    Args:
        analytics: answers; not owned.
        path: where the endpoint is.
        authenticate: tells who a client is; see `access.py`. There is no default.
        allowed_origins: see `create_graphql_app`, as the rest.
        limits: what one operation may cost.
        time_limit: how long one operation may take, in seconds.
        cursor_key: signs the cursors of lists.

    Raises:
        ConfigurationError: `authenticate` is no authenticator, or `cursor_key` is too short.
    """
    app = create_graphql_app(
        analytics,
        authenticate=authenticate,
        allowed_origins=allowed_origins,
        limits=limits,
        time_limit=time_limit,
        cursor_key=cursor_key,
    )
    return [Route(path, app), WebSocketRoute(path, app)]
