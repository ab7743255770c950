"""The plugin for servers made with `websockets.asyncio.server.serve`.

Two lines add it, around the handler:

    analytics = Analytics("sqlite:///copilot-analytics.db")
    @track(analytics)
    async def handler(connection): ...

or, where the handler is to stay as it is, in the server:

    serve(handler, ..., create_connection=AnalyticsConnection.factory(analytics))

Either, never both. The handler's connection is a `ServerConnection` in both cases. What clients and
handlers see (bytes, order, close codes, exceptions, cancellation, back-pressure) does not change.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, cast
from urllib.parse import unquote

from copilot_analytics.analytics import Analytics
from copilot_analytics.current import bind
from copilot_analytics.errors import ConfigurationError, MissingDependencyError
from copilot_analytics.protocols import FrameAdapter, adapter_named

from ._fragments import Assembly, AsyncFragments, Fragments
from ._identity import query_value
from ._selection import SocketSelection

try:
    from websockets.asyncio.server import ServerConnection
    from websockets.protocol import State
except ImportError as exc:
    raise MissingDependencyError("websockets", "websockets") from exc

from ._watch import Watch

if TYPE_CHECKING:
    from websockets.typing import DataLike  # since websockets 16

__all__ = ["AnalyticsConnection", "track"]

P = ParamSpec("P")

_TRACKED = "__copilot_analytics_tracked__"
"""The attribute that marks a decorated handler."""


def track(
    analytics: Analytics,
    *,
    adapter: FrameAdapter | str | None = None,
    identify: Callable[[ServerConnection], str | None] | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> Callable[[Callable[P, Awaitable[None]]], Callable[P, Awaitable[None]]]:
    """Return a decorator that makes a handler's connections seen.

    It takes what `serve` takes: a coroutine function, a method, a `functools.partial`, any callable
    that gets the connection and returns an awaitable. Sockets that offer a GraphQL sub-protocol are
    never tracked. With analytics switched off the decorator returns the handler itself.

    Args:
        analytics: where the events go. Starting and closing it stays with its owner: serve inside
            `async with analytics:`.
        adapter: the wire protocol, as an adapter or its name; the configured one by default.
        identify: returns the user's id from the connection, or None for nobody. Synchronous; called
            once a connection, when it is open. Without it: the `username` that `basic_auth` has
            checked, else the header or query parameter that the configuration names.
        include: path patterns of the sockets to track (`SocketSelection`); all by default.
        exclude: path patterns of sockets never to track.

    Raises:
        ConfigurationError: a pattern or the adapter cannot be used, or the handler is decorated
            already. Also raised into a connection whose server uses `AnalyticsConnection` as well.
    """
    tracking = _Tracking(analytics, adapter, identify, SocketSelection(include, exclude))

    def decorate(handler: Callable[P, Awaitable[None]]) -> Callable[P, Awaitable[None]]:
        if getattr(handler, _TRACKED, False):
            raise ConfigurationError("handler", handler, "it is tracked already, use @track once")
        if not analytics.config.enabled:
            return handler

        @functools.wraps(handler)
        async def tracked(*args: P.args, **kwargs: P.kwargs) -> None:
            watch = tracking.take_over(args)
            if watch is None:
                await handler(*args, **kwargs)
                return
            with bind(watch.tracker), watch:
                await handler(*args, **kwargs)

        setattr(tracked, _TRACKED, True)
        return tracked

    return decorate


class AnalyticsConnection(ServerConnection):
    """A `ServerConnection` whose frames are seen; made by `AnalyticsConnection.factory`.

    `@track` turns the connection that a server made into one, by its `__class__`. That way both
    share one set of overrides, also for what Python looks up on the type (`async for`, `async
    with`), also above a subclass of the application's own, and `isinstance` and `super()` keep
    working. Functions set on the instance would do none of this.

    Messages to many connections at once, by `websockets.asyncio.server.broadcast`, answer nobody's
    message and are not looked at.
    """

    _tracking: ClassVar[_Tracking | None] = None
    _watch: Watch | None = None

    @classmethod
    def factory(
        cls,
        analytics: Analytics,
        *,
        adapter: FrameAdapter | str | None = None,
        identify: Callable[[ServerConnection], str | None] | None = None,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        base: type[ServerConnection] = ServerConnection,
    ) -> type[ServerConnection]:
        """Return what to pass to `serve(create_connection=…)`.

        With `websockets` before 17 an exception that leaves the handler is seen as what follows
        from it, a close with code 1011; from 17 on with its type, as `track` does everywhere.

        Args:
            analytics: where the events go; see `track`, also for the other options.
            adapter: the wire protocol, as an adapter or its name.
            identify: returns the user's id from the connection, or None for nobody.
            include: path patterns of the sockets to track.
            exclude: path patterns of sockets never to track.
            base: the application's own connection class, if it has one.

        Raises:
            ConfigurationError: a pattern or the adapter cannot be used, or `base` is tracked
                already.
        """
        tracking = _Tracking(analytics, adapter, identify, SocketSelection(include, exclude))
        if issubclass(base, AnalyticsConnection):
            raise ConfigurationError("base", base, "it is tracked already, pass the class below it")
        if not analytics.config.enabled:
            return base
        tracked = _tracked_class(base)
        return type(tracked.__name__, (tracked,), {"_tracking": tracking})

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        """Perform the opening handshake; a connection that is open then is tracked from here on."""
        await super().handshake(*args, **kwargs)
        if self._tracking is not None and self.state is State.OPEN:
            watch = self._tracking.begin(self)
            if watch is not None:
                # The server runs the handler in this same task, which ends with the connection:
                # nobody is left to unbind for.
                bind(watch.tracker).__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection; the server's own `async with` ends here when the handler fails."""
        if self._watch is not None:
            self._watch.__exit__(exc_type, exc_value, traceback)
        await super().__aexit__(exc_type, exc_value, traceback)

    async def recv(self, decode: bool | None = None) -> Any:
        """Receive the next message, then look at it."""
        message = await super().recv(decode)
        if self._watch is not None:
            self._watch.received(message, decode)
        return message

    async def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Any]:
        """Receive the next message frame by frame; it is looked at once it is whole."""
        assembly = Assembly()
        stream = cast("AsyncGenerator[Any, None]", super().recv_streaming(decode))
        async with aclosing(stream) as fragments:
            async for fragment in fragments:
                assembly.add(fragment)
                yield fragment
        if self._watch is not None:
            self._watch.received(assembly.message(), decode)

    def send(  # pyright: ignore[reportIncompatibleMethodOverride]  # `async def`, but faster
        self,
        message: DataLike | Iterable[DataLike] | AsyncIterable[DataLike],
        *args: Any,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, None]:
        """Send a message; what is no content frame is looked at once it is sent.

        The hot path: for a content frame this is a plain call that returns the coroutine of the
        connection below.
        """
        watch = self._watch
        if watch is None:
            return super().send(message, *args, **kwargs)
        contents = watch.contents
        if (
            type(message) is str
            and contents.low <= message < contents.high
            and not (args or kwargs)
        ):
            contents.count += 1
            return super().send(message)
        return self._send_and_look(watch, message, args, kwargs)

    async def _send_and_look(
        self,
        watch: Watch,
        message: DataLike | Iterable[DataLike] | AsyncIterable[DataLike],
        args: tuple[Any, ...],  # `text`, where `websockets` takes it so
        kwargs: dict[str, Any],
    ) -> None:
        seen: DataLike | None = None
        assembly = Assembly()
        if isinstance(message, (str, bytes, bytearray, memoryview)):
            seen = cast("DataLike", message)
        elif isinstance(message, Mapping):
            pass  # a mistake, which `websockets` answers
        elif isinstance(message, Iterable):
            message = Fragments(message, assembly)
        elif isinstance(message, AsyncIterable):
            message = AsyncFragments(message, assembly)
        await super().send(message, *args, **kwargs)
        if seen is None:
            seen = assembly.message()
        watch.sent(seen, args[0] if args else kwargs.get("text"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the TCP connection: only now the close code is final."""
        super().connection_lost(exc)
        if self._watch is not None:
            self._watch.closed(self)


class _Tracking:
    """What `track` and `factory` were given, for all their connections."""

    def __init__(
        self,
        analytics: Analytics,
        adapter: FrameAdapter | str | None,
        identify: Callable[[ServerConnection], str | None] | None,
        selection: SocketSelection,
    ) -> None:
        self._analytics = analytics
        self._adapter = adapter_named(adapter) if isinstance(adapter, str) else adapter
        self._identify = identify
        self._selection = selection

    def take_over(self, arguments: Iterable[object]) -> Watch | None:
        """Track the connection among a handler's arguments; None for one to leave alone.

        Raises:
            ConfigurationError: it is tracked already.
        """
        for connection in arguments:
            if isinstance(connection, AnalyticsConnection):
                raise ConfigurationError(
                    "handler",
                    type(connection).__name__,
                    "use either @track or AnalyticsConnection, and that once",
                )
            if isinstance(connection, ServerConnection):
                watch = self.begin(connection)
                if watch is not None and connection.state is State.CLOSED:
                    # It was lost before the handler ran: nobody will tell again.
                    watch.closed(connection)
                return watch
        return None

    def begin(self, connection: ServerConnection) -> Watch | None:
        """Track an open connection; None for one to leave alone."""
        with self._analytics.guard("websockets.connect"):
            path, _, _ = _target(connection).partition("?")
            if not self._selection.wants(unquote(path), _offered_subprotocols(connection)):
                return None
            # Weakly, or connection and tracker would keep each other alive.
            reference = weakref.ref(connection)
            tracker = self._analytics.open_connection(
                adapter=self._adapter, resolve_user=lambda: self._user(reference())
            )
            if not isinstance(connection, AnalyticsConnection):
                connection.__class__ = _tracked_class(type(connection))
            tracker.opened(subprotocol=connection.subprotocol)
            watch = Watch(self._analytics, tracker)
            cast("AnalyticsConnection", connection)._watch = watch
            return watch
        return None

    def _user(self, connection: ServerConnection | None) -> str | None:
        if connection is None:
            return None
        if self._identify is not None:
            return self._identify(connection)
        config = self._analytics.config
        user: str | None = getattr(connection, "username", None)
        if user is None and config.identity_header and connection.request is not None:
            user = connection.request.headers.get(config.identity_header) or None
        if user is None and config.identity_query:
            _, _, query = _target(connection).partition("?")
            user = query_value(query, config.identity_query)
        return user


_tracked_classes: dict[type[ServerConnection], type[AnalyticsConnection]] = {
    ServerConnection: AnalyticsConnection
}


def _tracked_class(base: type[ServerConnection]) -> type[AnalyticsConnection]:
    """Return the class that sees the frames of a connection class: one for each."""
    if base not in _tracked_classes:
        name = f"Analytics{base.__name__}"
        _tracked_classes[base] = type(name, (AnalyticsConnection, base), {})
    return _tracked_classes[base]


def _target(connection: ServerConnection) -> str:
    """Return the path and query that the client asked for."""
    return connection.request.path if connection.request is not None else ""


def _offered_subprotocols(connection: ServerConnection) -> Iterator[str]:
    if connection.request is not None:
        for header in connection.request.headers.get_all("Sec-WebSocket-Protocol"):
            yield from (name.strip() for name in header.split(","))
