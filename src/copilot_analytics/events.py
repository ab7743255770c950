"""What is recorded: the 14 event types, their metadata keys, and the two forms of an event.

An `Observation` is what a tracker or the application says it saw: unchecked, never stored.
Admission (`admission.py`) turns it into an `AnalyticsEvent`: bounded, redacted, numbered, the form
that every store keeps. Metadata is a closed set of keys per event type, the table `METADATA_KEYS`;
in Python they are snake_case, stored and exported they are camelCase, and that table is the only
place that maps one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

__all__ = [
    "ALL_METADATA_KEYS",
    "ANONYMOUS_PREFIX",
    "METADATA_KEYS",
    "AnalyticsEvent",
    "EndReason",
    "EventType",
    "MetadataKey",
    "MetadataValue",
    "Observation",
    "ValueKind",
]

ANONYMOUS_PREFIX = "anonymous:"
"""How the user ids of people who are not signed in start; they count in no number of users."""

MetadataValue = str | int | float | bool
"""What a metadata value may be once admitted."""


class EventType(StrEnum):
    """What happened; the values are the names."""

    MESSAGE_SENT = "MESSAGE_SENT"
    INTENT_CLASSIFIED = "INTENT_CLASSIFIED"
    ACTION_EXECUTED = "ACTION_EXECUTED"
    ACTION_FAILED = "ACTION_FAILED"
    CLARIFICATION_REQUESTED = "CLARIFICATION_REQUESTED"
    STREAMING_STARTED = "STREAMING_STARTED"
    STREAMING_COMPLETED = "STREAMING_COMPLETED"
    STREAMING_INTERRUPTED = "STREAMING_INTERRUPTED"
    MULTI_STEP_STARTED = "MULTI_STEP_STARTED"
    MULTI_STEP_COMPLETED = "MULTI_STEP_COMPLETED"
    MULTI_STEP_FAILED = "MULTI_STEP_FAILED"
    ERROR_OCCURRED = "ERROR_OCCURRED"
    WEBSOCKET_CONNECTED = "WEBSOCKET_CONNECTED"
    WEBSOCKET_DISCONNECTED = "WEBSOCKET_DISCONNECTED"


class EndReason(StrEnum):
    """Why a stream or a multi-step run ended."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    SUPERSEDED = "superseded"
    ERROR = "error"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    MAX_TOKENS = "max_tokens"
    CONTENT_FILTER = "content_filter"


class ValueKind(StrEnum):
    """How a metadata value is checked and bounded when it is admitted."""

    COUNT = "count"
    """A non-negative integer."""
    DURATION = "duration"
    """Milliseconds: finite, non-negative; kept to the microsecond."""
    RATIO = "ratio"
    """A float in 0..1."""
    AMOUNT = "amount"
    """A finite, non-negative float (US dollars for `cost`)."""
    FLAG = "flag"
    """A bool."""
    NAME = "name"
    """A short name: redacted, at most 128 code points, limited in number per day (DESIGN §5)."""
    LABEL = "label"
    """A short name that is no rollup's dimension: redacted, at most 128 code points."""
    ID = "id"
    """An opaque identifier of at most 256 bytes."""
    TEXT = "text"
    """An error message: normalised, so that no personal data is left (`redaction.py`)."""
    CLOSE_CODE = "close_code"
    """A WebSocket close code, 1000..4999."""
    END_REASON = "end_reason"
    """A value of `EndReason`."""


class MetadataKey(msgspec.Struct, frozen=True):
    """One metadata key: its Python name, stored name, kind and meaning.

    Attributes:
        name: the snake_case name used in Python.
        stored: the camelCase name used in stores, exports, REST and GraphQL.
        kind: how the value is checked.
        meaning: one sentence for the documentation, with the unit.
    """

    name: str
    stored: str
    kind: ValueKind
    meaning: str


def _key(name: str, kind: ValueKind, meaning: str) -> MetadataKey:
    head, *rest = name.split("_")
    return MetadataKey(name, head + "".join(part.capitalize() for part in rest), kind, meaning)


_K = ValueKind
_VARIANT = _key("variant", _K.LABEL, "The A/B variant that the application set.")
_INTENT = _key("intent", _K.NAME, "What the classifier took the message to mean.")
_CONFIDENCE = _key("confidence", _K.RATIO, "The classifier's confidence, 0..1.")
_COMMAND = _key("command_name", _K.NAME, "The command (action, tool) that ran.")
_DURATION = _key("duration_ms", _K.DURATION, "From start to end, in milliseconds.")
_END_REASON = _key("end_reason", _K.END_REASON, "Why it ended.")
_CLOSE_CODE = _key("close_code", _K.CLOSE_CODE, "The WebSocket close code that ended it.")
_FAULT = _key("fault_id", _K.ID, "Links the events that one fault caused.")
_ERROR = (
    _key("error_type", _K.NAME, "The error's class or code."),
    _key("error_message", _K.TEXT, "The error's message, normalised; never as it was."),
    _key("fingerprint", _K.ID, "Groups errors of one type and normalised message."),
    _FAULT,
)
_USAGE = (
    _key("model", _K.NAME, "The model that answered."),
    _key("input_tokens", _K.COUNT, "Uncached input tokens."),
    _key("output_tokens", _K.COUNT, "Output tokens, reasoning excluded."),
    _key("cache_read_tokens", _K.COUNT, "Input tokens read from the provider's cache."),
    _key("cache_write_tokens", _K.COUNT, "Input tokens written to the provider's cache."),
    _key("reasoning_tokens", _K.COUNT, "Reasoning tokens."),
    _key("cost", _K.AMOUNT, "What the call cost, in US dollars."),
)
_STEPS = (
    _key("steps_total", _K.COUNT, "Steps announced."),
    _key("steps_completed", _K.COUNT, "Steps that ended."),
)
_ACTION = (
    _COMMAND,
    _key("success", _K.FLAG, "Whether it did what was asked."),
    _key("execution_ms", _K.DURATION, "How long the command took, in milliseconds."),
    _INTENT,
    _key("step_number", _K.COUNT, "Its place in a multi-step run, from 1."),
)
_STREAM_END = (
    _key(
        "ttft_ms",
        _K.DURATION,
        "User's message (or stream start) to first content, in milliseconds.",
    ),
    _DURATION,
    _key("mean_gap_ms", _K.DURATION, "Mean time between content frames, in milliseconds."),
    _key("chunk_count", _K.COUNT, "Content frames sent."),
    _key("token_count", _K.COUNT, "Tokens that the server reported."),
    _END_REASON,
)

METADATA_KEYS: Mapping[EventType, Mapping[str, MetadataKey]] = MappingProxyType(
    {
        event_type: MappingProxyType({key.name: key for key in (*keys, _VARIANT)})
        for event_type, keys in {
            EventType.MESSAGE_SENT: (
                _key("message_length", _K.COUNT, "Unicode code points of the message."),
                _key("message_bytes", _K.COUNT, "Bytes of the whole frame, UTF-8."),
                _key("streaming", _K.FLAG, "Whether the client asked for a stream."),
                _key("queued", _K.FLAG, "Whether the server queued the message."),
                _key("queue_position", _K.COUNT, "Its place in the server's queue."),
                _key("queue_total", _K.COUNT, "Messages in the server's queue."),
                _key(
                    "queue_wait_ms", _K.DURATION, "The wait the server announced, in milliseconds."
                ),
            ),
            EventType.INTENT_CLASSIFIED: (
                _INTENT,
                _CONFIDENCE,
                _key(
                    "classification_ms", _K.DURATION, "User's message to intent, in milliseconds."
                ),
                *_USAGE,
            ),
            EventType.ACTION_EXECUTED: (*_ACTION, *_USAGE),
            EventType.ACTION_FAILED: (*_ACTION, *_ERROR, *_USAGE),
            EventType.CLARIFICATION_REQUESTED: (_INTENT, _CONFIDENCE, *_USAGE),
            EventType.STREAMING_STARTED: (_INTENT,),
            EventType.STREAMING_COMPLETED: (*_STREAM_END, _INTENT, *_USAGE),
            EventType.STREAMING_INTERRUPTED: (
                *_STREAM_END,
                _INTENT,
                _CLOSE_CODE,
                _key("partial_length", _K.COUNT, "Code points of the partial answer."),
                *_ERROR,
                *_USAGE,
            ),
            EventType.MULTI_STEP_STARTED: _STEPS[:1],
            EventType.MULTI_STEP_COMPLETED: (*_STEPS, _DURATION),
            EventType.MULTI_STEP_FAILED: (
                *_STEPS,
                _DURATION,
                _key("step_number", _K.COUNT, "The step that failed, from 1."),
                _END_REASON,
                _CLOSE_CODE,
                *_ERROR,
            ),
            EventType.ERROR_OCCURRED: (
                *_ERROR,
                _COMMAND,
                _CLOSE_CODE,
                _key("retryable", _K.FLAG, "Whether the server said that a retry may help."),
                _key("correlation_id", _K.ID, "The server's own id of the failure."),
            ),
            EventType.WEBSOCKET_CONNECTED: (
                _key("adapter", _K.LABEL, "The frame adapter that reads the connection."),
                _key("subprotocol", _K.LABEL, "The WebSocket sub-protocol that was accepted."),
                _key("anonymous", _K.FLAG, "Whether nobody is signed in."),
                _key("reconnect", _K.FLAG, "Whether the user came back after a lost connection."),
            ),
            EventType.WEBSOCKET_DISCONNECTED: (
                _CLOSE_CODE,
                _key("connection_ms", _K.DURATION, "Accept to close, in milliseconds."),
                _key("messages", _K.COUNT, "Messages the user sent on it."),
            ),
        }.items()
    }
)
"""The documented metadata keys of each event type, by their Python names."""

ALL_METADATA_KEYS: Mapping[str, MetadataKey] = MappingProxyType(
    {name: key for keys in METADATA_KEYS.values() for name, key in keys.items()}
)
"""Every metadata key by its Python name; a name has one meaning in every event type."""


class Observation(msgspec.Struct, gc=False):
    """Something seen, as a tracker or the application says it: unchecked and never stored as it is.

    Cheap on purpose (it is made on the host's event loop); whatever can wait is done by admission
    in the recorder's thread. Whoever hands it to the recorder gives it, and its metadata, away.

    Attributes:
        event_type: what happened.
        user_id: whose it is, already pseudonymised where that is configured; "anonymous:…" for
            nobody.
        timestamp: epoch milliseconds, UTC.
        conversation_id: the thread of messages, if known.
        connection_id: the socket, if any.
        metadata: by Python names, see `METADATA_KEYS`; unchecked.
    """

    event_type: EventType
    user_id: str
    timestamp: int
    conversation_id: str | None = None
    connection_id: str | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class AnalyticsEvent(msgspec.Struct, frozen=True, gc=False):
    """An admitted event: checked, bounded, redacted and numbered; what every store keeps.

    The order of events everywhere is (timestamp, event_id). Its rollup period is its timestamp's
    in UTC.

    Attributes:
        event_id: ULID, 26 characters, in lexical order of admission within a millisecond.
        event_type: what happened.
        user_id: at most 256 bytes.
        timestamp: epoch milliseconds, UTC.
        conversation_id: at most 256 bytes, if known.
        connection_id: at most 256 bytes, if any.
        metadata: by Python names, only keys of `METADATA_KEYS[event_type]` and those that the
            application registered. Treat it as frozen.
        writer: the id of the process that wrote it.
        sequence: the writer's number of it, rising, never used twice.
    """

    event_id: str
    event_type: EventType
    user_id: str
    timestamp: int
    conversation_id: str | None
    connection_id: str | None
    metadata: dict[str, MetadataValue]
    writer: str
    sequence: int
