"""Which sockets are tracked: path patterns, and the GraphQL protocols that never are."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from copilot_analytics.errors import ConfigurationError

__all__ = ["SocketSelection"]

GRAPHQL_SUBPROTOCOLS = frozenset({"graphql-transport-ws", "graphql-ws"})
"""Sockets that offer one of these carry an API, most likely our own, and no copilot."""


class SocketSelection:
    """Says which sockets are tracked.

    Patterns are shell-style and match the whole path, with case: `*` stands for anything, slashes
    included, `?` for one character, `[...]` for one of a set.

    Args:
        include: only paths that match one of these; empty means every path.
        exclude: never paths that match one of these, whatever `include` says.

    Raises:
        ConfigurationError: a single string was given instead of a collection, or a pattern is no
            string.
    """

    __slots__ = ("_exclude", "_include")

    def __init__(self, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> None:
        self._include = _compiled("include", include)
        self._exclude = _compiled("exclude", exclude)

    def wants(self, path: str, subprotocols: Iterable[str] = ()) -> bool:
        """Say whether a socket at this path, offering these sub-protocols, is to be tracked."""
        if not GRAPHQL_SUBPROTOCOLS.isdisjoint(subprotocols):
            return False
        if self._exclude is not None and self._exclude.match(path):
            return False
        return self._include is None or self._include.match(path) is not None


def _compiled(setting: str, patterns: Iterable[str]) -> re.Pattern[str] | None:
    if isinstance(patterns, str):
        raise ConfigurationError(setting, patterns, f"pass a tuple of patterns, ({patterns!r},)")
    patterns = tuple(patterns)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise ConfigurationError(setting, pattern, 'a pattern is a string such as "/ws/*"')
    if not patterns:
        return None
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))
