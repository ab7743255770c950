from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.errors import QuestionError
from copilot_analytics.periods import DAY_MS, MAX_RANGE_DAYS, DateRange, day_of, hour_of, parse_day

NOW = 1_750_000_000_000  # 2025-06-15T15:06:40Z
DAYS = st.dates(dt.date(1971, 1, 1), dt.date(2200, 1, 1))


@given(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2200, 1, 1)))
def test_day_and_hour_are_those_of_utc(moment: dt.datetime) -> None:
    timestamp = int(moment.replace(tzinfo=dt.UTC).timestamp() * 1000)
    assert day_of(timestamp) == moment.strftime("%Y-%m-%d")
    assert hour_of(timestamp) == moment.strftime("%Y-%m-%dT%H")


@pytest.mark.parametrize(
    ("timestamp", "day", "hour"),
    [
        (0, "1970-01-01", "1970-01-01T00"),
        (DAY_MS - 1, "1970-01-01", "1970-01-01T23"),
        (DAY_MS, "1970-01-02", "1970-01-02T00"),
        (1_709_251_199_999, "2024-02-29", "2024-02-29T23"),
    ],
)
def test_a_day_ends_a_millisecond_before_midnight(timestamp: int, day: str, hour: str) -> None:
    assert (day_of(timestamp), hour_of(timestamp)) == (day, hour)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2025-6-15",
        "20250615",
        "2025-W24-7",
        "2025-02-30",
        "2025-06-15T00",
        "15.06.2025",
        "today",
    ],
)
def test_what_is_no_date_is_refused_with_the_form(value: str) -> None:
    with pytest.raises(QuestionError, match="YYYY-MM-DD") as caught:
        parse_day("start", value)
    assert (caught.value.argument, caught.value.value) == ("start", value)


def test_a_range_ends_today_and_spans_thirty_days_by_default() -> None:
    days = DateRange.of(now_ms=NOW)
    assert str(days) == "2025-05-17..2025-06-15"
    assert days.days == 30
    assert DateRange.of("2025-06-14", now_ms=NOW).days == 2
    assert str(DateRange.of(end="2025-01-30", now_ms=NOW)) == "2025-01-01..2025-01-30"
    assert DateRange.of(dt.date(2025, 6, 15), dt.date(2025, 6, 15), now_ms=NOW).days == 1


@pytest.mark.parametrize(
    ("start", "end", "remedy"),
    [
        ("2025-06-15", "2025-06-14", "swap them"),
        ("2025-06-16", None, "swap them"),
        ("2024-05-10", "2025-06-15", "spans 402 days; ask for at most 400"),
        (None, "0001-01-05", "give a later date"),
        ("nope", None, "YYYY-MM-DD"),
        (None, "nope", "YYYY-MM-DD"),
    ],
)
def test_bad_ranges_are_refused_with_what_to_do(
    start: str | None, end: str | None, remedy: str
) -> None:
    with pytest.raises(QuestionError, match=remedy):
        DateRange.of(start, end, now_ms=NOW)


@given(DAYS, st.integers(1, MAX_RANGE_DAYS))
def test_a_range_is_its_days_and_adjoins_the_previous_one(start: dt.date, length: int) -> None:
    days = DateRange(start, start + dt.timedelta(days=length - 1))
    each = list(days.each_day())
    assert len(each) == days.days == length
    assert (each[0], each[-1]) == (days.first_day, days.last_day)
    assert day_of(days.start_ms) == days.first_day
    assert day_of(days.end_ms - 1) == days.last_day
    assert days.end_ms - days.start_ms == length * DAY_MS
    previous = days.previous()
    assert previous.days == length
    assert previous.end_ms == days.start_ms
