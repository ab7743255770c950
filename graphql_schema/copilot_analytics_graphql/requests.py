"""What a client sends, read strictly: anything else is refused with a text that says why."""

from __future__ import annotations

from typing import Any

import msgspec

from .errors import RefusedError

__all__ = ["GraphQLRequest", "read_request", "request_of"]


class GraphQLRequest(msgspec.Struct, frozen=True, rename="camel"):
    """One operation.

    Attributes:
        query: the document's text.
        operation_name: which of its operations; None where there is one.
        variables: their values.
        extensions: for servers that know some; ignored.
    """

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(GraphQLRequest)

_SHAPE = 'send {"query": "…", "variables": {…}, "operationName": "…"}'


def read_request(body: bytes) -> GraphQLRequest:
    """Return the operation of a JSON text.

    Raises:
        RefusedError: it holds none.
    """
    if body.lstrip()[:1] == b"[":
        raise RefusedError("BAD_REQUEST", f"Batches are not taken: {_SHAPE}.")
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as exc:
        raise _malformed(exc) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise RefusedError("BAD_REQUEST", f"The body is no JSON in UTF-8: {_SHAPE}.") from None


def request_of(value: object) -> GraphQLRequest:
    """Return the operation of a value that JSON was decoded to.

    Raises:
        RefusedError: it holds none.
    """
    try:
        return msgspec.convert(value, GraphQLRequest)
    except msgspec.ValidationError as exc:
        raise _malformed(exc) from None


def _malformed(exc: msgspec.ValidationError) -> RefusedError:
    # msgspec names types and places, never values.
    return RefusedError("BAD_REQUEST", f"The request is malformed ({exc}): {_SHAPE}.")
