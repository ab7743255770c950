"""Values that frames hold, as values of metadata keys; what is of another kind counts as absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from ..events import EndReason, MetadataKey, ValueKind

__all__ = ["Reader", "reader_of", "text_of"]

Reader: TypeAlias = Callable[[Any], Any]
"""Returns a decoded JSON value as one of a metadata key; None if it is none. Never raises."""

_LARGEST = 2**63
_END_REASONS: Final = {str(reason): reason for reason in EndReason}


def reader_of(key: MetadataKey) -> Reader:
    """Return what reads the values of a metadata key; their bounds are admission's affair."""
    if key.name.endswith("_length"):
        return _length
    return _READERS.get(key.kind, text_of)


def text_of(value: Any) -> str | None:
    """Return a name or an id: a text that is not empty, or a number as one."""
    if isinstance(value, str):
        return value or None
    return str(value) if type(value) is int and abs(value) < _LARGEST else None


def _count(value: Any) -> int | None:
    return value if type(value) is int else None


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, str) else _count(value)


def _number(value: Any) -> float | None:
    return value if type(value) is float or type(value) is int else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _end_reason(value: Any) -> EndReason | None:
    return _END_REASONS.get(value) if isinstance(value, str) else None


_READERS: Final[Mapping[ValueKind, Reader]] = {
    ValueKind.COUNT: _count,
    ValueKind.DURATION: _number,
    ValueKind.RATIO: _number,
    ValueKind.AMOUNT: _number,
    ValueKind.FLAG: _flag,
    ValueKind.END_REASON: _end_reason,
}
