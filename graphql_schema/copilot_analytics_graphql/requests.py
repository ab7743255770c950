"""What a client sends, read strictly: anything else is refused with a text that says why."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import msgspec

from .errors import RefusedError

__all__ = ["GraphQLRequest", "read_parameters", "read_request", "request_of"]


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

_MAX_PARAMETERS = 16

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


def read_parameters(query_string: bytes) -> GraphQLRequest:
    """Return the operation of a URL's parameters: texts, `variables` and `extensions` in JSON.

    Raises:
        RefusedError: they hold none.
    """
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
        if len(dict(pairs)) < len(pairs):
            raise RefusedError("BAD_REQUEST", "Give each parameter of the URL once.")
        # A parameter without a value is one that is not given.
        found: dict[str, Any] = {name: value for name, value in pairs if value}
        for name in ("variables", "extensions"):
            if name in found:
                found[name] = msgspec.json.decode(found[name])
        return request_of(found)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise RefusedError(
            "BAD_REQUEST",
            "The URL's parameters cannot be read: send ?query=…&variables={…}&operationName=…, "
            "percent-encoded, variables as JSON.",
        ) from None


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
