"""The periods that a time series is made of."""

from __future__ import annotations

import datetime as dt

from ..periods import DAY_MS, HOUR_MS, DateRange
from ..queries import Interval

__all__ = ["steps_of", "weeks_of"]

_WEEK_DAYS = 7
_WIDTHS_MS = {
    Interval.HOUR: HOUR_MS,
    Interval.DAY: DAY_MS,
    Interval.WEEK: _WEEK_DAYS * DAY_MS,
}


def steps_of(range: DateRange, interval: Interval) -> tuple[int, ...]:
    """Return when each hour, day or week of a range starts, epoch milliseconds."""
    start = range.start_ms
    if interval is Interval.WEEK:
        start -= range.start.weekday() * DAY_MS
    return _every(_WIDTHS_MS[interval], start, range.end_ms)


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
