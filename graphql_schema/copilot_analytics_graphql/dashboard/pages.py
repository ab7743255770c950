"""The HTML that is sent: the page, GraphiQL's, and what stands where there is no page.

Each with the Content-Security-Policy that lets it do what it does, and nothing else: no request to
another host, no script or style that is not a file of ours. GraphiQL's editor makes style elements,
so that its page, and only that, may have such.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from pathlib import Path

from copilot_analytics.errors import ConfigurationError

__all__ = ["Pages"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors {ancestors}"
)

_GRAPHIQL_POLICY = _POLICY.replace(
    "style-src 'self'", "style-src 'self' 'unsafe-inline'; worker-src 'self'"
)

_ANCESTOR = re.compile(r"'self'|https?://[A-Za-z0-9.*:-]+")

_PLAIN = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · copilot-analytics</title>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
{more}
</main>
</body>
</html>
"""

_ELSEWHERE = (
    "<p>Everything else works: GraphQL at <code>{base}/graphql</code>, REST, and "
    "<code>copilot-analytics dashboard</code> in the terminal.</p>"
)

_BASE = '<meta name="copilot-analytics-base" content="" />'


class Pages:
    """Makes the pages of one build.

    Args:
        built: the folder of the build; without a page in it, why there is none is told.
        frame_ancestors: origins whose pages may show it in a frame; none by default.

    Raises:
        ConfigurationError: an ancestor is no origin.
    """

    def __init__(self, built: Path, frame_ancestors: Collection[str] = ()) -> None:
        for ancestor in frame_ancestors:
            if not _ANCESTOR.fullmatch(ancestor):
                raise ConfigurationError(
                    "frame_ancestors",
                    ancestor,
                    'name each origin, as in "https://admin.example.com", or "\'self\'"',
                )
        ancestors = " ".join(frame_ancestors) or "'none'"
        self.policy = _POLICY.format(ancestors=ancestors).encode()
        self.graphiql_policy = _GRAPHIQL_POLICY.format(ancestors=ancestors).encode()
        self._index = _read(built / "index.html")
        self._graphiql = _read(built / "graphiql.html")
        self._reason = _read(built / "reason.txt")

    @property
    def there(self) -> bool:
        """Whether the page was built."""
        return self._index is not None

    def index(self, base: str) -> bytes:
        """Return the page for one mount.

        Args:
            base: the mount's path, without a trailing slash.
        """
        return self._placed(self._index, base)

    def graphiql(self, base: str) -> bytes:
        """Return GraphiQL's page for one mount, see `index`."""
        return self._placed(self._graphiql, base)

    def missing(self, base: str) -> bytes:
        """Return what is told where the page was not built."""
        reason = self._reason or "It is made when copilot-analytics is installed or built."
        more = _ELSEWHERE.format(base=html.escape(base))
        return _plain("The page was not built", reason, more)

    def admins_only(self) -> bytes:
        """Return what a user without the admin role is told by GraphiQL's page."""
        return _plain(
            "GraphiQL is for administrators",
            "Sign in with an administrator's token to explore everything that was recorded.",
        )

    def _placed(self, page: str | None, base: str) -> bytes:
        shown = html.escape(base)
        return (
            (page or "")
            .replace('"./', f'"{shown}/')
            .replace(_BASE, f'<meta name="copilot-analytics-base" content="{shown}" />')
            .encode()
        )


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None


def _plain(title: str, text: str, more: str = "") -> bytes:
    return _PLAIN.format(title=html.escape(title), text=html.escape(text), more=more).encode()
