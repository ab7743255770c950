"""The GraphQL endpoint and the REST API: routes for Starlette and FastAPI.

`graphql_routes(analytics, authenticate=…)`, `rest_routes(…)`, or both with `analytics_routes(…)`.
"""

from __future__ import annotations

from copilot_analytics.errors import MissingDependencyError

try:
    from .access import Authenticate, Credentials, Principal, Role
    from .allow_list import AllowList
    from .app import analytics_routes, create_graphql_app, graphql_routes
    from .authenticators import any_of, request_user, static_token
    from .limits import Limits
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
    "TokenFile",
    "analytics_routes",
    "any_of",
    "build_schema",
    "create_graphql_app",
    "graphql_routes",
    "request_user",
    "rest_routes",
    "static_token",
]
