"""The default protocol's server frames: a class a frame, each of which says what it tells.

Only the fields that are needed are declared; msgspec skips all others unread. Of the two that hold
text, a stream's `token` is only asked whether it is empty, and `partialResponse` how long it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from ..events import EndReason
from ._decoding import INVALID
from .signals import (
    Action,
    Clarification,
    ConnectionNamed,
    ErrorReported,
    Intent,
    MultiStepEnd,
    MultiStepStart,
    Queued,
    Signal,
    Step,
    StepsReported,
    StreamContent,
    StreamEnd,
    StreamStart,
    TurnEnd,
)

__all__ = ["SERVER_FRAMES", "AnyServerFrame", "ServerFrame"]

_NOTHING: Final[tuple[Signal, ...]] = ()
_CONTENT: Final[tuple[Signal, ...]] = (StreamContent(),)
_TURN_END: Final = TurnEnd()
_COMPLETED: Final = EndReason.COMPLETED  # an enumeration's look-up costs 0.1 µs before Python 3.12
_DEFAULT_ERROR_TYPE: Final = ErrorReported().error_type


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    """What an answer says about itself; its tokens under either of two names."""

    intent: str | None = None
    confidence: float | None = None
    action_success: bool | None = None
    execution_time: float | None = None
    requires_clarification: bool | None = None
    token_count: int | None = None
    tokens_used: int | None = None
    steps_executed: int | None = None


_NO_METADATA: Final = _Metadata()


class ServerFrame(msgspec.Struct, gc=False, rename="camel", tag_field="type", tag=False):
    """A frame that the server sent."""

    conversation_id: str | None = None

    def signals(self) -> Sequence[Signal]:
        """Return what the frame tells; nothing unless a kind of frame says otherwise."""
        return _NOTHING


class _Acknowledgment(ServerFrame, tag="acknowledgment"):
    pass


class _Typing(ServerFrame, tag="typing"):
    pass


class _Suggestions(ServerFrame, tag="suggestions"):
    pass


class _Ping(ServerFrame, tag="ping"):
    pass


class _Connected(ServerFrame, tag="connected"):
    connection_id: str | None = None

    def signals(self) -> Sequence[Signal]:
        return (ConnectionNamed(self.connection_id),) if self.connection_id else INVALID


class _RequestQueued(ServerFrame, tag="request_queued"):
    position: int | None = None
    total_in_queue: int | None = None
    estimated_wait_time: float | None = None

    def signals(self) -> Sequence[Signal]:
        return (
            Queued(
                self.position,
                self.total_in_queue,
                self.estimated_wait_time,
                self.conversation_id or None,
            ),
        )


class _Answer(ServerFrame, tag=False):
    """A frame with an answer's metadata."""

    metadata: _Metadata | None = None

    def _end(
        self, metadata: _Metadata, success: bool | None, signals: list[Signal]
    ) -> list[Signal]:
        """Add what the metadata of a frame that ends an answer tell."""
        conversation_id = self.conversation_id or None
        if metadata.intent:
            signals.append(Intent(metadata.intent, metadata.confidence, conversation_id))
        if metadata.steps_executed is not None and metadata.steps_executed > 1:
            signals.append(StepsReported(metadata.steps_executed, conversation_id))
        if metadata.requires_clarification:
            signals.append(
                Clarification(metadata.intent or None, metadata.confidence, conversation_id)
            )
        elif success is not None:
            signals.append(
                Action(success, metadata.intent or None, metadata.execution_time, conversation_id)
            )
        signals.append(TurnEnd(False, conversation_id) if conversation_id else _TURN_END)
        return signals


class _Message(_Answer, tag="message"):
    """A whole answer."""

    def signals(self) -> Sequence[Signal]:
        metadata = self.metadata or _NO_METADATA
        return self._end(metadata, metadata.action_success, [])


class _StreamStart(_Answer, tag="stream_start"):
    def signals(self) -> Sequence[Signal]:
        conversation_id = self.conversation_id or None
        metadata = self.metadata
        if metadata is None or not metadata.intent:
            return (StreamStart(False, None, conversation_id),)
        return (
            StreamStart(False, metadata.intent, conversation_id),
            Intent(metadata.intent, metadata.confidence, conversation_id),
        )


class _StreamToken(ServerFrame, tag="stream_token"):
    def signals(self) -> Sequence[Signal]:
        return (StreamContent(self.conversation_id),) if self.conversation_id else _CONTENT


class _StreamComplete(_Answer, tag="stream_complete"):
    def signals(self) -> Sequence[Signal]:
        metadata = self.metadata or _NO_METADATA
        success = metadata.action_success
        if success is None and metadata.execution_time is not None:
            success = True  # it does not say that anything failed, but that something ran
        tokens = metadata.tokens_used if metadata.token_count is None else metadata.token_count
        conversation_id = self.conversation_id or None
        end = StreamEnd(_COMPLETED, False, tokens, None, None, None, conversation_id)
        return self._end(metadata, success, [end])


class _Complete(_StreamComplete, tag="complete"):
    """The end of the documented variant; it tells what a `stream_complete` tells."""


class _StreamInterrupted(ServerFrame, tag="stream_interrupted"):
    error: str | None = None
    partial_response: str | None = None

    def signals(self) -> Sequence[Signal]:
        conversation_id = self.conversation_id or None
        partial = self.partial_response
        end = StreamEnd(
            EndReason.INTERRUPTED,
            partial_length=None if partial is None else len(partial),
            error_message=self.error or None,
            conversation_id=conversation_id,
        )
        return (end, TurnEnd(False, conversation_id))


class _Stream(_Answer, tag="stream"):
    """A piece of the documented variant, maybe its first or last."""

    token: str | None = None
    is_complete: bool | None = None

    def signals(self) -> Sequence[Signal]:
        metadata = self.metadata or _NO_METADATA
        conversation_id = self.conversation_id or None
        signals: list[Signal] = [StreamStart(True, metadata.intent or None, conversation_id)]
        if metadata.intent:
            signals.append(Intent(metadata.intent, metadata.confidence, conversation_id))
        if self.token or not self.is_complete:
            signals.append(StreamContent(conversation_id))
        if self.is_complete:
            tokens = metadata.tokens_used if metadata.token_count is None else metadata.token_count
            signals += (
                StreamEnd(_COMPLETED, True, tokens, None, None, None, conversation_id),
                TurnEnd(True, conversation_id),
            )
        return signals


class _Error(ServerFrame, tag="error"):
    error: str | None = None
    code: str | int | None = None
    retryable: bool | None = None
    correlation_id: str | None = None

    def signals(self) -> Sequence[Signal]:
        conversation_id = self.conversation_id or None
        error = ErrorReported(
            _DEFAULT_ERROR_TYPE if self.code in (None, "") else str(self.code),
            self.error or None,
            self.retryable,
            self.correlation_id or None,
            conversation_id,
        )
        return (error, TurnEnd(False, conversation_id))


class _MultiStepStart(ServerFrame, tag="multi_step_start"):
    total_steps: int | None = None

    def signals(self) -> Sequence[Signal]:
        return (MultiStepStart(self.total_steps, self.conversation_id or None),)


class _MultiStepProgress(ServerFrame, tag="multi_step_progress"):
    step_number: int | None = None
    intent: str | None = None
    success: bool | None = None

    def signals(self) -> Sequence[Signal]:
        if self.success is None:
            return INVALID
        conversation_id = self.conversation_id or None
        return (Step(self.success, self.step_number, self.intent or None, None, conversation_id),)


class _MultiStepComplete(ServerFrame, tag="multi_step_complete"):
    steps_executed: int | None = None

    def signals(self) -> Sequence[Signal]:
        conversation_id = self.conversation_id or None
        end = MultiStepEnd(steps_completed=self.steps_executed, conversation_id=conversation_id)
        return (end, TurnEnd(True, conversation_id))


class _MultiStepFailed(ServerFrame, tag="multi_step_failed"):
    step_number: int | None = None
    error: str | None = None

    def signals(self) -> Sequence[Signal]:
        conversation_id = self.conversation_id or None
        end = MultiStepEnd(
            EndReason.ERROR,
            step_number=self.step_number,
            error_message=self.error or None,
            conversation_id=conversation_id,
        )
        return (end, TurnEnd(True, conversation_id))


AnyServerFrame: TypeAlias = (
    _Acknowledgment
    | _Complete
    | _Connected
    | _Error
    | _Message
    | _MultiStepComplete
    | _MultiStepFailed
    | _MultiStepProgress
    | _MultiStepStart
    | _Ping
    | _RequestQueued
    | _Stream
    | _StreamComplete
    | _StreamInterrupted
    | _StreamStart
    | _StreamToken
    | _Suggestions
    | _Typing
)
"""Every kind of frame; what a frame is says its `type`."""

SERVER_FRAMES: Final[dict[str, type[ServerFrame]]] = {
    str(frame_type.__struct_config__.tag): frame_type for frame_type in AnyServerFrame.__args__
}
"""Every kind of frame by its `type`."""
