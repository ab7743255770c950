"""The API's routes for Starlette and FastAPI."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Unpack

from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import BaseRoute, Route

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.typing import ASGIApp

from ..shared import AccessOptions, Shared
from ..source import Source
from .download import ExportEndpoint
from .endpoint import OperationEndpoint, Replies
from .openapi import OpenAPIEndpoint
from .operations import OPERATIONS

__all__ = ["ALIAS_PREFIX", "rest_routes", "shared_rest_routes"]

PREFIX = "/analytics"

ALIAS_PREFIX = "/api/copilot/analytics"
"""Where the original's own page asks."""

_TIME_LIMIT_SECONDS = 10.0


class _NameConvertor(Convertor[str]):
    """The rest of a path, whatever it holds: Starlette's own `path` ends at a line break."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("copilot_analytics_name", _NameConvertor())


class _Options(AccessOptions, total=False):
    """What `rest_routes` takes besides."""

    time_limit: float


def rest_routes(
    analytics: Source, *, prefix: str = PREFIX, **options: Unpack[_Options]
) -> list[BaseRoute]:
    """Return the routes of the REST API, below `prefix` and below `/api/copilot/analytics`.

    For Starlette `Starlette(routes=[*rest_routes(…)])`, for FastAPI
    `app.router.routes.extend(rest_routes(…))`. With GraphQL beside it, `analytics_routes` makes
    both share caches and limits.

    Args:
        analytics: answers; not owned.
        prefix: where the API is, such as "/analytics".
        options: `authenticate` (required), `allowed_origins`, `allow_credentials`, `rate_limit`
            and `time_limit`, see `create_graphql_app`.

    Raises:
        ConfigurationError: an option cannot be used.
    """
    shared = Shared.of(analytics, options)
    return shared_rest_routes(
        shared, prefix=prefix, time_limit=options.get("time_limit", _TIME_LIMIT_SECONDS)
    )


def shared_rest_routes(
    shared: Shared, *, prefix: str = PREFIX, time_limit: float = _TIME_LIMIT_SECONDS
) -> list[BaseRoute]:
    """Return the routes of the API over what it shares with other endpoints; see `rest_routes`."""
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", prefix, re.ASCII):
        raise ConfigurationError("prefix", prefix, 'give a path such as "/analytics"')
    replies = Replies(shared.source.clock)
    endpoints: dict[str, ASGIApp] = {
        operation.path: OperationEndpoint(operation, shared, replies, time_limit=time_limit)
        for operation in OPERATIONS
    }
    endpoints["/export"] = ExportEndpoint(shared, time_limit=time_limit)
    return [
        route
        for each in dict.fromkeys((prefix, ALIAS_PREFIX))
        for route in _below(each, {**endpoints, "/openapi.json": OpenAPIEndpoint(shared, each)})
    ]


def _below(prefix: str, endpoints: dict[str, ASGIApp]) -> Iterable[BaseRoute]:
    for path, endpoint in endpoints.items():
        yield Route(prefix + path.replace("}", ":copilot_analytics_name}"), endpoint)
