"""Several endpoints over one `Analytics`: GraphQL, REST and the page, one cache and one limit."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Unpack

from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.typing import ASGIApp

from .app import TIME_LIMIT_SECONDS, EndpointOptions, graphql_app
from .authenticators import any_of
from .dashboard.app import AtMount, DashboardApp, PageOptions
from .dashboard.sessions import Sessions
from .links import ExportLinks
from .rest import shared_rest_routes
from .rest.download import ExportEndpoint
from .shared import Shared
from .source import Source

__all__ = ["analytics_routes", "create_dashboard_app", "dashboard_routes"]

DASHBOARD_PATH = "/copilot-analytics"

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+", re.ASCII)


class _DashboardOptions(EndpointOptions, PageOptions, total=False):
    """What `create_dashboard_app` takes."""


def create_dashboard_app(analytics: Source, **options: Unpack[_DashboardOptions]) -> ASGIApp:
    """Return the page as an ASGI application, to be mounted under any path.

    With Starlette `Mount("/copilot-analytics", create_dashboard_app(…))`, with FastAPI
    `app.mount(…)`; `dashboard_routes` also answers the path without its trailing slash. It brings
    the GraphQL endpoint that it asks; with GraphQL and REST beside it, `analytics_routes` makes all
    share caches and limits. It neither starts nor closes `analytics`.

    Args:
        analytics: answers; not owned.
        options: those of `create_graphql_app`, of which `authenticate` is required: it knows the
            tokens that people sign in with, or whoever the application around has signed in.
            And:

            * `session_key`: signs sessions, at least 32 random bytes: give one, the same
              everywhere, where several processes answer or sessions are to outlive a restart. By
              default a random one.
            * `session_hours`: how long a session lasts, 8 by default; never longer than the token.
            * `secure_cookie`: whether the cookie goes over https only; by default where it was
              made over https. Give True behind a proxy that ends TLS without saying so.
            * `sign_in_codes`: gives out codes that sign somebody in once.
            * `frame_ancestors`: origins whose pages may show it in a frame; none by default.

    Raises:
        ConfigurationError: an option cannot be used.
        MissingDependencyError: the extra `dashboard` is not installed.
    """
    sessions, shared = _signed_in(analytics, options)
    return _dashboard(shared, sessions, options)


def dashboard_routes(
    analytics: Source, *, path: str = DASHBOARD_PATH, **options: Unpack[_DashboardOptions]
) -> list[BaseRoute]:
    """Return the page's routes at `path`, with and without a trailing slash.

    Args:
        analytics: answers; not owned.
        path: where the page is.
        options: see `create_dashboard_app`; `authenticate` is required.

    Raises:
        ConfigurationError: an option cannot be used.
        MissingDependencyError: the extra `dashboard` is not installed.
    """
    return _mounted(create_dashboard_app(analytics, **options), path)


def analytics_routes(
    analytics: Source,
    *,
    path: str = "/graphql",
    prefix: str = "/analytics",
    dashboard: str | None = None,
    **options: Unpack[_DashboardOptions],
) -> list[BaseRoute]:
    """Return the routes of all endpoints: GraphQL at `path`, REST below `prefix`, and the page.

    They hold their answers in one cache and count what a principal asks together, which
    `graphql_routes`, `rest_routes` and `dashboard_routes` side by side do not.

    Args:
        analytics: answers; not owned.
        path: where GraphQL is.
        prefix: where REST is, see `rest_routes`.
        dashboard: where the page is, such as "/copilot-analytics"; None: nowhere.
        options: see `create_dashboard_app`; `authenticate` is required.

    Raises:
        ConfigurationError: an option cannot be used, see `create_graphql_app`.
        MissingDependencyError: there is to be a page, but not the extra `dashboard`.
    """
    links = ExportLinks(f"{prefix}/export", options.get("cursor_key"))
    page: list[BaseRoute] = []
    if dashboard is None:
        shared = Shared.of(analytics, options, links)
    else:
        sessions, shared = _signed_in(analytics, options, links)
        page = _mounted(_dashboard(shared, sessions, options), dashboard)
    app = graphql_app(shared, options)
    rest = shared_rest_routes(
        shared, prefix=prefix, time_limit=options.get("time_limit", TIME_LIMIT_SECONDS)
    )
    return [Route(path, app), WebSocketRoute(path, app), *rest, *page]


def _signed_in(
    analytics: Source, options: _DashboardOptions, links: ExportLinks | None = None
) -> tuple[Sessions, Shared]:
    """Return sessions, and what endpoints share that let in who has one, or else credentials."""
    sessions = Sessions(
        analytics.clock, options.get("session_key"), hours=options.get("session_hours", 8.0)
    )
    authenticate = options.get("authenticate")
    if callable(authenticate):
        options = {**options, "authenticate": any_of(sessions.authenticate, authenticate)}
    return sessions, Shared.of(analytics, options, links)


def _dashboard(shared: Shared, sessions: Sessions, options: _DashboardOptions) -> ASGIApp:
    # Its own links: whatever the mount, and whatever is beside it, a file comes from below it.
    own = replace(shared, links=ExportLinks("/export", options.get("cursor_key")))
    return DashboardApp(
        own,
        sessions,
        graphql=graphql_app(own, options),
        export=ExportEndpoint(own, time_limit=options.get("time_limit", TIME_LIMIT_SECONDS)),
        options=options,
    )


def _mounted(app: ASGIApp, path: str) -> list[BaseRoute]:
    if not _PATH.fullmatch(path):
        raise ConfigurationError("path", path, 'give one such as "/copilot-analytics"')
    return [Route(path, AtMount(app, path)), Mount(path, app)]
