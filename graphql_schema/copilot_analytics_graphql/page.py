"""What a browser gets that opens the endpoint: how to ask, in a page without scripts."""

from __future__ import annotations

import base64
import hashlib
import html

__all__ = ["page", "page_policy"]

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
pre { padding: 1rem; overflow-x: auto; border: 1px solid; border-radius: 6px; font-size: 14px; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>copilot-analytics: GraphQL</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>copilot-analytics</h1>
<p>This is a GraphQL endpoint: it answers <code>POST</code> with JSON, and queries on a WebSocket
(<code>graphql-transport-ws</code>). Every request needs credentials, such as the administrator's
token.</p>
<h2>With curl</h2>
<pre tabindex="0"><code>curl {url} \\
  -H "Authorization: Bearer $COPILOT_ANALYTICS_TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{{"query": "{query}"}}'</code></pre>
<h2>With gql, in Python</h2>
<pre tabindex="0"><code># pip install "gql[aiohttp]"
import os
from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport

token = os.environ["COPILOT_ANALYTICS_TOKEN"]
client = Client(
    transport=AIOHTTPTransport(
        "{url}", headers={{"Authorization": f"Bearer {{token}}"}}
    )
)
print(client.execute(gql("{query}")))</code></pre>
</main>
</body>
</html>
"""

_QUERY = "{ dashboard { summary { executions { value } successRate { value } } } }"


def page(url: str) -> bytes:
    """Return the page, in UTF-8.

    Args:
        url: where the endpoint is, as the browser sees it.
    """
    shown = html.escape(url)
    return _PAGE.format(style=_STYLE, url=shown, query=html.escape(_QUERY)).encode()


def page_policy() -> str:
    """Return the page's Content-Security-Policy: its own style and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
