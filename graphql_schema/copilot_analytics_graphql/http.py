"""GraphQL over HTTP: POST with JSON; a browser that comes by GET is told how."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from copilot_analytics.typing import Receive, Scope, Send

from .access import Credentials, Gatekeeper
from .errors import RefusedError
from .execution import Executor
from .failures import describe_errors
from .page import page, page_policy
from .requests import read_request

__all__ = ["HTTPEndpoint"]

_JSON = "application/json"
_GRAPHQL_JSON = "application/graphql-response+json"

_BODY_SECONDS = 10.0
"""For the whole body: a client that sends a byte a second may not hold a request open."""

_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


class _HTTPError(Exception):
    """A request that gets no GraphQL answer."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(status, code)
        self.status = status
        self.error = RefusedError(code, message)
        self.headers = headers


class HTTPEndpoint:
    """Answers HTTP requests, never with a traceback.

    Args:
        executor: runs the operations.
        gatekeeper: lets in whom the application knows.
        max_body: the most bytes of a request's body.
    """

    def __init__(self, executor: Executor, gatekeeper: Gatekeeper, *, max_body: int) -> None:
        self._executor = executor
        self._gatekeeper = gatekeeper
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except _HTTPError as exc:
            errors = describe_errors([exc.error], suggest=False)
            response = _json({"errors": errors}, exc.status, request.headers, exc.headers)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD") and "text/html" in _accepted(request.headers):
            return Response(
                page(_address(request.scope, request.headers)),
                media_type="text/html",
                headers={**_HEADERS, "content-security-policy": page_policy(), "vary": "accept"},
            )
        if request.method != "POST":
            raise _HTTPError(
                405,
                "METHOD_NOT_ALLOWED",
                "Queries are taken by POST, as JSON; a browser gets a page that shows how.",
                allow="POST",
            )
        principal = await self._gatekeeper.admit(Credentials(request.scope))
        if principal is None:
            raise _HTTPError(
                401,
                "UNAUTHENTICATED",
                "Nobody is let in without credentials: send Authorization: Bearer <token>.",
                **{"www-authenticate": "Bearer"},
            )
        _check_content(request.headers)
        body = await self._body(request)
        try:
            operation = read_request(body)
        except RefusedError as exc:
            errors = describe_errors([exc], suggest=False)
            return _json({"errors": errors}, 400, request.headers)
        outcome = await self._executor.run(operation, principal)
        # The older media type tells by the status only whether the server could try.
        tells = _media_type(request.headers) == _GRAPHQL_JSON or outcome.status >= 500
        return _json(outcome.body, outcome.status if tells else 200, request.headers)

    async def _body(self, request: Request) -> bytes:
        too_large = _HTTPError(
            413,
            "TOO_LARGE",
            f"A request has at most {self._max_body:,} bytes: send less, or use variables.",
            connection="close",
        )
        announced = request.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > self._max_body:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._max_body:
                        raise too_large
        except TimeoutError:
            raise _HTTPError(
                408,
                "TIMEOUT",
                "The body did not come in time: send it at once.",
                connection="close",
            ) from None
        return bytes(body)


def _check_content(headers: Headers) -> None:
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    # A page of another origin cannot send this type without asking first (CORS), which nobody here
    # allows: this is what makes a request with the user's cookies safe.
    if media_type.strip().lower() != _JSON:
        raise _HTTPError(
            415, "UNSUPPORTED_MEDIA_TYPE", "Send the query as Content-Type: application/json."
        )
    charset = parameters.lower().partition("charset=")[2].strip(' "')
    if charset not in ("", "utf-8", "utf8"):
        raise _HTTPError(415, "UNSUPPORTED_MEDIA_TYPE", "Send the body in UTF-8.")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise _HTTPError(415, "UNSUPPORTED_MEDIA_TYPE", "Send the body without Content-Encoding.")


def _accepted(headers: Headers) -> Sequence[str]:
    listed = ",".join(headers.getlist("accept")).lower().split(",")
    return [entry.partition(";")[0].strip() for entry in listed]


def _media_type(headers: Headers) -> str:
    for media_type in _accepted(headers):
        if media_type in (_JSON, _GRAPHQL_JSON):
            return media_type
    return _JSON


def _address(scope: Scope, headers: Headers) -> str:
    scheme = "https" if scope.get("scheme") == "https" else "http"
    host = headers.get("host") or "localhost"
    # By the specification the path starts with the root path.
    return f"{scheme}://{host}{scope['path']}"


def _json(
    payload: dict[str, Any] | bytes,
    status: int,
    accept: Headers,
    headers: Mapping[str, str] | None = None,
) -> Response:
    return Response(
        payload if isinstance(payload, bytes) else msgspec.json.encode(payload),
        status,
        headers={
            **_HEADERS,
            **(headers or {}),
            "content-type": f"{_media_type(accept)}; charset=utf-8",
        },
    )
