"""The range of days that a question is about: two dates, or a preset, or the last 30 days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import Enum
from typing import Annotated

import strawberry

from copilot_analytics.errors import QuestionError
from copilot_analytics.periods import DateRange, day_of

from .scalars import Day

__all__ = [
    "RangeArgument",
    "RangeInput",
    "RangePreset",
    "asked_range",
    "previous_range",
    "range_as_given",
]


@strawberry.enum(description="A range that moves with today, UTC.")
class RangePreset(Enum):
    """Named ranges; see `_preset_range` for their days."""

    TODAY = strawberry.enum_value("TODAY", description="Today so far.")
    YESTERDAY = strawberry.enum_value("YESTERDAY", description="The day before today.")
    LAST_7_DAYS = strawberry.enum_value(
        "LAST_7_DAYS", description="Today and the 6 days before it."
    )
    LAST_30_DAYS = strawberry.enum_value(
        "LAST_30_DAYS", description="Today and the 29 days before it."
    )
    LAST_90_DAYS = strawberry.enum_value(
        "LAST_90_DAYS", description="Today and the 89 days before it."
    )
    THIS_MONTH = strawberry.enum_value(
        "THIS_MONTH", description="From the first day of this calendar month to today."
    )
    LAST_MONTH = strawberry.enum_value(
        "LAST_MONTH", description="The calendar month before this one, all of it."
    )


_LAST_DAYS: Mapping[RangePreset, tuple[int, int]] = {
    RangePreset.TODAY: (1, 0),
    RangePreset.YESTERDAY: (1, 1),
    RangePreset.LAST_7_DAYS: (7, 0),
    RangePreset.LAST_30_DAYS: (30, 0),
    RangePreset.LAST_90_DAYS: (90, 0),
}
"""How many days each has, and how many days ago the last of them was."""

_DAY = dt.timedelta(days=1)


@strawberry.input(
    name="DateRange",
    description=(
        "An inclusive range of days in UTC, at most 400 of them: `start` and `end`, or a `preset`."
    ),
)
class RangeInput:
    """What a client gives; see `asked_range`."""

    start: Day | None = strawberry.field(
        default=None, description="The first day; by default 29 days before the last one."
    )
    end: Day | None = strawberry.field(default=None, description="The last day; today by default.")
    preset: RangePreset | None = strawberry.field(
        default=None, description="Instead of `start` and `end`."
    )


RangeArgument = Annotated[
    RangeInput | None,
    strawberry.argument(description="Which days; the last 30, today included, by default."),
]
"""The `range` of every question."""


def asked_range(asked: RangeInput | None, now_ms: int) -> DateRange:
    """Return the days a client asks about.

    Raises:
        QuestionError: start is after end, it is too long, or a preset came with dates.
    """
    if asked is None:
        return DateRange.of(now_ms=now_ms)
    if asked.preset is None:
        return DateRange.of(asked.start, asked.end, now_ms=now_ms)
    if asked.start is not None or asked.end is not None:
        raise QuestionError(
            "preset", asked.preset.name, "it came with dates; give a preset or dates, not both"
        )
    return _preset_range(asked.preset, dt.date.fromisoformat(day_of(now_ms)))


def _preset_range(preset: RangePreset, today: dt.date) -> DateRange:
    month = today.replace(day=1)
    if preset is RangePreset.THIS_MONTH:
        return DateRange(month, today)
    if preset is RangePreset.LAST_MONTH:
        last = month - _DAY
        return DateRange(last.replace(day=1), last)
    days, ago = _LAST_DAYS[preset]
    end = today - ago * _DAY
    return DateRange(end - (days - 1) * _DAY, end)


def range_as_given(asked: RangeInput | None) -> tuple[str | None, ...]:
    """Return what tells one range that a client gives from another, midnight or not."""
    if asked is None:
        return ()
    return (
        None if asked.start is None else asked.start.isoformat(),
        None if asked.end is None else asked.end.isoformat(),
        None if asked.preset is None else asked.preset.name,
    )


def previous_range(range: DateRange) -> DateRange | None:
    """Return the range of equal length before this one; None where the calendar has none."""
    try:
        return range.previous()
    except OverflowError:
        return None
