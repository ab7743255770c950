"""The OpenAPI 3.1 document of the API, made of what reads its requests and writes its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from copilot_analytics.typing import Scope

from ..access import Principal
from ..shared import Shared
from .download import EXPORT_PARAMETERS
from .endpoint import Endpoint, read_values
from .operations import OPERATIONS, Operation, Rule
from .parameters import Parameter
from .problems import PROBLEM_JSON, Problem
from .replies import Reply, accepts_gzip

__all__ = ["OpenAPIEndpoint", "openapi_document"]

_TEMPLATE = "#/components/schemas/{name}"

_DESCRIPTION = """\
What happened on a copilot's sockets. Days are in UTC, and both ends of a range are included; \
without dates it is the last 30 days, today included. Rates are in percent, durations in \
milliseconds, instants in milliseconds since 1970; a rate or an average without samples is 0."""

_PROBLEMS: Mapping[int, tuple[str, str, str]] = {
    400: (
        "A parameter cannot be used, or is not known.",
        "BAD_USER_INPUT",
        "limit cannot be '0': give a whole number from 1 to 1000.",
    ),
    401: (
        "Nobody is let in without credentials.",
        "UNAUTHENTICATED",
        "Nobody is let in without credentials: send Authorization: Bearer <token>.",
    ),
    403: (
        "You may not ask this.",
        "FORBIDDEN",
        "Only an admin may ask this; a user may ask for users/{their id}.",
    ),
    404: (
        "Nothing is known of it in these days.",
        "NOT_FOUND",
        "No statistics found for this command from 2025-06-01 to 2025-06-15: ask for other days, "
        "or see commands/popular.",
    ),
    422: (
        "Each parameter can be used, but not together.",
        "BAD_USER_INPUT",
        "range cannot be 2025-06-15..2025-06-01: its start is after its end; swap them.",
    ),
    429: (
        "Too many requests.",
        "RATE_LIMITED",
        "Too many operations: come again in 1 s, and less often.",
    ),
    500: (
        "A failure of ours.",
        "INTERNAL_SERVER_ERROR",
        "Internal error; the server's log has more under reference 9f86d081884c7d65.",
    ),
    501: (
        "The server lacks what makes this format.",
        "NOT_IMPLEMENTED",
        "This server cannot make it: the package 'pyarrow' is not installed: run pip install "
        "'copilot-analytics[parquet]'.",
    ),
    503: (
        "Not now: the store cannot be read, or too much is asked at once.",
        "TIMEOUT",
        "The answer took longer than 10 s: ask for fewer days.",
    ),
}

_FILES: Mapping[str, Mapping[str, Any]] = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["period", "exportDate", "summary", "commands", "errors"],
        }
    },
    "text/csv": {"schema": {"type": "string"}},
    "application/zip": {},
    "application/x-ndjson": {},
    "application/vnd.apache.parquet": {},
}


def openapi_document(server: str) -> dict[str, Any]:
    """Return the document.

    Args:
        server: the path below which the API is, as clients see it.
    """
    documents = [operation.document for operation in OPERATIONS]
    _, components = msgspec.json.schema_components([*documents, Problem], ref_template=_TEMPLATE)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Copilot analytics",
            "version": version("copilot-analytics"),
            "description": _DESCRIPTION,
        },
        "servers": [{"url": server}],
        "security": [{"bearer": []}],
        "paths": {
            **{operation.path: {"get": _operation(operation)} for operation in OPERATIONS},
            "/export": {"get": _export()},
        },
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    statuses = [400, 401, 403, 422, 429, 500, 503]
    if any(parameter.place == "path" for parameter in operation.parameters):
        statuses.append(404)
    whose = "For admins." if operation.rule is Rule.ADMIN else "For admins and the user themselves."
    etag = {
        "ETag": {
            "description": "Where all days of the range are over.",
            "schema": {"type": "string"},
        }
    }
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": whose,
        "parameters": _parameters(operation.parameters),
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": etag,
                "content": {
                    "application/json": {
                        "schema": {"$ref": _TEMPLATE.format(name=operation.document.__name__)},
                        "example": msgspec.to_builtins(operation.example),
                    }
                },
            },
            "304": {
                "description": "It is what If-None-Match names: use what you have.",
                "headers": etag,
            },
            **_problems(statuses),
        },
    }


def _export() -> dict[str, Any]:
    return {
        "operationId": "exportAnalytics",
        "summary": "A file of some days",
        "description": "For admins. It is sent as it is made.",
        "parameters": _parameters(EXPORT_PARAMETERS),
        "responses": {
            "200": {
                "description": "The file.",
                "headers": {
                    "Content-Disposition": {
                        "description": "Its name.",
                        "schema": {"type": "string"},
                        "required": True,
                    }
                },
                "content": _FILES,
            },
            **_problems([400, 401, 403, 422, 429, 500, 501, 503]),
        },
    }


def _parameters(parameters: Iterable[Parameter[Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": parameter.name,
            "in": parameter.place,
            "required": parameter.place == "path",
            "description": parameter.description,
            "schema": parameter.schema,
            "example": parameter.shown,
        }
        for parameter in parameters
    ]


def _problems(statuses: Iterable[int]) -> dict[str, Any]:
    return {str(status): _problem(status) for status in sorted(statuses)}


def _problem(status: int) -> dict[str, Any]:
    description, code, detail = _PROBLEMS[status]
    example = Problem(HTTPStatus(status).phrase, status, detail, code, detail)
    headers = {
        401: {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
        429: {"Retry-After": {"schema": {"type": "integer"}, "required": True}},
    }.get(status)
    return {
        "description": description,
        **({} if headers is None else {"headers": headers}),
        "content": {
            PROBLEM_JSON: {
                "schema": {"$ref": _TEMPLATE.format(name="Problem")},
                "example": msgspec.to_builtins(example),
            }
        },
    }


class OpenAPIEndpoint(Endpoint):
    """Sends the document, to everybody who is let in.

    Args:
        shared: what it shares with the endpoints beside it.
        prefix: where the API is.
    """

    def __init__(self, shared: Shared, prefix: str) -> None:
        super().__init__(shared)
        self._prefix = prefix

    async def _reply(
        self, scope: Scope, headers: Mapping[bytes, bytes], principal: Principal
    ) -> Reply:
        read_values(scope, {})
        return await Reply.of(
            _encoded(scope.get("root_path", "") + self._prefix),
            generation="v1",
            cache_control=b"private, no-cache",
            compressed=accepts_gzip(headers),
        )


@lru_cache(maxsize=8)
def _encoded(server: str) -> bytes:
    return msgspec.json.encode(openapi_document(server))
