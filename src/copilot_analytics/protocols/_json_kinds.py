"""What the rules of a `JsonAdapter` may lead to: a table from words to signals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ..events import METADATA_KEYS, EndReason, EventType, MetadataKey, ValueKind
from .signals import (
    Action,
    Clarification,
    ConnectionNamed,
    ErrorReported,
    Intent,
    MultiStepEnd,
    MultiStepStart,
    Queued,
    Step,
    StreamContent,
    StreamEnd,
    StreamStart,
    Usage,
    UserMessage,
)

__all__ = ["KINDS", "STARTING_CONTENT", "STEP", "Kind"]


class Kind(msgspec.Struct, frozen=True):
    """What a rule's `event` leads to.

    Attributes:
        signal: the signal; None for none.
        fields: the signal's fields by the metadata key that sets them; other keys are its `extra`.
        keys: what `set` may name, by Python names.
        fixed: further fields of the signal.
        turn: what becomes of the turn unless the rule says it.
    """

    signal: type[msgspec.Struct] | None = None
    fields: dict[str, str] = {}
    keys: dict[str, MetadataKey] = {}
    fixed: dict[str, Any] = {}
    turn: str = "goes_on"


_QUEUE: Final = {"queue_position": "position", "queue_total": "total", "queue_wait_ms": "wait_ms"}
# What a frame of the event cannot say: measured or made here, or told by another event or its name.
_NOT_SET: Final = frozenset(
    {"close_code", "fault_id", "fingerprint", "message_bytes", "queued", "success", *_QUEUE}
)
_FAULT: Final = {"error_type": "error_type", "error_message": "error_message"}
_ACTION: Final = {"command_name": "command_name", "execution_ms": "execution_ms", **_FAULT}
_STREAM_END: Final = {
    "end_reason": "reason",
    "token_count": "token_count",
    "partial_length": "partial_length",
    **_FAULT,
}
_STEPS_END: Final = {
    "end_reason": "reason",
    "steps_completed": "steps_completed",
    "step_number": "step_number",
    **_FAULT,
}


def _keys(event_type: EventType) -> dict[str, MetadataKey]:
    keys = {name: key for name, key in METADATA_KEYS[event_type].items() if name not in _NOT_SET}
    if "intent" in keys:  # it becomes an intent of its own, and that has a confidence
        keys["confidence"] = METADATA_KEYS[EventType.INTENT_CLASSIFIED]["confidence"]
    return keys


def _kind(
    event_type: EventType,
    signal: type[msgspec.Struct],
    fields: dict[str, str],
    turn: str = "goes_on",
    **fixed: Any,
) -> Kind:
    return Kind(signal, fields, _keys(event_type), fixed, turn)


_MESSAGE_KEYS: Final = METADATA_KEYS[EventType.MESSAGE_SENT]
_USAGE_KEYS: Final = {
    name: METADATA_KEYS[EventType.ACTION_EXECUTED][name]
    for name in (
        "model",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "cost",
    )
}
KINDS: Final[Mapping[str, Kind]] = {
    "MESSAGE_SENT": _kind(
        EventType.MESSAGE_SENT, UserMessage, {"message_length": "length", "streaming": "streaming"}
    ),
    "INTENT_CLASSIFIED": _kind(
        EventType.INTENT_CLASSIFIED, Intent, {"intent": "name", "confidence": "confidence"}
    ),
    "ACTION_EXECUTED": _kind(EventType.ACTION_EXECUTED, Action, _ACTION, "ends", success=True),
    "ACTION_FAILED": _kind(EventType.ACTION_FAILED, Action, _ACTION, "ends", success=False),
    "CLARIFICATION_REQUESTED": _kind(
        EventType.CLARIFICATION_REQUESTED,
        Clarification,
        {"intent": "intent", "confidence": "confidence"},
        "ends",
    ),
    "STREAMING_STARTED": _kind(EventType.STREAMING_STARTED, StreamStart, {"intent": "intent"}),
    "STREAMING_COMPLETED": _kind(EventType.STREAMING_COMPLETED, StreamEnd, _STREAM_END, "ends"),
    "STREAMING_INTERRUPTED": _kind(
        EventType.STREAMING_INTERRUPTED,
        StreamEnd,
        _STREAM_END,
        "ends",
        reason=EndReason.INTERRUPTED,
    ),
    "MULTI_STEP_STARTED": _kind(
        EventType.MULTI_STEP_STARTED, MultiStepStart, {"steps_total": "total"}
    ),
    "MULTI_STEP_COMPLETED": _kind(
        EventType.MULTI_STEP_COMPLETED, MultiStepEnd, _STEPS_END, "may_end"
    ),
    "MULTI_STEP_FAILED": _kind(
        EventType.MULTI_STEP_FAILED, MultiStepEnd, _STEPS_END, "may_end", reason=EndReason.ERROR
    ),
    "ERROR_OCCURRED": _kind(
        EventType.ERROR_OCCURRED,
        ErrorReported,
        {
            "error_type": "error_type",
            "error_message": "message",
            "retryable": "retryable",
            "correlation_id": "correlation_id",
        },
        "ends",
    ),
    "first_content": Kind(StreamContent),
    "queued": Kind(Queued, _QUEUE, {name: _MESSAGE_KEYS[name] for name in _QUEUE}),
    "usage": Kind(Usage, keys=_USAGE_KEYS),
    "connection": Kind(
        ConnectionNamed,
        {"connection_id": "connection_id"},
        {"connection_id": MetadataKey("connection_id", "connectionId", ValueKind.ID, "Its id.")},
    ),
    "ignore": Kind(),
}
STEP: Final = Kind(Step, {"step_number": "number", **_ACTION})
STARTING_CONTENT: Final = Kind(StreamContent, keys=_keys(EventType.STREAMING_STARTED))
