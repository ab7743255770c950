"""What a frame tells: the words in which adapters talk to the tracker.

An adapter keeps no state, so a signal says only what its frame says; what it means in its place is
the tracker's part, and each class below states it. Three things hold for all of them:

* The signals of one frame are a sequence, to be taken in order.
* `conversation_id` is what the frame says; with None the signal belongs to what is going on on the
  connection (its open stream, its running steps, its oldest turn), whatever the conversation.
* What a signal says wins over what the tracker measures. `extra` holds further metadata by Python
  names, as the frame has it and unchecked, for the event that the signal leads to; None, not an
  empty dict, when there is nothing. It is not to be changed.

*Turns.* A turn is a user's message and everything up to the end of its answer. They queue, first in
first out, per conversation, else per connection; signals of an answer belong to the oldest one, and
where none is waiting (the server speaks unasked) to one without a message. A turn has at most one
INTENT_CLASSIFIED (its first) and at most one ACTION_EXECUTED or ACTION_FAILED besides its steps.
`TurnEnd` says when it is over.

No signal holds any of the text of a message or an answer. The one text that passes is a server's
error message, which admission normalises before anything is stored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from ..events import EndReason

__all__ = [
    "Action",
    "Clarification",
    "ConnectionNamed",
    "ErrorReported",
    "Intent",
    "MultiStepEnd",
    "MultiStepStart",
    "Queued",
    "Signal",
    "SkipReason",
    "Skipped",
    "Step",
    "StepsReported",
    "StreamContent",
    "StreamEnd",
    "StreamStart",
    "TurnEnd",
    "Usage",
    "UserMessage",
]

Extra: TypeAlias = dict[str, Any] | None


class UserMessage(msgspec.Struct, frozen=True, gc=False):
    """The user said something: MESSAGE_SENT, and a turn begins.

    A turn of its conversation that has ended tentatively is over now.

    Attributes:
        length: the message's Unicode code points; None if the frame has no text.
        frame_bytes: the whole frame in UTF-8.
        streaming: whether the client asked for a stream, if it says.
        conversation_id: see the module.
        claimed_user_id: who the client says it is; used only with `trust_client_identity`.
        extra: see the module.
    """

    length: int | None
    frame_bytes: int
    streaming: bool | None = None
    conversation_id: str | None = None
    claimed_user_id: str | None = None
    extra: Extra = None


class Queued(msgspec.Struct, frozen=True, gc=False):
    """The server put the user's message into a queue of its own.

    It becomes metadata of the MESSAGE_SENT of the newest unanswered message (`queued: True` and
    what is known below), which the tracker therefore hands on only with what follows the message.
    Not an event, and nothing if no message waits.

    Attributes:
        position: its place in the queue.
        total: messages in the queue.
        wait_ms: the wait that the server announced, in milliseconds.
        conversation_id: see the module.
    """

    position: int | None = None
    total: int | None = None
    wait_ms: float | None = None
    conversation_id: str | None = None


class Intent(msgspec.Struct, frozen=True, gc=False):
    """What the message was taken to mean: INTENT_CLASSIFIED if it is the turn's first.

    `classification_ms` is measured from the turn's message. The turn keeps the name: it is the
    `intent` of its later events, and the command of an `Action` without one.

    Attributes:
        name: the intent; never empty.
        confidence: 0..1, as the server says it.
        conversation_id: see the module.
        extra: see the module.
    """

    name: str
    confidence: float | None = None
    conversation_id: str | None = None
    extra: Extra = None


class Action(msgspec.Struct, frozen=True, gc=False):
    """A command ran: ACTION_EXECUTED or ACTION_FAILED, unless the turn has had either.

    A failed action alone is not an error.

    Attributes:
        success: whether it did what was asked.
        command_name: the command; None means the turn's intent.
        execution_ms: how long it took; None means from the turn's message until now.
        conversation_id: see the module.
        error_type: what failed, if the frame says.
        error_message: why, as the server says it.
        extra: see the module.
    """

    success: bool
    command_name: str | None = None
    execution_ms: float | None = None
    conversation_id: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    extra: Extra = None


class Clarification(msgspec.Struct, frozen=True, gc=False):
    """The copilot asks back instead of acting: CLARIFICATION_REQUESTED.

    Attributes:
        intent: what it guessed; None means the turn's intent.
        confidence: 0..1, as the server says it; None means that of the turn's intent.
        conversation_id: see the module.
        extra: see the module.
    """

    intent: str | None = None
    confidence: float | None = None
    conversation_id: str | None = None
    extra: Extra = None


class StreamStart(msgspec.Struct, frozen=True, gc=False):
    """An answer begins to arrive in pieces: STREAMING_STARTED.

    A stream that is open (in the same conversation, where both name one) ends first as
    STREAMING_INTERRUPTED, `superseded`. If its turn, or a turn that has ended tentatively, has had
    a stream already and another message waits, that turn is over and this stream is the next one's.

    Attributes:
        unless_open: it is nothing while a stream is open: the frame repeats it with every piece.
        intent: what the stream answers; None means the turn's intent.
        conversation_id: see the module.
        extra: see the module.
    """

    unless_open: bool = False
    intent: str | None = None
    conversation_id: str | None = None
    extra: Extra = None


class StreamContent(msgspec.Struct, frozen=True, gc=False):
    """A piece of the open stream: counted; the first one gives the TTFT.

    TTFT runs from the turn's message if nothing has answered it yet, else from the stream's start.
    Nothing if no stream is open. Not an event.

    Attributes:
        conversation_id: see the module.
    """

    conversation_id: str | None = None


class StreamEnd(msgspec.Struct, frozen=True, gc=False):
    """The open stream ends: STREAMING_COMPLETED, or STREAMING_INTERRUPTED for every other reason.

    Nothing if no stream is open, but for a tentative end. Never an ERROR_OCCURRED by itself.

    Attributes:
        reason: why; `EndReason.COMPLETED` is the good one.
        tentative: its figures may follow: the tracker hands the event on (as of now) only with
            what follows on the connection, and if that is another end in the same turn, with its
            `token_count` and `extra`.
        token_count: tokens that the server reported.
        partial_length: code points of what had arrived, if the frame repeats it.
        error_type: what failed, if the frame says.
        error_message: why, as the server says it.
        conversation_id: see the module.
        extra: see the module.
    """

    reason: EndReason = EndReason.COMPLETED
    tentative: bool = False
    token_count: int | None = None
    partial_length: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    conversation_id: str | None = None
    extra: Extra = None


class MultiStepStart(msgspec.Struct, frozen=True, gc=False):
    """A run of several steps begins: MULTI_STEP_STARTED.

    A run that is going on (in the same conversation, where both name one) ends first as
    MULTI_STEP_FAILED, `superseded`.

    Attributes:
        total: steps announced.
        conversation_id: see the module.
        extra: see the module.
    """

    total: int | None = None
    conversation_id: str | None = None
    extra: Extra = None


class Step(msgspec.Struct, frozen=True, gc=False):
    """A step ended: ACTION_EXECUTED or ACTION_FAILED with `step_number`, besides the turn's own.

    It counts towards `steps_completed` of the run that is going on; without a run it is recorded
    all the same and starts none.

    Attributes:
        success: whether it did what was asked.
        number: its place in the run, from 1.
        command_name: the command that ran; None means the turn's intent.
        execution_ms: how long it took; None means since the run's start or its last step.
        conversation_id: see the module.
        error_type: what failed, if the frame says.
        error_message: why, as the server says it.
        extra: see the module.
    """

    success: bool
    number: int | None = None
    command_name: str | None = None
    execution_ms: float | None = None
    conversation_id: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    extra: Extra = None


class MultiStepEnd(msgspec.Struct, frozen=True, gc=False):
    """The run ends: MULTI_STEP_COMPLETED, or MULTI_STEP_FAILED for every other reason.

    Nothing if none is going on. Never an ERROR_OCCURRED by itself.

    Attributes:
        reason: why; `EndReason.COMPLETED` is the good one.
        steps_completed: steps that ended, as the server says it; None means those that were seen.
        step_number: the step that failed, from 1.
        error_type: what failed, if the frame says.
        error_message: why, as the server says it.
        conversation_id: see the module.
        extra: see the module.
    """

    reason: EndReason = EndReason.COMPLETED
    steps_completed: int | None = None
    step_number: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    conversation_id: str | None = None
    extra: Extra = None


class StepsReported(msgspec.Struct, frozen=True, gc=False):
    """An answer says how many steps it took, afterwards.

    MULTI_STEP_STARTED and MULTI_STEP_COMPLETED at once, with no action per step; nothing if the
    turn has had a multi-step run, still going on or ended: its own frames told it better.

    Attributes:
        count: the steps, more than one.
        conversation_id: see the module.
    """

    count: int
    conversation_id: str | None = None


class ErrorReported(msgspec.Struct, frozen=True, gc=False):
    """The server told its user of an error: ERROR_OCCURRED.

    An open stream (of its conversation, where both name one) ends as STREAMING_INTERRUPTED,
    `error`, with the same `fault_id`. A multi-step run goes on: its own frame or the close ends it.

    Attributes:
        error_type: the error's code or class.
        message: what it says.
        retryable: whether the server says that a retry may help.
        correlation_id: the server's own id of it.
        conversation_id: see the module.
        extra: see the module.
    """

    error_type: str = "CopilotError"
    message: str | None = None
    retryable: bool | None = None
    correlation_id: str | None = None
    conversation_id: str | None = None
    extra: Extra = None


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What the turn's model calls used, in a frame of its own; not an event.

    It becomes metadata of the next event of the turn that can carry it (an action, the stream's
    end); a later one replaces what it names.

    Attributes:
        extra: `model`, `input_tokens` … by Python names.
        conversation_id: see the module.
    """

    extra: dict[str, Any]
    conversation_id: str | None = None


class ConnectionNamed(msgspec.Struct, frozen=True, gc=False):
    """The server's own id of the connection, from its greeting; not an event.

    The events that are not handed on yet carry it as `connection_id`, in place of the one that was
    made up at accept. The user id of somebody anonymous stays what it is.

    Attributes:
        connection_id: the id; never empty.
    """

    connection_id: str


class TurnEnd(msgspec.Struct, frozen=True, gc=False):
    """The answer is over, and with it the turn; not an event. Nothing if there is no turn.

    Attributes:
        tentative: more frames of the same answer may follow: they still belong to this turn, until
            the user's next message in its conversation ends it.
        conversation_id: see the module.
    """

    tentative: bool = False
    conversation_id: str | None = None


class SkipReason(StrEnum):
    """Why a frame told nothing."""

    MALFORMED = "malformed"
    """It is not what the protocol's frames are made of (JSON objects, mostly)."""
    UNKNOWN = "unknown"
    """It is none of the protocol's frames."""
    INVALID = "invalid"
    """It is one of them, but lacks what it is about, or has it in another form."""


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """The frame told nothing and should have: counted by reason, never logged; not an event.

    A frame that is known to mean nothing (a heartbeat) gives no signal at all.

    Attributes:
        reason: why.
    """

    reason: SkipReason


Signal: TypeAlias = (
    UserMessage
    | Queued
    | Intent
    | Action
    | Clarification
    | StreamStart
    | StreamContent
    | StreamEnd
    | MultiStepStart
    | Step
    | MultiStepEnd
    | StepsReported
    | ErrorReported
    | Usage
    | ConnectionNamed
    | TurnEnd
    | Skipped
)
"""Whatever an adapter may say."""
