"""What each signal of a frame does."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, TypeVar

from ..events import ANONYMOUS_PREFIX, EndReason, EventType, Observation
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
from ._activity import Activity
from ._contents import NOTHING, Contents
from ._runs import StepsRun, StreamRun
from ._turns import Turn, same_conversation

__all__ = ["HANDLERS", "SignalReader"]

_RunT = TypeVar("_RunT", StreamRun, StepsRun)

# Members of an enumeration cost 0.1 µs a look-up before Python 3.12.
_MESSAGE_SENT = EventType.MESSAGE_SENT
_STREAMING_COMPLETED = EventType.STREAMING_COMPLETED
_COMPLETED = EndReason.COMPLETED
_SUPERSEDED = EndReason.SUPERSEDED


class SignalReader(Activity):
    """The frames' half of a tracker.

    Attributes:
        contents: tells the content frames of the open stream, and counts them.
    """

    __slots__ = (
        "_adapter",
        "_asked",
        "_identified",
        "_messages",
        "_skipped",
        "_trust_client_identity",
        "contents",
    )

    _adapter: FrameAdapter
    _asked: tuple[Turn, Observation] | None
    _identified: bool
    _messages: int
    _skipped: Counter[str]
    _trust_client_identity: bool
    contents: Contents

    def identify(self, user_id: str) -> None:
        """Say whose the connection is; earlier events keep what they had.

        Args:
            user_id: the user's own id, not yet in its stored form.
        """
        self._identified = True
        self.user_id = self._stored_user_id(user_id)

    def _message_sent(self, signal: UserMessage, now: float) -> None:
        if self._held:
            self._release()
        self._messages += 1
        self._error_seen = False
        claimed = signal.claimed_user_id
        if (
            claimed is not None
            and self._trust_client_identity
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
        now_ms = self._now
        message = Observation(
            _MESSAGE_SENT,
            self.user_id,
            now_ms(),
            signal.conversation_id,
            self.connection_id,
            metadata,
        )
        self._held.append(message)
        self._asked = (turn, message)

    def _message_queued(self, signal: Queued, now: float) -> None:
        # A message that is held back is the newest, and unanswered.
        if not self._held or self._held[-1].event_type is not _MESSAGE_SENT:
            return
        metadata = self._held[-1].metadata
        metadata["queued"] = True
        for key, value in (
            ("queue_position", signal.position),
            ("queue_total", signal.total),
            ("queue_wait_ms", signal.wait_ms),
        ):
            if value is not None:
                metadata.setdefault(key, value)

    def _release(self) -> None:
        asked = self._asked
        if asked is not None:
            self._asked = None
            turn, message = asked
            if message.conversation_id is None:
                # The server has named it since.
                message.conversation_id = turn.conversation_id
        Activity._release(self)

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
        details: dict[str, Any] = {}
        if signal.error_type is not None or signal.error_message is not None:
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
            self._end_stream(run, _SUPERSEDED, now, {})
        turn = self._turn(conversation_id)
        if turn.streamed and self._turns.another_waits(turn):
            self._turns.end(turn)
            turn = self._turn(conversation_id)
        self._open_stream(turn, now, False, signal.intent, signal.extra)

    def _content_sent(self, signal: StreamContent, now: float, data: str | bytes) -> None:
        run = _latest(self._streams, signal.conversation_id)
        if run is None:
            return
        self._count_content(run, now=now)
        if len(self._streams) == 1 and isinstance(data, str):
            prefix = self._adapter.content_prefix(data)
            if prefix is not None:
                self.contents.learn(prefix, nameless=signal.conversation_id is None)

    def _stop_counting(self) -> None:
        contents = self.contents
        contents.low = contents.high = NOTHING
        if contents.count and self._streams:
            # It was learned while this one was open, and no other.
            self._streams[-1].chunks += contents.count
            contents.count = 0

    def _stream_ended(self, signal: StreamEnd, now: float) -> None:
        run = _latest(self._streams, signal.conversation_id)
        figures: dict[str, Any] = {}
        if signal.token_count is not None:
            figures["token_count"] = signal.token_count
        if signal.extra is not None:
            figures.update(signal.extra)
        if run is None:
            self._add_figures(signal.conversation_id, figures)
            return
        if signal.reason is not _COMPLETED:
            details = self._error_details(None, signal.error_type, signal.error_message)
            if signal.partial_length is not None:
                details["partial_length"] = signal.partial_length
            figures = details | figures
        self._end_stream(run, signal.reason, now, figures, signal.tentative)

    def _add_figures(self, conversation_id: str | None, figures: dict[str, Any]) -> None:
        # A stream's end that is held back is the newest event, and its figures may follow it.
        if self._held and self._held[-1].event_type is _STREAMING_COMPLETED:
            ended = self._held[-1]
            if same_conversation(ended.conversation_id, conversation_id):
                ended.metadata.update(figures)

    def _steps_started(self, signal: MultiStepStart, now: float) -> None:
        conversation_id = signal.conversation_id
        for run in reversed(self._runs):
            if not same_conversation(run.conversation_id, conversation_id):
                continue
            if not run.framed:
                run.framed = True
                run.total = signal.total if run.total is None else run.total
                return
            self._end_steps(run, _SUPERSEDED, now, {})
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
            if len(self._held) == 1:
                # Nothing else is waited for: a socket that stays idle is seen at once.
                self._release()

    def _turn_ended(self, signal: TurnEnd, now: float) -> None:
        turn: Turn | None
        if signal.conversation_id is None and (self._streams or self._runs):
            turn = self._turn(None)
        else:
            turn = self._turns.ending(signal.conversation_id)
        if turn is not None:
            self._turns.end(turn, signal.tentative)

    def _frame_skipped(self, signal: Skipped, now: float) -> None:
        self._skipped[f"frame_{signal.reason}"] += 1

    # --- whose is it -----------------------------------------------------------------------------

    def _turn(self, conversation_id: str | None) -> Turn:
        """Return the turn that a signal of an answer belongs to."""
        if conversation_id is None:
            if self._streams:
                return self._streams[-1].turn
            if self._runs:
                return self._runs[-1].turn
        waiting = self._turns.waiting
        if waiting and (conversation_id is None or waiting[0].conversation_id == conversation_id):
            return waiting[0]
        return self._turns.of(conversation_id)

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


def _latest(runs: list[_RunT], conversation_id: str | None) -> _RunT | None:
    """Return what was begun last in a conversation, where both name one."""
    if conversation_id is None:
        return runs[-1] if runs else None
    for run in reversed(runs):
        if same_conversation(run.conversation_id, conversation_id):
            return run
    return None


HANDLERS: Final[dict[type, Callable[[SignalReader, Any, float], None]]] = {
    UserMessage: SignalReader._message_sent,
    Queued: SignalReader._message_queued,
    Intent: SignalReader._intent_told,
    Action: SignalReader._action_told,
    Clarification: SignalReader._clarification_told,
    StreamStart: SignalReader._stream_started,
    StreamEnd: SignalReader._stream_ended,
    MultiStepStart: SignalReader._steps_started,
    Step: SignalReader._step_told,
    MultiStepEnd: SignalReader._steps_ended,
    StepsReported: SignalReader._steps_reported,
    ErrorReported: SignalReader._error_reported,
    Usage: SignalReader._usage_told,
    ConnectionNamed: SignalReader._connection_named,
    TurnEnd: SignalReader._turn_ended,
    Skipped: SignalReader._frame_skipped,
}
"""What each class of signal does; contents of streams are dealt with apart, by their frame."""
