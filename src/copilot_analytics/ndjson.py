"""NDJSON: one stored event a line, as exports write and imports read it.

A line is one JSON object in UTF-8 that ends in a line feed:

    {"eventId":"01K…","eventType":"ACTION_EXECUTED","userId":"ada","timestamp":1764072000000,
     "conversationId":"c-1","connectionId":"01K…","metadata":{"commandName":"search"}}

(without the break). `timestamp` is in epoch milliseconds; what an event does not have is left out;
metadata has the stored, camelCase names. Which process wrote the event is not told.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import msgspec

from .encoding import from_stored_names, to_stored_names
from .events import AnalyticsEvent, EventType, MetadataValue, Observation

__all__ = ["MAX_LINE_BYTES", "Line", "LineError", "decode_event", "encode_event", "time_of"]

MAX_LINE_BYTES = 1 << 20
"""A longer line is no event's: the longest that is written has some 10 KB."""

_ZONE = dt.UTC
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=_ZONE)
_MILLISECOND = dt.timedelta(milliseconds=1)


class _Stored(msgspec.Struct, rename="camel", omit_defaults=True):
    event_id: str
    event_type: str
    user_id: str
    timestamp: int
    conversation_id: str | None = None
    connection_id: str | None = None
    metadata: dict[str, MetadataValue] = {}


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class LineError(Exception):
    """A line that is no event.

    Attributes:
        reason: `too_long`, `not_json`, `not_an_object`, `unknown_type`, `bad_time` or
            `bad_metadata`; never anything of the line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Line(msgspec.Struct, frozen=True):
    """What a line says: unchecked, nothing of it may be stored before it is admitted.

    Attributes:
        event_id: its id, if it has any.
        observation: what happened; metadata by Python names.
    """

    event_id: str | None
    observation: Observation


def encode_event(event: AnalyticsEvent) -> bytes:
    """Return the line of an event, line feed included."""
    stored = _Stored(
        event.event_id,
        event.event_type.value,
        event.user_id,
        event.timestamp,
        event.conversation_id,
        event.connection_id,
        to_stored_names(event.metadata),
    )
    return _encode(stored) + b"\n"


def decode_event(line: bytes) -> Line:
    """Return what a line says; of unknown keys nothing is kept.

    Times may also be ISO 8601 texts with their offset from UTC, such as `2026-11-26T12:00:00Z`.

    Raises:
        LineError: it is no event.
    """
    if len(line) > MAX_LINE_BYTES:
        raise LineError("too_long")
    try:
        found = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise LineError("not_json") from None
    if not isinstance(found, dict):
        raise LineError("not_an_object")
    try:
        event_type = EventType(str(found.get("eventType")))
    except ValueError:
        raise LineError("unknown_type") from None
    timestamp = time_of(found.get("timestamp"))
    if timestamp is None:
        raise LineError("bad_time")
    metadata = found.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise LineError("bad_metadata")
    event_id = found.get("eventId")
    observation = Observation(
        event_type,
        found.get("userId"),  # type: ignore[arg-type]  # admission checks it
        timestamp,
        found.get("conversationId"),
        found.get("connectionId"),
        from_stored_names(metadata or {}),
    )
    return Line(event_id if isinstance(event_id, str) and event_id else None, observation)


def time_of(value: Any) -> int | None:
    """Return a time in epoch milliseconds, given so or as an ISO 8601 text; None if it is none."""
    if isinstance(value, str):
        if value.isascii() and value.isdigit() and len(value) < 16:
            return int(value)
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        return (moment - _EPOCH) // _MILLISECOND
    if isinstance(value, float) and math.isfinite(value):
        value = int(value)
    return value if type(value) is int else None
