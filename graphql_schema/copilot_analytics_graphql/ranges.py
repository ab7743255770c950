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

__all__ = ["RangeArgument", "RangeInput", "RangePreset", "asked_range", "previous_range"]


@strawberry.enum(description="A range that moves with today, UTC.")
class RangePreset(Enum):
    """Named ranges; see `_PRESETS` for their days."""

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


_PRESETS: Mapping[RangePreset, tuple[int, int]] = {
    RangePreset.TODAY: (1, 0),
    RangePreset.YESTERDAY: (1, 1),
    RangePreset.LAST_7_DAYS: (7, 0),
    RangePreset.LAST_30_DAYS: (30, 0),
    RangePreset.LAST_90_DAYS: (90, 0),
}
"""How many days each has, and how many days ago the last of them was."""


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
    days, ago = _PRESETS[asked.preset]
    end = dt.date.fromisoformat(day_of(now_ms)) - dt.timedelta(days=ago)
    return DateRange(end - dt.timedelta(days=days - 1), end)


def previous_range(range: DateRange) -> DateRange | None:
    """Return the range of equal length before this one; None where the calendar has none."""
    try:
        return range.previous()
    except OverflowError:
        return None
