"""Metadata checked by columns: the values that many observations have under one key, at once.

What trackers pass is nearly always fit, and built-in functions tell so in a tenth of the time that
a check of each value takes. A column that is not is left to the checks of `_values.py`, which say
why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ._values import END_REASONS, MAX_AMOUNT, MAX_COUNT, MAX_DURATION_MS
from .events import EndReason, EventType, MetadataValue, ValueKind

__all__ = ["COLUMN_CHECKS", "ColumnCheck", "Shapes", "types_of", "usual_names"]

_MAX_SHAPES = 1_000

_Shape = tuple[str, ...]
"""An event type and the keys of its metadata, in order."""

ColumnCheck = Callable[[Sequence[Any]], Sequence[MetadataValue] | None]
"""Returns what to keep of a column, the column itself where that is all; None if it is not fit."""


def types_of(values: Collection[object]) -> set[type]:
    """Return the types of some values."""
    return set(map(type, values))


def usual_names(known: Callable[[], set[str]]) -> ColumnCheck:
    """Return a check for names that were all admitted before."""

    def check(column: Sequence[Any]) -> Sequence[str] | None:
        return column if types_of(column) == {str} and known().issuperset(column) else None

    return check


# Where none is negative, a sum within the bound shows that each value is; and a sum with something
# that is no number is none.


def _counts(column: Sequence[Any]) -> Sequence[int] | None:
    if types_of(column) == {int} and min(column) >= 0 and sum(column) <= MAX_COUNT:
        return column
    return None


def _durations(column: Sequence[Any]) -> Sequence[float] | None:
    if types_of(column) == {float} and min(column) >= 0.0 and sum(column) <= MAX_DURATION_MS:
        return [int(value * 1000.0 + 0.5) / 1000.0 for value in column]
    return None


def _ratios(column: Sequence[Any]) -> Sequence[float] | None:
    if types_of(column) == {float} and 0.0 <= min(column) <= max(column) <= 1.0:
        return column if sum(column) >= 0.0 else None
    return None


def _amounts(column: Sequence[Any]) -> Sequence[float] | None:
    if types_of(column) == {float} and min(column) >= 0.0 and sum(column) <= MAX_AMOUNT:
        return column
    return None


def _flags(column: Sequence[Any]) -> Sequence[bool] | None:
    return column if types_of(column) == {bool} else None


def _close_codes(column: Sequence[Any]) -> Sequence[int] | None:
    if types_of(column) == {int} and 1000 <= min(column) <= max(column) <= 4999:
        return column
    return None


def _end_reasons(column: Sequence[Any]) -> Sequence[str] | None:
    # As plain texts: what is stored and read back is no member either.
    if types_of(column) <= {EndReason, str} and END_REASONS.keys() >= set(column):
        return [END_REASONS[reason] for reason in column]
    return None


COLUMN_CHECKS: dict[ValueKind, ColumnCheck] = {
    ValueKind.COUNT: _counts,
    ValueKind.DURATION: _durations,
    ValueKind.RATIO: _ratios,
    ValueKind.AMOUNT: _amounts,
    ValueKind.FLAG: _flags,
    ValueKind.CLOSE_CODE: _close_codes,
    ValueKind.END_REASON: _end_reasons,
}
"""The checks that depend on nothing but the values."""


class Shapes:
    """Tells which metadata may be kept, by shape: those of one event type with the same keys.

    Args:
        checks: by event type, the check of each key that may be fit without a second look.
    """

    def __init__(self, checks: Mapping[EventType, Mapping[str, ColumnCheck | None]]) -> None:
        self._checks = checks
        self._known: dict[_Shape, Sequence[ColumnCheck] | None] = {}

    def unfit(
        self, event_types: Sequence[EventType], metadata: Sequence[dict[str, Any]]
    ) -> set[int]:
        """Return the places of what needs a second look; the rest is made what is to be kept."""
        places: defaultdict[_Shape, list[int]] = defaultdict(list)
        shapes = [(kind, *keys) for kind, keys in zip(event_types, metadata, strict=True)]
        for place, shape in enumerate(shapes):
            places[shape].append(place)
        unfit: set[int] = set()
        for shape, found in places.items():
            if not self._fits(shape, [metadata[place] for place in found]):
                unfit.update(found)
        return unfit

    def _fits(self, shape: _Shape, metadata: Sequence[dict[str, Any]]) -> bool:
        checks = self._checks_of(shape)
        if checks is None:
            return False
        columns = zip(*[one.values() for one in metadata], strict=True)
        for name, check, column in zip(shape[1:], checks, columns, strict=True):
            kept = check(column)
            if kept is None:
                return False
            if kept is not column:
                for one, value in zip(metadata, kept, strict=True):
                    one[name] = value
        return True

    def _checks_of(self, shape: _Shape) -> Sequence[ColumnCheck] | None:
        if shape not in self._known:
            if len(self._known) >= _MAX_SHAPES:
                self._known.clear()
            of_type = self._checks.get(EventType(shape[0]))
            checks = [of_type.get(name) for name in shape[1:]] if of_type else [None]
            self._known[shape] = None if None in checks else tuple(filter(None, checks))
        return self._known[shape]
