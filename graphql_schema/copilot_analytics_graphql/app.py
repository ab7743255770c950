"""The endpoint as an ASGI application, and as routes for Starlette and FastAPI."""

from __future__ import annotations

from collections.abc import Collection
from typing import Required, TypedDict, Unpack

from starlette.routing import BaseRoute, Route, WebSocketRoute

from copilot_analytics.typing import SCOPE_KEY, ASGIApp, Receive, Scope, Send

from .access import Authenticate, Gatekeeper
from .allow_list import AllowList
from .cursors import Cursors
from .execution import Executor
from .http import HTTPEndpoint
from .limits import Limits
from .origins import Origins
from .rates import RateLimit
from .source import Source
from .websocket import WebSocketEndpoint

__all__ = ["create_graphql_app", "graphql_routes"]

MAX_REQUEST_BYTES = 64 * 1024
"""The dashboard's own operation has 3 KB."""


_RATE_LIMIT = RateLimit()


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
    allow_credentials: bool = False,
    rate_limit: RateLimit | None = _RATE_LIMIT,
    operations: AllowList | None = None,
    open_introspection: bool = False,
    limits: Limits | None = None,
    time_limit: float = 10.0,
    cursor_key: str | None = None,
) -> ASGIApp:
    """Return the endpoint as an ASGI application that answers on any path.

    It neither starts nor closes `analytics`.

    Args:
        analytics: answers; not owned.
        authenticate: tells who a client is; see `access.py`. There is no default.
        allowed_origins: origins besides our own whose pages may ask (CORS) and open a WebSocket,
            such as "https://admin.example.com".
        allow_credentials: whether browsers may send their cookies with what these pages ask over
            HTTP; with a WebSocket they always do.
        rate_limit: how often a principal may ask, and a client come without good credentials;
            None: as often as they like.
        operations: the only operations that others than admins may run; None: any.
        open_introspection: whether others than admins may ask for the schema, too.
        limits: what one operation may cost.
        time_limit: how long one operation may take, in seconds.
        cursor_key: signs the cursors of lists, at least 32 bytes: give one, the same everywhere,
            where several processes answer. By default a random one, good for this process only.

    Raises:
        ConfigurationError: `authenticate` is no authenticator, an origin is none, or `cursor_key`
            is too short.
    """
    gatekeeper = Gatekeeper(authenticate, analytics.clock, rate_limit)
    origins = Origins(allowed_origins, credentials=allow_credentials)
    executor = Executor(
        analytics,
        limits=limits or Limits(),
        time_limit=time_limit,
        cursors=Cursors(cursor_key),
        operations=operations,
        open_introspection=open_introspection,
    )
    return _Endpoint(
        HTTPEndpoint(executor, gatekeeper, max_body=MAX_REQUEST_BYTES, origins=origins),
        WebSocketEndpoint(executor, gatekeeper, max_message=MAX_REQUEST_BYTES, origins=origins),
    )


class _Options(TypedDict, total=False):
    """What `create_graphql_app` takes, for those that hand it on."""

    authenticate: Required[Authenticate]
    allowed_origins: Collection[str]
    allow_credentials: bool
    rate_limit: RateLimit | None
    operations: AllowList | None
    open_introspection: bool
    limits: Limits | None
    time_limit: float
    cursor_key: str | None


def graphql_routes(
    analytics: Source, *, path: str = "/graphql", **options: Unpack[_Options]
) -> list[BaseRoute]:
    """Return the endpoint's routes, HTTP and WebSocket at exactly `path`.

    For Starlette `Starlette(routes=[*graphql_routes(…)])`, for FastAPI
    `app.router.routes.extend(graphql_routes(…))`. A `Mount` would redirect POST and refuse the
    WebSocket.

    Args:
        analytics: answers; not owned.
        path: where the endpoint is.
        options: see `create_graphql_app`; `authenticate` is required.

    Raises:
        ConfigurationError: an option cannot be used, see `create_graphql_app`.
    """
    app = create_graphql_app(analytics, **options)
    return [Route(path, app), WebSocketRoute(path, app)]
