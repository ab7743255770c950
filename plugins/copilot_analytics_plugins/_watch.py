"""What is noted about one connection of a `websockets` server."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from copilot_analytics.analytics import Analytics
from copilot_analytics.tracking import ConnectionTracker

__all__ = ["Watch"]

_KEEPALIVE_TIMEOUT = "keepalive ping timeout"
"""The reason that `websockets` closes with when the client no longer answers its pings."""


class Watch:
    """One tracked connection, as its connection class and its handler see it.

    A context manager around the handler, which notes the exception that leaves it.
    """

    __slots__ = ("_guard", "contents", "tracker")

    def __init__(self, analytics: Analytics, tracker: ConnectionTracker) -> None:
        self.tracker = tracker
        self.contents = tracker.contents
        self._guard = analytics.guard

    def received(self, message: str | bytes | None, decode: bool | None) -> None:
        """Look at a message that the handler has received."""
        try:  # `with guard` costs a microsecond
            if message is not None:
                # Whoever does not decode (to save the time) reads text all the same.
                self.tracker.client_frame(_as_text(message) if decode is False else message)
        except Exception as exc:
            self.caught("websockets.recv", exc)

    def sent(self, message: str | bytes | bytearray | memoryview | None, text: bool | None) -> None:
        """Look at a message that was sent."""
        try:
            if message is None:
                return
            if not isinstance(message, str):
                message = bytes(message)
                if text is True:
                    message = _as_text(message)
            self.tracker.server_frame(message)
        except Exception as exc:
            self.caught("websockets.send", exc)

    def closed(self, connection: ServerConnection) -> None:
        """Note that the connection is closed for good."""
        with self._guard("websockets.close"):
            self.tracker.closed(_final_code(connection))

    def caught(self, place: str, exc: Exception) -> None:
        """Take an exception of analytics itself, off the hot path."""
        self._guard.caught(place, exc)
        if self._guard.strict:
            raise exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc, Exception) and not _is_disconnect(exc):
            with self._guard("websockets.handler"):
                self.tracker.failed(exc)


def _as_text(message: str | bytes) -> str | bytes:
    """Return a message as text where it is text; bytes that are none stay as they are."""
    if isinstance(message, str):
        return message
    try:
        return message.decode()
    except UnicodeDecodeError:
        return message


def _final_code(connection: ServerConnection) -> int:
    """Return the close code that both sides ended with.

    What the client sent, as `websockets` has it. A server that fails a connection (1002, 1007,
    1009, …) does not wait for the client's echo; there its own code says more than the 1006 of a
    missing one. But not when it gave up on a client that was gone: that is 1006.
    """
    received = connection.protocol.close_rcvd
    if received is not None:
        return received.code
    sent = connection.protocol.close_sent
    if sent is not None and sent.reason != _KEEPALIVE_TIMEOUT:
        return sent.code
    return CloseCode.ABNORMAL_CLOSURE


def _is_disconnect(exc: BaseException) -> bool:
    """Say whether an exception only tells that the connection is closed."""
    if isinstance(exc, BaseExceptionGroup):
        return all(_is_disconnect(inner) for inner in exc.exceptions)
    return isinstance(exc, (ConnectionClosed, asyncio.CancelledError))
