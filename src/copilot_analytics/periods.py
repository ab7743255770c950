"""Days and hours in UTC, and ranges of days: the time axis of every rollup and every question."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import QuestionError

__all__ = ["DAY_MS", "HOUR_MS", "MAX_RANGE_DAYS", "DateRange", "day_of", "hour_of", "parse_day"]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MAX_RANGE_DAYS = 400
"""The longest range one question may span: 800 days of rollups hold it and its comparison."""

DEFAULT_RANGE_DAYS = 30


def day_of(timestamp: int) -> str:
    """Return the UTC day, `YYYY-MM-DD`, of a time in epoch milliseconds."""
    return (dt.date(1970, 1, 1) + dt.timedelta(days=timestamp // DAY_MS)).isoformat()


def hour_of(timestamp: int) -> str:
    """Return the UTC hour, `YYYY-MM-DDTHH`, of a time in epoch milliseconds."""
    return f"{day_of(timestamp)}T{timestamp % DAY_MS // HOUR_MS:02d}"


def parse_day(argument: str, value: str) -> dt.date:
    """Return the date of `YYYY-MM-DD`.

    Raises:
        QuestionError: it is none.
    """
    try:
        day = dt.date.fromisoformat(value)
        # It also reads 20250101 and 2025-W01-1.
        if day.isoformat() != value:
            raise ValueError
        return day
    except ValueError:
        raise QuestionError(argument, value, "give a date as YYYY-MM-DD, in UTC") from None


@dataclass(frozen=True, slots=True)
class DateRange:
    """An inclusive range of UTC days, at most `MAX_RANGE_DAYS` long.

    Raises:
        QuestionError: start is after end, or the range is too long.
    """

    start: dt.date
    end: dt.date

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise QuestionError(
                "range",
                f"{self.start}..{self.end}",
                "its start is after its end; swap them",
            )
        if self.days > MAX_RANGE_DAYS:
            raise QuestionError(
                "range",
                f"{self.start}..{self.end}",
                f"it spans {self.days} days; ask for at most {MAX_RANGE_DAYS}",
            )

    @classmethod
    def of(
        cls, start: str | dt.date | None = None, end: str | dt.date | None = None, *, now_ms: int
    ) -> DateRange:
        """Return the range of two days; a missing end is today, a missing start 29 days before it.

        Raises:
            QuestionError: a date is malformed, or the range is.
        """
        last = parse_day("end", end) if isinstance(end, str) else end
        if last is None:
            last = dt.date.fromisoformat(day_of(now_ms))
        first = parse_day("start", start) if isinstance(start, str) else start
        if first is None:
            try:
                first = last - dt.timedelta(days=DEFAULT_RANGE_DAYS - 1)
            except OverflowError:
                raise QuestionError("end", str(last), "give a later date") from None
        return cls(first, last)

    @property
    def days(self) -> int:
        """The number of days, at least 1."""
        return (self.end - self.start).days + 1

    @property
    def first_day(self) -> str:
        """The first day as `YYYY-MM-DD`."""
        return self.start.isoformat()

    @property
    def last_day(self) -> str:
        """The last day as `YYYY-MM-DD`."""
        return self.end.isoformat()

    @property
    def start_ms(self) -> int:
        """The first millisecond, epoch, UTC."""
        return (self.start - dt.date(1970, 1, 1)).days * DAY_MS

    @property
    def end_ms(self) -> int:
        """The millisecond after the last, epoch, UTC."""
        return ((self.end - dt.date(1970, 1, 1)).days + 1) * DAY_MS

    @property
    def spelled(self) -> str:
        """The range in words: `YYYY-MM-DD to YYYY-MM-DD (UTC)`."""
        return f"{self.first_day} to {self.last_day} (UTC)"

    def previous(self) -> DateRange:
        """Return the range of equal length that ends the day before this one starts."""
        length = dt.timedelta(days=self.days)
        return DateRange(self.start - length, self.end - length)

    def each_day(self) -> Iterator[str]:
        """Yield every day as `YYYY-MM-DD`, in order."""
        for offset in range(self.days):
            yield (self.start + dt.timedelta(days=offset)).isoformat()

    def __str__(self) -> str:
        return f"{self.start}..{self.end}"
