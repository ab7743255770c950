"""Who is on the other end of a socket, where the application does not say so itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["header_value", "query_value", "signed_in_user"]


def signed_in_user(scope: Mapping[str, Any]) -> str | None:
    """Return the id of `scope["user"]`, as an authentication middleware leaves it there.

    Starlette's interface: `is_authenticated`, then `identity`; users that have no identity
    (Starlette's own `SimpleUser` raises there) give their `display_name`.
    """
    user = scope.get("user")
    if user is None or not getattr(user, "is_authenticated", False):
        return None
    try:
        identity = getattr(user, "identity", None)
    except NotImplementedError:
        identity = None
    if not identity:
        identity = getattr(user, "display_name", None)
    return str(identity) if identity else None


def header_value(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    """Return the first non-empty value of a header of an ASGI scope, by its name in any case."""
    wanted = name.lower().encode("latin-1")
    for key, value in headers:
        if key.lower() == wanted and value:
            return value.decode("latin-1").strip() or None
    return None


def query_value(query: str, name: str) -> str | None:
    """Return the first non-empty value of a query parameter, decoded."""
    for key, value in parse_qsl(query):
        if key == name:
            return value
    return None
