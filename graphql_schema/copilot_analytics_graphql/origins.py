"""Which pages of other origins may ask: none, but for those that are listed.

For HTTP this is CORS: a browser asks before it lets a page of another origin send JSON, and shows
the page only answers that allow it. For WebSockets, which browsers open without asking, it is a
check of the handshake's `Origin`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

from copilot_analytics.errors import ConfigurationError

__all__ = ["Origins"]

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@*,]+", re.ASCII)
_PREFLIGHT_SECONDS = 600

_Headers = Sequence[tuple[bytes, bytes]]


class Origins:
    """The origins whose pages may ask.

    Args:
        allowed: origins besides our own, such as "https://admin.example.com".
        credentials: whether browsers may send cookies with such a page's requests, and show it
            the answers; not needed for tokens that the page itself holds.

    Raises:
        ConfigurationError: one is no origin, or stands for any.
    """

    def __init__(self, allowed: Collection[str] = (), *, credentials: bool = False) -> None:
        if isinstance(allowed, str):
            raise ConfigurationError("allowed_origins", allowed, "give a list of them")
        for origin in allowed:
            if not _ORIGIN.fullmatch(origin):
                raise ConfigurationError(
                    "allowed_origins",
                    origin,
                    'name each origin in lower case and without a path, as in "https://example.com"',
                )
        self._allowed = frozenset(origin.encode() for origin in allowed)
        self._granted: _Headers = (
            (b"access-control-expose-headers", b"content-disposition, etag, retry-after"),
            *([(b"access-control-allow-credentials", b"true")] if credentials else ()),
        )

    def welcomes(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether a socket may be opened: by no page, one of our own, or one that is listed.

        Args:
            headers: the handshake's, by lower-case name.
        """
        origin = headers.get(b"origin")
        if origin is None or origin in self._allowed:
            return True
        try:
            return urlsplit(origin).netloc.lower() == headers.get(b"host", b"").lower()
        except ValueError:
            return False

    def welcomes_get(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether a GET may be answered: any but one that a page elsewhere has made.

        Such a page could not read the answer, but have its visitors' cookies ask for it.
        """
        site = headers.get(b"sec-fetch-site", b"none")
        return site in (b"none", b"same-origin") or headers.get(b"origin") in self._allowed

    def response_headers(self, headers: Mapping[bytes, bytes]) -> _Headers:
        """Return what lets a listed page see the response to a request; empty without any list."""
        if not self._allowed:
            return ()
        origin = headers.get(b"origin")
        vary = (b"vary", b"origin")
        if origin is None or origin not in self._allowed:
            return (vary,)
        return (vary, (b"access-control-allow-origin", origin), *self._granted)

    def preflight_headers(self, headers: Mapping[bytes, bytes]) -> _Headers:
        """Return what answers a browser that asks before it sends a page's request; empty: no."""
        origin = headers.get(b"origin")
        asked = headers.get(b"access-control-request-method")
        if origin not in self._allowed or asked not in (b"GET", b"POST"):
            return ()
        return (
            *self.response_headers(headers),
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", b"authorization, content-type"),
            (b"access-control-max-age", str(_PREFLIGHT_SECONDS).encode()),
        )
