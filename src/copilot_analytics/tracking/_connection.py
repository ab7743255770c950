"""The state machine of one WebSocket connection: frames in, observations out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .._guard import Guard
from ..events import ANONYMOUS_PREFIX, EndReason, EventType, Observation
from ..identity import ReconnectDetector, anonymous_id
from ..ids import new_id
from ..protocols.base import FrameAdapter
from ..protocols.signals import StreamContent
from ..typing import Clock
from ._contents import NOTHING, Contents
from ._open import OpenConnections
from ._signals import HANDLERS, SignalReader

__all__ = ["ConnectionTracker", "TrackingOptions"]

_ERROR_CODES: Final = {
    1002: "WebSocketProtocolError",
    1003: "WebSocketUnsupportedData",
    1007: "WebSocketInvalidPayload",
    1008: "WebSocketPolicyViolation",
    1009: "WebSocketMessageTooBig",
    1010: "WebSocketMandatoryExtension",
    1011: "WebSocketInternalError",
}
"""Close codes that are errors, and their types (DESIGN §5); every other is an end reason."""


@dataclass(frozen=True, slots=True)
class TrackingOptions:
    """How connections are tracked.

    Attributes:
        trust_client_identity: take the user ids that frames claim, where nobody is signed in.
    """

    trust_client_identity: bool = False


_DEFAULTS: Final = TrackingOptions()


class ConnectionTracker(SignalReader):
    """Follows one connection, driven by whoever sees its frames; never does I/O.

    Nothing is recorded before `opened()`, and nothing of the connection after `closed()`; commands
    that outlive it, and what its handler raises then, still are. Frames come from one thread, the
    event loop's; the explicit methods of `Activity` may be called from any.

    The first events of a connection are handed on with what follows them, so that the server's own
    connection id can still become theirs; so is each MESSAGE_SENT, for the server's queue notice.

    Args:
        adapter: reads the frames.
        record: takes the observations, and owns them from then on.
        clock: tells the time; durations come from its monotonic part.
        connection_id: identifies the connection until the server names it.
        resolve_user: called once, at `opened`: returns the stored id of whoever is signed in, or
            None.
        stored_user_id: turns a user's id into its stored form; by default it is stored as it is.
        options: see `TrackingOptions`.
        reconnects: tells reconnects; without it none is seen.
        open_connections: is told when the connection opens and closes.
        guard: keeps failures of what the host hands in away from it.
        skipped: where frames that told nothing and should have are counted, by `frame_<reason>`.

    Attributes:
        connection_id: as given, or as the server's greeting names it.
        contents: tells the content frames of the open stream, and counts them.
        user_id: the stored id; anonymous until `opened` or `identify` tell better.
    """

    __slots__ = (
        "_close_was_error",
        "_closed",
        "_key",
        "_open",
        "_opened_at",
        "_reconnects",
        "_resolve_user",
    )

    def __init__(
        self,
        adapter: FrameAdapter,
        record: Callable[[Observation], None],
        *,
        clock: Clock,
        connection_id: str,
        resolve_user: Callable[[], str | None],
        stored_user_id: Callable[[str], str] = str,
        options: TrackingOptions = _DEFAULTS,
        reconnects: ReconnectDetector | None = None,
        open_connections: OpenConnections | None = None,
        guard: Guard | None = None,
        skipped: Counter[str] | None = None,
    ) -> None:
        super().__init__(
            record,
            clock=clock,
            user_id=anonymous_id(connection_id),
            stored_user_id=stored_user_id,
            guard=guard,
        )
        self.connection_id = connection_id
        self._recording = False
        self._live = False
        self._closed = False
        self._adapter = adapter
        self._resolve_user = resolve_user
        self._trust_client_identity = options.trust_client_identity
        self._reconnects = reconnects
        self._open = open_connections
        # The connection's id may still become the server's.
        self._key = connection_id
        self._skipped = Counter() if skipped is None else skipped
        self._identified = False
        self._opened_at = 0.0
        self._messages = 0
        self._asked = None
        self._close_was_error = False
        self.contents = Contents()

    # --- what plugins see ------------------------------------------------------------------------

    def opened(self, *, subprotocol: str | None = None) -> None:
        """Begin: the connection was accepted, WEBSOCKET_CONNECTED.

        Args:
            subprotocol: the WebSocket sub-protocol that was agreed on, if any.
        """
        if self._recording or self._closed:
            return
        if not self._identified:
            with self.guard("identity"):
                user_id = self._resolve_user()
                if user_id is not None:
                    self.user_id = user_id
        self._recording = True
        self._live = True
        self._opened_at = self._monotonic()
        if self._open is not None:
            self._open.opened(self._key)
        now_ms = self._now()
        metadata: dict[str, Any] = {
            "adapter": self._adapter.name,
            "anonymous": self.user_id.startswith(ANONYMOUS_PREFIX),
        }
        if subprotocol is not None:
            metadata["subprotocol"] = subprotocol
        if self._reconnects is not None:
            metadata["reconnect"] = self._reconnects.opened(self.user_id, now_ms)
        self._held.append(
            Observation(
                EventType.WEBSOCKET_CONNECTED,
                self.user_id,
                now_ms,
                None,
                self.connection_id,
                metadata,
            )
        )

    def client_frame(self, data: str | bytes) -> None:
        """Look at a whole message that the client sent."""
        if self._live:
            signals = self._adapter.client_frame(data)
            if signals:
                monotonic_ms = self._monotonic
                now = monotonic_ms()
                for signal in signals:
                    HANDLERS[type(signal)](self, signal, now)

    def is_content(self, data: str) -> bool:
        """Say whether a text frame is one more piece of the open stream, and count it if so.

        Then nothing else is to be done with it; all others go to `server_frame`. Plugins, whose hot
        path this is, do it in place.
        """
        contents = self.contents
        if contents.low <= data < contents.high:
            contents.count += 1
            return True
        return False

    def server_frame(self, data: str | bytes) -> None:
        """Look at a whole message that was sent to the client, and is no content by its start."""
        if self._live:
            streams = self._streams
            if (
                len(streams) == 1
                and self.contents.low is NOTHING
                and type(data) is str
                and self.contents.resume(data)
            ):
                # Nothing else that it could tell is of any use: the adapter need not read it.
                self._count_content(streams[0])
                return
            signals = self._adapter.server_frame(data)
            if signals:
                monotonic_ms = self._monotonic
                now = monotonic_ms()
                for signal in signals:
                    if type(signal) is StreamContent:
                        self._content_sent(signal, now, data)
                    else:
                        HANDLERS[type(signal)](self, signal, now)

    def failed(self, exc: BaseException) -> None:
        """Note that the connection's handler has raised: ERROR_OCCURRED, unless it is known.

        What was open ends with it. Cancellation is no failure, nor is any other exception that is
        not an `Exception`.
        """
        if not self._recording or not isinstance(exc, Exception):
            return
        now = self._monotonic()
        fault = self._faults.of(exc)
        details = self._error_details(exc, None, None)
        details["fault_id"] = fault.fault_id
        if not fault.reported and not self._close_was_error:
            fault.reported = True
            self._emit_error(self._turns.at_hand(None), dict(details), fault.command_name, None)
        details.pop("error_message", None)
        self._end_all(EndReason.ERROR, now, details)

    def closed(self, code: int | None) -> None:
        """End: the connection is closed for good, WEBSOCKET_DISCONNECTED; later calls do nothing.

        A stream that is open is interrupted, a run of steps has failed. Some codes are errors,
        unless one was recorded since the user's last message.

        Args:
            code: the close code; None if there was none.
        """
        self._closed = True
        if self._open is not None:
            self._open.closed(self._key)
        if not self._live:
            return
        now = self._monotonic()
        details: dict[str, Any] = {} if code is None else {"close_code": code}
        linked = dict(details)
        error_type = None if code is None else _ERROR_CODES.get(code)
        if error_type is not None and not self._error_seen:
            self._close_was_error = True
            linked["fault_id"] = new_id()
            metadata = {"error_type": error_type, **linked}
            self._emit_error(self._turns.at_hand(None), metadata, None, None)
        self._end_all(EndReason.CLOSED, now, linked)
        details["connection_ms"] = now - self._opened_at
        details["messages"] = self._messages
        self._emit(EventType.WEBSOCKET_DISCONNECTED, None, details)
        self._live = False
        self._turns.clear()
        if self._reconnects is not None:
            self._reconnects.closed(self.user_id, code, self._now())
