"""The periods that a time series is made of."""

from __future__ import annotations

import datetime as dt

from ..periods import DAY_MS, HOUR_MS, DateRange
from ..queries import Interval

__all__ = ["steps_of", "weeks_of"]

_WEEK_DAYS = 7


def steps_of(range: DateRange, interval: Interval) -> tuple[int, ...]:
    """Return when each hour, day or week of a range starts, epoch milliseconds."""
    match interval:
        case Interval.HOUR:
            return _every(HOUR_MS, range.start_ms, range.end_ms)
        case Interval.DAY:
            return _every(DAY_MS, range.start_ms, range.end_ms)
        case Interval.WEEK:
            monday = range.start_ms - range.start.weekday() * DAY_MS
            return _every(_WEEK_DAYS * DAY_MS, monday, range.end_ms)


def weeks_of(range: DateRange) -> tuple[DateRange, ...]:
    """Return a range cut into ISO weeks; the first and the last one may have fewer days."""
    # Ordinals, because the calendar ends in the middle of a week.
    first, last = range.start.toordinal(), range.end.toordinal()
    weeks = []
    while first <= last:
        monday = first - (first - 1) % _WEEK_DAYS
        end = min(monday + _WEEK_DAYS - 1, last)
        weeks.append(DateRange(dt.date.fromordinal(first), dt.date.fromordinal(end)))
        first = end + 1
    return tuple(weeks)


def _every(step: int, start: int, end: int) -> tuple[int, ...]:
    return tuple(range(start, end, step))
