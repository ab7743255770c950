"""The GraphQL endpoint: `graphql_routes(analytics, authenticate=…)` for Starlette and FastAPI."""

from __future__ import annotations

from .access import Authenticate, Credentials, Principal, request_user, static_token
from .app import create_graphql_app, graphql_routes
from .limits import Limits
from .schema import build_schema

__all__ = [
    "Authenticate",
    "Credentials",
    "Limits",
    "Principal",
    "build_schema",
    "create_graphql_app",
    "graphql_routes",
    "request_user",
    "static_token",
]
