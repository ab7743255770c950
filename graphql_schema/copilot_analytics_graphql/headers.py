"""What the endpoint reads in a request's headers; memoised, since clients repeat themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from .errors import RefusedError

__all__ = [
    "GRAPHQL_JSON",
    "JSON",
    "announced_length",
    "check_content",
    "headers_of",
    "response_type",
    "wants_page",
]

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"


def headers_of(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """Return a scope's headers by lower-case name; one that is repeated is joined by commas.

    As RFC 9110, 5.3, has it. Of headers that may not be repeated the joined value is none that
    anything here accepts.
    """
    pairs = list(raw)
    headers = dict(pairs)
    if len(headers) < len(pairs):
        headers.clear()
        for name, value in pairs:
            headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def announced_length(headers: Mapping[bytes, bytes]) -> int:
    """Return the body's length as the client announces it; 0 if it does not."""
    text = headers.get(b"content-length", b"")
    return int(text[:20]) if text.isdigit() else 0


def check_content(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a body that is not plain JSON in UTF-8.

    Raises:
        RefusedError: it says so, or says nothing.
    """
    problem = _content_problem(
        headers.get(b"content-type", b""), headers.get(b"content-encoding", b"identity")
    )
    if problem is not None:
        raise RefusedError("UNSUPPORTED_MEDIA_TYPE", problem)


@lru_cache(maxsize=64)
def _content_problem(content_type: bytes, encoding: bytes) -> str | None:
    media_type, _, parameters = content_type.decode("latin-1").lower().partition(";")
    # A page of another origin cannot send this type without asking first (CORS): this is what
    # makes a request with the user's cookies safe.
    if media_type.strip() != JSON:
        return "Send the query as Content-Type: application/json."
    charset = parameters.partition("charset=")[2].strip(' "')
    if charset not in ("", "utf-8", "utf8"):
        return "Send the body in UTF-8."
    if encoding.strip().lower() != b"identity":
        return "Send the body without Content-Encoding."
    return None


def wants_page(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether whoever asks is a browser that would show a page."""
    return "text/html" in _accepted(headers.get(b"accept", b""))


def response_type(headers: Mapping[bytes, bytes]) -> str:
    """Return the media type of the response: the first of ours that the client accepts."""
    return _response_type(headers.get(b"accept", b""))


@lru_cache(maxsize=64)
def _response_type(accept: bytes) -> str:
    for media_type in _accepted(accept):
        if media_type in (JSON, GRAPHQL_JSON):
            return media_type
    return JSON


@lru_cache(maxsize=64)
def _accepted(accept: bytes) -> tuple[str, ...]:
    listed = accept.decode("latin-1").lower().split(",")
    return tuple(entry.partition(";")[0].strip() for entry in listed)
