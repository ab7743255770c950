"""The plugin for Starlette, FastAPI and every other ASGI application.

Two lines add it:

    analytics = Analytics("sqlite:///copilot-analytics.db")
    app.add_middleware(AnalyticsMiddleware, analytics=analytics)

or, without a framework, `app = AnalyticsMiddleware(app, analytics)`. Nothing of Starlette is
imported here. What a client of the application sees (bytes, order, close codes, back-pressure) and
what the application sees (messages, exceptions, cancellation) is the same with and without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Self, cast

from copilot_analytics.analytics import Analytics
from copilot_analytics.current import bind
from copilot_analytics.protocols import FrameAdapter, adapter_named
from copilot_analytics.tracking import ConnectionTracker
from copilot_analytics.typing import SCOPE_KEY, ASGIApp, Message, Receive, Scope, Send

from ._identity import header_value, query_value, signed_in_user
from ._selection import SocketSelection

__all__ = ["AnalyticsMiddleware"]

_NO_STATUS = 1005
"""The close code of a disconnect that names none (RFC 6455, 7.4.1)."""

_NO_CLOSE_FRAME = 1006
"""The close code of a lost connection.

Also recorded when the application ends and nobody has closed the socket.
"""

_INTERNAL_ERROR = 1011
"""The close code recorded when the application raises.

What then goes over the wire is the server's choice (uvicorn drops the TCP connection, so that the
client sees 1006; others close with 1011): one value makes the servers comparable.
"""

_DISCONNECTS = frozenset({"ClientDisconnected", "WebSocketDisconnect"})
"""Exceptions that say that the client has gone: uvicorn's from `send`, Starlette's and Litestar's.

By name, because importing them would be importing the frameworks.
"""


class AnalyticsMiddleware:
    """ASGI middleware that sees what happens on the application's WebSockets.

    HTTP passes through untouched. The lifespan passes through, too; the recorder is started when
    the application has started, and drained and closed (within its time-out) when the application
    has shut down. Servers and applications without lifespan work as well: the recorder starts with
    the first event.

    Never tracked are sockets that offer a GraphQL sub-protocol, and those whose application sets
    `scope["copilot_analytics"]["ignore"] = True` before it accepts, as our own do. None is tracked
    twice when middlewares are nested. With analytics switched off (`COPILOT_ANALYTICS_ENABLED=0`),
    constructing it returns `app` itself.

    Args:
        app: the application; it is called exactly as the server would.
        analytics: where the events go. The lifespan's end closes it.
        adapter: the wire protocol of the sockets, as an adapter or its name; the configured one by
            default.
        identify: returns the user's id from the ASGI scope, or None for nobody. Synchronous; called
            once a socket, right after it was accepted, when inner authentication has run. Without
            it: `scope["user"]` where it is authenticated, else the header or query parameter that
            the configuration names.
        include: path patterns of the sockets to track (`SocketSelection`); all by default.
        exclude: path patterns of sockets never to track.

    Raises:
        ConfigurationError: a pattern or the adapter cannot be used.
    """

    def __new__(
        cls,
        app: ASGIApp,
        analytics: Analytics,
        *,
        adapter: FrameAdapter | str | None = None,
        identify: Callable[[Scope], str | None] | None = None,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
    ) -> Self:
        """Return the middleware, or `app` itself when analytics is switched off."""
        if not analytics.config.enabled:
            # An ASGI application either way, which is all that anybody may rely on.
            return cast("Self", app)
        return super().__new__(cls)

    def __init__(
        self,
        app: ASGIApp,
        analytics: Analytics,
        *,
        adapter: FrameAdapter | str | None = None,
        identify: Callable[[Scope], str | None] | None = None,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
    ) -> None:
        if app is self:
            return  # an inner one, that `__new__` has returned in place of one switched off
        self.app = app
        self._analytics = analytics
        self._adapter = adapter_named(adapter) if isinstance(adapter, str) else adapter
        self._identify = identify
        self._selection = SocketSelection(include, exclude)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application on one ASGI scope."""
        if scope["type"] == "websocket":
            socket = self._socket(scope, receive, send)
            if socket is not None:
                with bind(socket.tracker), socket:
                    await self.app(scope, socket.receive, socket.sender())
                return
        elif scope["type"] == "lifespan":
            send = self._lifespan_send(send)
        await self.app(scope, receive, send)

    def _socket(self, scope: Scope, receive: Receive, send: Send) -> _Socket | None:
        """Return the state of a socket to track; None for one to leave alone."""
        with self._analytics.guard("starlette.connect"):
            if SCOPE_KEY in scope:
                return None
            if not self._selection.wants(scope["path"], scope.get("subprotocols") or ()):
                return None
            tracker = self._analytics.open_connection(
                adapter=self._adapter, resolve_user=lambda: self._user(scope)
            )
            socket = _Socket(self._analytics, tracker, receive, send)
            scope[SCOPE_KEY] = socket.marks
            return socket
        return None

    def _user(self, scope: Scope) -> str | None:
        if self._identify is not None:
            return self._identify(scope)
        config = self._analytics.config
        user = signed_in_user(scope)
        if user is None and config.identity_header:
            user = header_value(scope["headers"], config.identity_header)
        if user is None and config.identity_query:
            query = scope.get("query_string", b"").decode("latin-1")
            user = query_value(query, config.identity_query)
        return user

    def _lifespan_send(self, send: Send) -> Send:
        guard = self._analytics.guard

        async def lifespan_send(message: Message) -> None:
            kind = message["type"]
            if kind == "lifespan.startup.complete":
                with guard("starlette.startup"):
                    self._analytics.recorder.start()
            elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                # Before the server hears of it: it may leave the loop right afterwards. The
                # application has nothing more to record, it has said that it is done.
                with guard("starlette.shutdown"):
                    await self._analytics.aclose()
            await send(message)

        return lifespan_send


class _Socket:
    """One tracked socket: its state, and the `receive` and `send` that the application is given.

    A context manager around the application's call; however that ends, the close is recorded.
    """

    __slots__ = ("_guard", "_open", "_receive", "_send", "marks", "tracker")

    def __init__(
        self, analytics: Analytics, tracker: ConnectionTracker, receive: Receive, send: Send
    ) -> None:
        self.tracker = tracker
        self.marks: dict[str, bool] = {}
        self._guard = analytics.guard
        self._receive = receive
        self._send = send
        self._open = False

    async def receive(self) -> Message:
        """Receive from the server, then look at what came."""
        receive = self._receive
        message = await receive()
        try:  # `with guard` costs a microsecond
            kind = message["type"]
            if kind == "websocket.receive":
                data = _payload(message)
                if self._open and data is not None:
                    self.tracker.client_frame(data)
            elif kind == "websocket.disconnect":
                self._close(_code_of(message))
        except Exception as exc:
            self._caught("starlette.receive", exc)
        return message

    def sender(self) -> Send:
        """Return what sends to the server; what is no content frame is looked at once it is sent.

        The hot path: for a content frame this is a plain call that returns the server's own
        awaitable, because a coroutine around it costs more than all the rest; so do calls and
        attributes, hence the closure.
        """
        contents = self.tracker.contents
        inner = self._send
        send_and_look = self._send_and_look

        def send(message: Message) -> Awaitable[None]:
            try:
                if not contents.low <= message["text"] < contents.high:
                    return send_and_look(message)
            except Exception:  # no text at all, or no message, which is the server's to refuse
                return send_and_look(message)
            contents.count += 1
            return inner(message)

        return send

    async def _send_and_look(self, message: Message) -> None:
        send = self._send  # calling an attribute that is no method is slow before Python 3.12
        await send(message)
        try:
            kind = message["type"]
            if kind == "websocket.send":
                data = _payload(message)
                if self._open and data is not None:
                    self.tracker.server_frame(data)
            elif kind == "websocket.accept":
                if not self.marks.get("ignore"):
                    self._open = True
                    self.tracker.opened(subprotocol=message.get("subprotocol"))
            elif kind == "websocket.close":
                self._close(message.get("code", 1000))
        except Exception as exc:
            self._caught("starlette.send", exc)

    def _caught(self, place: str, exc: Exception) -> None:
        """Take an exception of analytics itself."""
        self._guard.caught(place, exc)
        if self._guard.strict:
            raise exc

    def _close(self, code: int) -> None:
        """Record the close; the first code is the one that ended the connection."""
        if self._open:
            self.tracker.closed(code)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._guard("starlette.close"):
            code = _NO_CLOSE_FRAME
            if isinstance(exc, Exception) and not _is_disconnect(exc):
                code = _INTERNAL_ERROR
                if self._open:
                    self.tracker.failed(exc)
            self._close(code)


def _payload(message: Message) -> str | bytes | None:
    """Return a frame's data; where a server or application fills in both kinds, bytes win."""
    data: str | bytes | None = message.get("bytes")
    return message.get("text") if data is None else data


def _code_of(disconnect: Message) -> int:
    """Return the code of a `websocket.disconnect`.

    Uvicorn gives 1005 both to a close frame that names no code and to a connection that was lost;
    only the first has a reason, an empty one.
    """
    code: int | None = disconnect.get("code")
    if code == _NO_STATUS and "reason" not in disconnect:
        return _NO_CLOSE_FRAME
    return _NO_STATUS if code is None else code


def _is_disconnect(exc: BaseException) -> bool:
    """Say whether an exception only tells that the client has gone."""
    if isinstance(exc, BaseExceptionGroup):
        return all(_is_disconnect(inner) for inner in exc.exceptions)
    if isinstance(exc, asyncio.CancelledError):
        return True
    return any(cls.__name__ in _DISCONNECTS for cls in type(exc).__mro__)
