"""GraphQL's endpoint as an ASGI application, and as routes for Starlette and FastAPI."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypedDict, Unpack

from starlette.routing import BaseRoute, Route, WebSocketRoute

from copilot_analytics.typing import SCOPE_KEY, ASGIApp, Receive, Scope, Send

from .access import Authenticate
from .allow_list import AllowList
from .cursors import Cursors
from .execution import Executor
from .http import HTTPEndpoint
from .limits import Limits
from .rates import RateLimit
from .shared import AccessOptions, Shared
from .source import Source
from .websocket import WebSocketEndpoint

__all__ = [
    "TIME_LIMIT_SECONDS",
    "EndpointOptions",
    "create_graphql_app",
    "graphql_app",
    "graphql_routes",
]

MAX_REQUEST_BYTES = 64 * 1024
"""The dashboard's own operation has 3 KB."""

_RATE_LIMIT = RateLimit()

TIME_LIMIT_SECONDS = 10.0


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
    cache_url: str | None = None,
    operations: AllowList | None = None,
    open_introspection: bool = False,
    limits: Limits | None = None,
    time_limit: float = TIME_LIMIT_SECONDS,
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
        cache_url: a Redis through which processes over one store share answers, such as
            "redis://localhost:6379/0"; by default the setting `cache_url`, else none.
        operations: the only operations that others than admins may run; None: any.
        open_introspection: whether others than admins may ask for the schema, too.
        limits: what one operation may cost.
        time_limit: how long one operation may take, in seconds.
        cursor_key: signs the cursors of lists and links to exports, at least 32 bytes: give one,
            the same everywhere, where several processes answer. By default a random one, good for
            this process only.

    Raises:
        ConfigurationError: `authenticate` is no authenticator, an origin is none, `cache_url` is no
            URL of a Redis, or `cursor_key` is too short.
        MissingDependencyError: there is a `cache_url`, but not the package redis.
    """
    options = EndpointOptions(
        authenticate=authenticate,
        allowed_origins=allowed_origins,
        allow_credentials=allow_credentials,
        rate_limit=rate_limit,
        cache_url=cache_url,
        operations=operations,
        open_introspection=open_introspection,
        limits=limits,
        time_limit=time_limit,
        cursor_key=cursor_key,
    )
    return graphql_app(Shared.of(analytics, options), options)


class _GraphQLOptions(TypedDict, total=False):
    """What GraphQL takes besides, for those that hand it on."""

    operations: AllowList | None
    open_introspection: bool
    limits: Limits | None
    time_limit: float
    cursor_key: str | None


class EndpointOptions(AccessOptions, _GraphQLOptions, total=False):
    """What `create_graphql_app` takes, likewise."""


def graphql_app(shared: Shared, options: _GraphQLOptions) -> ASGIApp:
    """Return the endpoint over what it shares with others beside it; see `create_graphql_app`."""
    executor = Executor(
        shared.source,
        limits=options.get("limits") or Limits(),
        time_limit=options.get("time_limit", TIME_LIMIT_SECONDS),
        cursors=Cursors(options.get("cursor_key")),
        answers=shared.answers,
        links=shared.links,
        operations=options.get("operations"),
        open_introspection=options.get("open_introspection", False),
    )
    gatekeeper, origins = shared.gatekeeper, shared.origins
    return _Endpoint(
        HTTPEndpoint(executor, gatekeeper, max_body=MAX_REQUEST_BYTES, origins=origins),
        WebSocketEndpoint(executor, gatekeeper, max_message=MAX_REQUEST_BYTES, origins=origins),
    )


def graphql_routes(
    analytics: Source, *, path: str = "/graphql", **options: Unpack[EndpointOptions]
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
