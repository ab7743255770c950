"""What the page's own paths answer with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from copilot_analytics.typing import Scope, Send

__all__ = ["Headers", "send_json", "send_whole"]

Headers = Sequence[tuple[bytes, bytes]]


async def send_whole(
    scope: Scope, send: Send, status: int, body: bytes, headers: Headers = ()
) -> None:
    """Send a response in one piece; of HEAD its headers only."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-length", str(len(body)).encode()),
                (b"x-content-type-options", b"nosniff"),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def send_json(
    scope: Scope, send: Send, status: int, content: Any, headers: Headers = ()
) -> None:
    """Send JSON that nobody may keep."""
    await send_whole(
        scope,
        send,
        status,
        b"" if content is None else msgspec.json.encode(content),
        [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), *headers],
    )
