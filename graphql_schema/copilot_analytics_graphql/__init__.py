"""The GraphQL endpoint, the REST API and the page: routes for Starlette and FastAPI.

`graphql_routes(analytics, authenticate=…)`, `rest_routes(…)`, `dashboard_routes(…)`, or all with
`analytics_routes(…)`.
"""

from __future__ import annotations

from copilot_analytics.errors import MissingDependencyError

try:
    from .access import Authenticate, Credentials, Principal, Role
    from .allow_list import AllowList
    from .app import create_graphql_app, graphql_routes
    from .authenticators import any_of, request_user, static_token
    from .dashboard.codes import SignInCodes
    from .limits import Limits
    from .mounting import analytics_routes, create_dashboard_app, dashboard_routes
    from .rates import RateLimit
    from .rest import rest_routes
    from .schema import build_schema
    from .tokens import TokenFile
except ModuleNotFoundError as error:
    package = (error.name or "strawberry").partition(".")[0]
    raise MissingDependencyError(package, "graphql") from error

__all__ = [
    "AllowList",
    "Authenticate",
    "Credentials",
    "Limits",
    "Principal",
    "RateLimit",
    "Role",
    "SignInCodes",
    "TokenFile",
    "analytics_routes",
    "any_of",
    "build_schema",
    "create_dashboard_app",
    "create_graphql_app",
    "dashboard_routes",
    "graphql_routes",
    "request_user",
    "rest_routes",
    "static_token",
]
