"""GraphQL over HTTP: POST with JSON, queries also by GET; a browser is shown how.

A plain ASGI application without a request or response object: a dashboard that is polled by a
hundred tabs costs little more than its bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from copilot_analytics.typing import Message, Receive, Scope, Send

from .access import Credentials, Gatekeeper
from .errors import RefusedError
from .execution import Executor
from .failures import describe_errors
from .headers import (
    GRAPHQL_JSON,
    announced_length,
    check_content,
    headers_of,
    response_type,
    wants_page,
)
from .origins import Origins
from .page import page, page_policy
from .patience import Patience
from .rates import TooOftenError
from .requests import read_parameters, read_request

__all__ = ["HTTPEndpoint"]

_BODY_SECONDS = 10.0
"""For the whole body: a client that sends a byte a second may not hold a request open."""

_MAX_DISCARDED = 4 * 1024 * 1024
"""Of a body that is too large: a connection closed on a sender is reset, with the answer in it."""

_Headers = Sequence[tuple[bytes, bytes]]

_HEADERS: _Headers = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


class _HTTPError(Exception):
    """A request that gets no GraphQL answer."""

    def __init__(self, status: int, error: RefusedError, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(status, error.message)
        self.status = status
        self.error = error
        self.headers = headers


class _DisconnectedError(Exception):
    """The client has gone before it had sent its request."""


class HTTPEndpoint:
    """Answers HTTP requests, never with a traceback.

    Args:
        executor: runs the operations.
        gatekeeper: lets in whom the application knows.
        max_body: the most bytes of a request's body.
        origins: whose pages may ask.
    """

    def __init__(
        self, executor: Executor, gatekeeper: Gatekeeper, *, max_body: int, origins: Origins
    ) -> None:
        self._executor = executor
        self._origins = origins
        self._gatekeeper = gatekeeper
        self._max_body = max_body
        self._patience = Patience(_BODY_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = headers_of(scope["headers"])
        method = scope["method"]
        if method in ("GET", "HEAD") and wants_page(headers):
            await _send_page(scope, headers, send)
            return
        if method == "OPTIONS":
            allowed = self._origins.preflight_headers(headers)
            if allowed:
                await send({"type": "http.response.start", "status": 204, "headers": allowed})
                await send({"type": "http.response.body"})
                return
        media_type = response_type(headers)
        more = self._origins.response_headers(headers)
        try:
            status, body = await self._answer(scope, receive, headers, media_type)
        except _HTTPError as exc:
            status, more = exc.status, (*exc.headers, *more)
            body = _refusal(exc.error)
        except TooOftenError as exc:
            status, more = 429, ((b"retry-after", str(exc.retry_after).encode()), *more)
            body = _refusal(exc)
        except _DisconnectedError:
            return
        fields = _json_headers(media_type, len(body))
        if more:
            fields = (*fields, *more)
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})

    async def _answer(
        self, scope: Scope, receive: Receive, headers: Mapping[bytes, bytes], media_type: str
    ) -> tuple[int, bytes]:
        posted = scope["method"] == "POST"
        if not posted and not (scope["method"] == "GET" and scope.get("query_string")):
            raise _HTTPError(
                405,
                RefusedError(
                    "METHOD_NOT_ALLOWED",
                    "Operations are taken by POST, as JSON, queries also by GET with ?query=…; a "
                    "browser gets a page that shows how.",
                ),
                (b"allow", b"GET, POST"),
            )
        if not posted and not self._origins.welcomes_get(headers):
            raise _HTTPError(
                403, RefusedError("FORBIDDEN", "Pages of other origins may not ask by GET.")
            )
        principal = await self._gatekeeper.admit(Credentials(scope))
        if principal is None:
            raise _HTTPError(
                401,
                RefusedError(
                    "UNAUTHENTICATED",
                    "Nobody is let in without credentials: send Authorization: Bearer <token>.",
                ),
                (b"www-authenticate", b"Bearer"),
            )
        self._gatekeeper.charge(principal)
        try:
            if posted:
                check_content(headers)
                operation = read_request(await self._body(receive, headers))
            else:
                operation = read_parameters(scope["query_string"])
        except RefusedError as exc:
            unsupported = (exc.extensions or {}).get("code") == "UNSUPPORTED_MEDIA_TYPE"
            return 415 if unsupported else 400, _refusal(exc)
        outcome = await self._executor.run(operation, principal, may_change=posted)
        # The older media type tells by the status only whether the server could try.
        tells = media_type == GRAPHQL_JSON or not (outcome.ran or outcome.status in (400, 403))
        return outcome.status if tells else 200, outcome.body

    async def _body(self, receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
        if announced_length(headers) > self._max_body:
            await self._discard(receive)
            raise self._too_large()
        try:
            with self._patience.wait():
                message = await _next(receive)
                body: bytes = message.get("body", b"")
                if message.get("more_body", False):
                    body = await self._rest(bytearray(body), receive)
        except TimeoutError:
            raise _HTTPError(
                408,
                RefusedError("TIMEOUT", "The body did not come in time: send it at once."),
                (b"connection", b"close"),
            ) from None
        if len(body) > self._max_body:
            raise self._too_large()
        return body

    async def _rest(self, body: bytearray, receive: Receive) -> bytes:
        more = True
        while more and len(body) <= self._max_body:
            message = await _next(receive)
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body)

    async def _discard(self, receive: Receive) -> None:
        """Read what a client is sending that would not hear the answer otherwise, within bounds."""
        discarded, more = 0, True
        with contextlib.suppress(TimeoutError), self._patience.wait():
            while more and discarded < _MAX_DISCARDED:
                message = await _next(receive)
                discarded += len(message.get("body", b""))
                more = message.get("more_body", False)

    def _too_large(self) -> _HTTPError:
        return _HTTPError(
            413,
            RefusedError(
                "TOO_LARGE",
                f"A request has at most {self._max_body:,} bytes: send less, or use variables.",
            ),
            (b"connection", b"close"),
        )


async def _next(receive: Receive) -> Message:
    message = await receive()
    if message["type"] != "http.request":
        raise _DisconnectedError
    return message


def _refusal(error: RefusedError) -> bytes:
    errors: Sequence[Mapping[str, Any]] = describe_errors([error], suggest=False)
    return msgspec.json.encode({"errors": errors})


@lru_cache(maxsize=256)
def _json_headers(media_type: str, length: int) -> _Headers:
    return (
        *_HEADERS,
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"content-length", str(length).encode()),
    )


async def _send_page(scope: Scope, headers: Mapping[bytes, bytes], send: Send) -> None:
    body = page(_address(scope, headers))
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                *_HEADERS,
                (b"content-type", b"text/html; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                (b"content-security-policy", page_policy().encode()),
                (b"vary", b"accept"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _address(scope: Scope, headers: Mapping[bytes, bytes]) -> str:
    scheme = "https" if scope.get("scheme") == "https" else "http"
    host = headers.get(b"host", b"").decode("latin-1") or "localhost"
    # By the specification the path starts with the root path.
    return f"{scheme}://{host}{scope['path']}"
