"""Type aliases and the protocols of what users hand in: ASGI, clocks, identity."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Protocol

__all__ = [
    "SCOPE_KEY",
    "ASGIApp",
    "Clock",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "SystemClock",
]

# Read several times a turn on the host's event loop, where a global costs less than an attribute.
_time: Final = time.time
_perf_counter: Final = time.perf_counter

Scope = MutableMapping[str, Any]
"""An ASGI connection scope."""

Message = MutableMapping[str, Any]
"""An ASGI message."""

Receive = Callable[[], Awaitable[Message]]
"""Awaits the next ASGI message from the client."""

Send = Callable[[Message], Awaitable[None]]
"""Sends an ASGI message to the client."""

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI 3 application."""

SCOPE_KEY = "copilot_analytics"
"""A tracked socket's scope carries a dict under this key.

It keeps a second middleware from tracking the socket again. An application that speaks no copilot
protocol leaves the socket out by setting `scope["copilot_analytics"]["ignore"] = True` before it
accepts.
"""


class Clock(Protocol):
    """Where times come from; tests and the demo's back-dated month bring their own."""

    def now_ms(self) -> int:
        """Return the wall time in epoch milliseconds, UTC."""
        ...

    def monotonic_ms(self) -> float:
        """Return a time in milliseconds that never goes back; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clocks."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Return the wall time in epoch milliseconds, UTC."""
        return int(_time() * 1000.0)

    def monotonic_ms(self) -> float:
        """Return `time.perf_counter` in milliseconds."""
        return _perf_counter() * 1000.0
