"""Reading frames that nobody has promised to be well formed."""

from __future__ import annotations

import json
from typing import Any, Final, TypeVar

import msgspec

from .signals import Signal, Skipped, SkipReason

__all__ = ["INVALID", "MALFORMED", "UNKNOWN", "UNREADABLE", "byte_length", "fit", "load_object"]

MALFORMED: Final[tuple[Signal, ...]] = (Skipped(SkipReason.MALFORMED),)
"""What a frame tells that is no JSON object."""

UNKNOWN: Final[tuple[Signal, ...]] = (Skipped(SkipReason.UNKNOWN),)
"""What a frame tells that is none of the protocol's."""

INVALID: Final[tuple[Signal, ...]] = (Skipped(SkipReason.INVALID),)
"""What a frame tells that lacks what it is about."""

UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)
"""All that decoding any frame can raise; a str with lone surrogates is a ValueError."""

_SECOND_LOOK_CHARACTERS = 65_536  # about a millisecond of the event loop

F = TypeVar("F", bound=msgspec.Struct)


def byte_length(data: str | bytes) -> int:
    """Return how long a frame is in UTF-8."""
    if isinstance(data, bytes) or data.isascii():
        return len(data)
    return len(data.encode("utf-8", "surrogatepass"))


def load_object(data: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object in a frame, read as Python's own `json` reads it.

    Slow, and so for frames of at most 65,536 characters; None for longer ones and for whatever is
    no object. Unlike msgspec it takes lone surrogates (browsers escape them) and NaN (Python
    servers write it).
    """
    if len(data) > _SECOND_LOOK_CHARACTERS:
        return None
    try:
        value = json.loads(data if isinstance(data, str) else data.decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def fit(frame_type: type[F], found: dict[str, Any]) -> F:
    """Return a Struct with the fields that fit it and the defaults of those that do not.

    One odd field must not cost the whole frame.
    """
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(frame_type):
        value = found.get(field.encode_name)
        if isinstance(value, dict):
            nested = _struct_type(field.type)
            if nested is not None:
                values[field.name] = fit(nested, value)
        elif value is not None:
            try:
                values[field.name] = msgspec.convert(value, field.type)
            except UNREADABLE:
                continue
    return frame_type(**values)


def _struct_type(annotation: Any) -> type[msgspec.Struct] | None:
    """Return the Struct in an annotation like `Metadata | None`."""
    for part in getattr(annotation, "__args__", (annotation,)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None
