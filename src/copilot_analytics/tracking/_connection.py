"""The state machine of one WebSocket connection: frames in, observations out."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from .._guard import Guard
from ..events import ANONYMOUS_PREFIX, EndReason, EventType, Observation
from ..identity import ReconnectDetector, anonymous_id
from ..ids import new_id
from ..protocols.base import FrameAdapter
from ..protocols.signals import (
    Action,
    Clarification,
    ConnectionNamed,
    ErrorReported,
    Intent,
    MultiStepEnd,
    MultiStepStart,
    Queued,
    Skipped,
    Step,
    StepsReported,
    StreamContent,
    StreamEnd,
    StreamStart,
    TurnEnd,
    Usage,
    UserMessage,
)
from ..typing import Clock
from ._activity import Activity
from ._runs import StepsRun, StreamRun
from ._turns import Turn, same_conversation

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


class ConnectionTracker(Activity):
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
        guard: keeps failures of what the host hands in away from it.
        skipped: where frames that told nothing and should have are counted, by `frame_<reason>`.

    Attributes:
        connection_id: as given, or as the server's greeting names it.
        user_id: the stored id; anonymous until `opened` or `identify` tell better.
    """

    __slots__ = (
        "_adapter",
        "_asked",
        "_chunks",
        "_close_was_error",
        "_closed",
        "_identified",
        "_messages",
        "_opened_at",
        "_options",
        "_prefix",
        "_reconnects",
        "_resolve_user",
        "_skipped",
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
        self._options = options
        self._reconnects = reconnects
        self._skipped: Counter[str] = Counter() if skipped is None else skipped
        self._identified = False
        self._opened_at = 0.0
        self._messages = 0
        self._asked: tuple[Observation, Turn] | None = None
        self._close_was_error = False
        # `startswith(())` is always false: nothing is known to be content.
        self._prefix: str | tuple[()] = ()
        self._chunks = 0

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
                now = self._monotonic()
                for signal in signals:
                    _HANDLERS[type(signal)](self, signal, now)

    def is_content(self, data: str) -> bool:
        """Say whether a text frame is one more piece of the open stream, and count it if so.

        The hot path: then nothing else is to be done with it. All others go to `server_frame`.
        """
        if data.startswith(self._prefix):
            self._chunks += 1
            return True
        return False

    def server_frame(self, data: str | bytes) -> None:
        """Look at a whole message that was sent to the client, and is no content by its start."""
        if self._live:
            signals = self._adapter.server_frame(data)
            if signals:
                now = self._monotonic()
                for signal in signals:
                    if type(signal) is StreamContent:
                        self._content_sent(signal, now, data)
                    else:
                        _HANDLERS[type(signal)](self, signal, now)

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

    def identify(self, user_id: str) -> None:
        """Say whose the connection is; earlier events keep what they had.

        Args:
            user_id: the user's own id, not yet in its stored form.
        """
        self._identified = True
        self.user_id = self._stored_user_id(user_id)

    # --- signals ---------------------------------------------------------------------------------

    def _message_sent(self, signal: UserMessage, now: float) -> None:
        self._release()
        self._messages += 1
        self._error_seen = False
        claimed = signal.claimed_user_id
        if (
            claimed is not None
            and self._options.trust_client_identity
            and self.user_id.startswith(ANONYMOUS_PREFIX)
        ):
            self.identify(claimed)
        turn = self._turns.ask(signal.conversation_id, now)
        metadata: dict[str, Any] = {"message_bytes": signal.frame_bytes}
        if signal.length is not None:
            metadata["message_length"] = signal.length
        if signal.streaming is not None:
            metadata["streaming"] = signal.streaming
        if signal.extra is not None:
            metadata.update(signal.extra)
        message = Observation(
            EventType.MESSAGE_SENT,
            self.user_id,
            self._now(),
            signal.conversation_id,
            self.connection_id,
            metadata,
        )
        self._held.append(message)
        self._asked = (message, turn)

    def _message_queued(self, signal: Queued, now: float) -> None:
        if self._asked is None:
            return
        message, turn = self._asked
        if not same_conversation(turn.conversation_id, signal.conversation_id):
            return
        metadata = message.metadata
        metadata["queued"] = True
        for key, value in (
            ("queue_position", signal.position),
            ("queue_total", signal.total),
            ("queue_wait_ms", signal.wait_ms),
        ):
            if value is not None:
                metadata.setdefault(key, value)

    def _release(self) -> None:
        if self._asked is not None:
            message, turn = self._asked
            self._asked = None
            if message.conversation_id is None:
                message.conversation_id = turn.conversation_id
        super()._release()

    def _intent_told(self, signal: Intent, now: float) -> None:
        turn = self._answering(signal.conversation_id)
        self._classify(turn, signal.name, signal.confidence, now, signal.extra)

    def _action_told(self, signal: Action, now: float) -> None:
        turn = self._answering(signal.conversation_id)
        if turn.acted:
            return
        turn.acted = True
        if not turn.begun:
            self._turns.begin(turn)
        took = signal.execution_ms
        if took is None and turn.asked_at is not None:
            took = now - turn.asked_at
        details = self._error_details(None, signal.error_type, signal.error_message)
        if signal.extra is not None:
            details.update(signal.extra)
        name = signal.command_name or turn.intent
        self._emit_action(turn, name, signal.success, took, None, details, None)

    def _clarification_told(self, signal: Clarification, now: float) -> None:
        turn = self._answering(signal.conversation_id)
        self._clarify(turn, signal.intent, signal.confidence, signal.extra, "frames")

    def _stream_started(self, signal: StreamStart, now: float) -> None:
        conversation_id = signal.conversation_id
        for run in reversed(self._streams):
            if not same_conversation(run.conversation_id, conversation_id):
                continue
            if signal.unless_open or not run.framed:
                # Either the frame repeats it, or the application had told of it first.
                run.framed = True
                run.intent = run.intent or signal.intent
                return
            self._end_stream(run, EndReason.SUPERSEDED, now, {})
        turn = self._turn(conversation_id)
        if turn.streamed and self._turns.another_waits(turn):
            self._turns.end(turn)
            turn = self._turn(conversation_id)
        self._open_stream(turn, now, coded=False, intent=signal.intent, extra=signal.extra)

    def _content_sent(self, signal: StreamContent, now: float, data: str | bytes) -> None:
        run = _latest(self._streams, signal.conversation_id)
        if run is None:
            return
        if run.first_at is None:
            run.first_at = now
            run.turn.answered = True
        run.chunks += 1
        if len(self._streams) == 1 and isinstance(data, str):
            # Never an empty start: every frame has that.
            self._prefix = self._adapter.content_prefix(data) or ()

    def _stop_counting(self) -> None:
        self._prefix = ()
        if self._chunks and self._streams:
            # It was learned while this one was open, and no other.
            self._streams[-1].chunks += self._chunks
            self._chunks = 0

    def _stream_ended(self, signal: StreamEnd, now: float) -> None:
        run = _latest(self._streams, signal.conversation_id)
        if run is None:
            return
        details = self._error_details(None, signal.error_type, signal.error_message)
        if signal.token_count is not None:
            details["token_count"] = signal.token_count
        if signal.partial_length is not None:
            details["partial_length"] = signal.partial_length
        if signal.extra is not None:
            details.update(signal.extra)
        self._end_stream(run, signal.reason, now, details)

    def _steps_started(self, signal: MultiStepStart, now: float) -> None:
        conversation_id = signal.conversation_id
        for run in reversed(self._runs):
            if not same_conversation(run.conversation_id, conversation_id):
                continue
            if not run.framed:
                run.framed = True
                run.total = signal.total if run.total is None else run.total
                return
            self._end_steps(run, EndReason.SUPERSEDED, now, {})
        turn = self._turn(conversation_id)
        self._begin_steps(turn, signal.total, now, coded=False, extra=signal.extra)

    def _step_told(self, signal: Step, now: float) -> None:
        run = _latest(self._runs, signal.conversation_id)
        turn = self._turn(signal.conversation_id) if run is None else run.turn
        name = signal.command_name or turn.intent
        took = signal.execution_ms
        if run is not None:
            since, run.last_at = run.last_at, now
            run.completed += 1
            if name in run.reported:
                run.reported.remove(name)
                return
            if took is None:
                took = now - since
        details = self._error_details(None, signal.error_type, signal.error_message)
        if signal.extra is not None:
            details.update(signal.extra)
        self._emit_action(turn, name, signal.success, took, signal.number, details, None)

    def _steps_ended(self, signal: MultiStepEnd, now: float) -> None:
        run = _latest(self._runs, signal.conversation_id)
        if run is None:
            return
        details = self._error_details(None, signal.error_type, signal.error_message)
        if signal.steps_completed is not None:
            details["steps_completed"] = signal.steps_completed
        if signal.step_number is not None:
            details["step_number"] = signal.step_number
        if signal.extra is not None:
            details.update(signal.extra)
        self._end_steps(run, signal.reason, now, details)

    def _steps_reported(self, signal: StepsReported, now: float) -> None:
        turn = self._turn(signal.conversation_id)
        if turn.stepped:
            return
        turn.stepped = True
        count = signal.count
        self._emit(EventType.MULTI_STEP_STARTED, turn.conversation_id, {"steps_total": count})
        self._emit(
            EventType.MULTI_STEP_COMPLETED,
            turn.conversation_id,
            {"steps_total": count, "steps_completed": count},
        )

    def _error_reported(self, signal: ErrorReported, now: float) -> None:
        turn = self._turn(signal.conversation_id)
        metadata = self._error_details(None, signal.error_type, signal.message)
        command_name = turn.command
        interrupted = [
            run
            for run in self._streams
            if same_conversation(run.conversation_id, signal.conversation_id)
        ]
        # A frame that is sent where an exception is handled tells of it.
        handled = sys.exception()
        if isinstance(handled, Exception):
            fault = self._faults.of(handled)
            fault.reported = True
            metadata["fault_id"] = fault.fault_id
            command_name = command_name or fault.command_name
        elif interrupted:
            metadata["fault_id"] = new_id()
        linked = dict(metadata)
        linked.pop("error_message", None)
        if signal.correlation_id is not None:
            metadata["correlation_id"] = signal.correlation_id
        if signal.extra is not None:
            metadata.update(signal.extra)
        self._emit_error(turn, metadata, command_name, signal.retryable)
        for run in interrupted:
            self._end_stream(run, EndReason.ERROR, now, dict(linked))

    def _usage_told(self, signal: Usage, now: float) -> None:
        turn = self._turn(signal.conversation_id)
        turn.usage = {**(turn.usage or {}), **signal.extra}

    def _connection_named(self, signal: ConnectionNamed, now: float) -> None:
        # Only while nothing was handed on: the events of a connection share one id.
        if self._held and self._held[0].event_type is EventType.WEBSOCKET_CONNECTED:
            self.connection_id = signal.connection_id
            for observation in self._held:
                observation.connection_id = signal.connection_id

    def _turn_ended(self, signal: TurnEnd, now: float) -> None:
        turn = self._going_on(signal.conversation_id)
        if turn is None:
            turn = self._turns.ending(signal.conversation_id)
        if turn is not None:
            self._turns.end(turn, tentative=signal.tentative)

    def _frame_skipped(self, signal: Skipped, now: float) -> None:
        self._skipped[f"frame_{signal.reason}"] += 1

    # --- whose is it -----------------------------------------------------------------------------

    def _going_on(self, conversation_id: str | None) -> Turn | None:
        """Return the turn of what is going on, for a frame that names no conversation."""
        if conversation_id is None:
            if self._streams:
                return self._streams[-1].turn
            if self._runs:
                return self._runs[-1].turn
        return None

    def _turn(self, conversation_id: str | None) -> Turn:
        return self._going_on(conversation_id) or self._turns.of(conversation_id)

    def _answering(self, conversation_id: str | None) -> Turn:
        """Return the turn of an answer; one that has had all of its own gives way to the next."""
        turn = self._turn(conversation_id)
        if turn.tentative and turn.acted and self._turns.another_waits(turn):
            self._turns.end(turn)
            turn = self._turn(conversation_id)
        return turn

    def _end_all(self, reason: EndReason, now: float, details: dict[str, Any]) -> None:
        for stream in tuple(self._streams):
            self._end_stream(stream, reason, now, dict(details))
        for steps in tuple(self._runs):
            self._end_steps(steps, reason, now, dict(details))


_R = TypeVar("_R", StreamRun, StepsRun)


def _latest(runs: list[_R], conversation_id: str | None) -> _R | None:
    """Return what was begun last in a conversation, where both name one."""
    for run in reversed(runs):
        if same_conversation(run.conversation_id, conversation_id):
            return run
    return None


_HANDLERS: Final[dict[type, Callable[[ConnectionTracker, Any, float], None]]] = {
    UserMessage: ConnectionTracker._message_sent,
    Queued: ConnectionTracker._message_queued,
    Intent: ConnectionTracker._intent_told,
    Action: ConnectionTracker._action_told,
    Clarification: ConnectionTracker._clarification_told,
    StreamStart: ConnectionTracker._stream_started,
    StreamEnd: ConnectionTracker._stream_ended,
    MultiStepStart: ConnectionTracker._steps_started,
    Step: ConnectionTracker._step_told,
    MultiStepEnd: ConnectionTracker._steps_ended,
    StepsReported: ConnectionTracker._steps_reported,
    ErrorReported: ConnectionTracker._error_reported,
    Usage: ConnectionTracker._usage_told,
    ConnectionNamed: ConnectionTracker._connection_named,
    TurnEnd: ConnectionTracker._turn_ended,
    Skipped: ConnectionTracker._frame_skipped,
}
"""What each class of signal does; contents of streams are dealt with apart, by their frame."""
