"""What metadata values may be: a check for each kind, which returns the value to keep.

Each has a fast way for what trackers pass, and a slow one for what applications may.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import SupportsIndex

from .events import EndReason, MetadataValue, ValueKind
from .redaction import bound_id, redact_name, stored_name

__all__ = [
    "CHECKS",
    "END_REASONS",
    "MAX_AMOUNT",
    "MAX_COUNT",
    "MAX_DURATION_MS",
    "Check",
    "UnfitError",
    "checked_id",
    "checked_name",
    "checked_text",
]

MAX_COUNT = 10**12
MAX_DURATION_MS = 366.0 * 24 * 3_600_000
MAX_AMOUNT = 1e9
# So that the sums of a day, durations in microseconds, stay far below 2**63.

END_REASONS = {reason.value: reason.value for reason in EndReason}
"""The texts of end reasons, by themselves and by the members."""


class UnfitError(Exception):
    """A value that is left out.

    Attributes:
        reason: `wrong_type`, `out_of_range`, `empty`, or `computed` for what is not to be given.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Check = Callable[[object], MetadataValue | None]
"""Returns what to keep of a value, None for nothing; raises `UnfitError`."""


def checked_text(value: object) -> str:
    """Return a text as it is, of exactly the type `str`.

    Raises:
        UnfitError: it is none, or empty.
    """
    if not isinstance(value, str):
        raise UnfitError("wrong_type")
    if not value:
        raise UnfitError("empty")
    return str.__str__(value)


def checked_name(value: object) -> str:
    """Return a name: redacted and bounded.

    Raises:
        UnfitError: it is none, or blank.
    """
    name = stored_name(checked_text(value))
    if not name:
        raise UnfitError("empty")
    return name


def checked_id(value: object) -> str:
    """Return an id: cleaned and bounded; a number becomes text, as JSON may have either.

    Raises:
        UnfitError: it is none, or empty.
    """
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64:
        return str(int(value))
    return bound_id(checked_text(value))


def _opaque_id(value: object) -> str:
    identifier = checked_id(value)
    # The application's own ids are kept as they are; others have no business with addresses.
    return bound_id(redact_name(identifier)) if "@" in identifier else identifier


def _number(value: object, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise UnfitError("wrong_type")
    try:
        number = float(value)
    except (OverflowError, ValueError):
        raise UnfitError("out_of_range") from None
    if not least <= number <= most:  # what is not a number is in no range
        raise UnfitError("out_of_range")
    return number


def _whole(value: object, least: int, most: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool):
        raise UnfitError("wrong_type")
    if isinstance(value, float):
        raise UnfitError("out_of_range")
    if not isinstance(value, SupportsIndex):
        raise UnfitError("wrong_type")
    whole = value.__index__()
    if not least <= whole <= most:
        raise UnfitError("out_of_range")
    return whole


def _count(value: object) -> int:
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    return _whole(value, 0, MAX_COUNT)


def _duration(value: object) -> float:
    if not (type(value) is float and 0.0 <= value <= MAX_DURATION_MS):
        value = _number(value, 0.0, MAX_DURATION_MS)
    return int(value * 1000.0 + 0.5) / 1000.0  # a third of the time that `round` takes


def _ratio(value: object) -> float:
    if type(value) is float and 0.0 <= value <= 1.0:
        return value
    return _number(value, 0.0, 1.0)


def _amount(value: object) -> float:
    return _number(value, 0.0, MAX_AMOUNT)


def _flag(value: object) -> bool:
    if type(value) is bool:
        return value
    raise UnfitError("wrong_type")


def _close_code(value: object) -> int:
    if type(value) is int and 1000 <= value <= 4999:
        return value
    return _whole(value, 1000, 4999)


def _end_reason(value: object) -> str:
    try:
        return END_REASONS[checked_text(value)]
    except KeyError:
        raise UnfitError("out_of_range") from None


CHECKS: dict[ValueKind, Check] = {
    ValueKind.COUNT: _count,
    ValueKind.DURATION: _duration,
    ValueKind.RATIO: _ratio,
    ValueKind.AMOUNT: _amount,
    ValueKind.FLAG: _flag,
    ValueKind.ID: _opaque_id,
    ValueKind.CLOSE_CODE: _close_code,
    ValueKind.END_REASON: _end_reason,
}
"""The checks that depend on nothing but the value; names, labels and texts are admission's own."""
