"""What this schema's fields cost; see `limits.py` for how prices add up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from copilot_analytics.errors import QuestionError
from copilot_analytics.periods import parse_day
from copilot_analytics.queries import MAX_LIMIT

from .limits import ROWS, Prices
from .ranges import RangeInput, RangePreset, asked_range
from .scalars import Day

__all__ = ["PRICES"]

_HOURS = 24


def _counted(argument: str, default: int, arguments: Mapping[str, Any]) -> int:
    given = arguments.get(argument)
    # What is no number, or none that is allowed, is refused later and costs nothing.
    return min(max(given, 1), MAX_LIMIT) if isinstance(given, int) else default


def _day(given: object) -> Day | None:
    return Day(parse_day("range", given)) if isinstance(given, str) else None


def _days(arguments: Mapping[str, Any], now_ms: int) -> int:
    given = arguments.get("range")
    if not isinstance(given, Mapping):
        given = {}
    preset = given.get("preset")
    try:
        asked = RangeInput(
            start=_day(given.get("start")),
            end=_day(given.get("end")),
            preset=RangePreset.__members__.get(preset) if isinstance(preset, str) else None,
        )
        return asked_range(asked, now_ms).days
    except QuestionError:
        return 1


PRICES = Prices(
    question=50,
    rows={
        "dashboard": lambda arguments, _: _counted("top", 5, arguments),
        "popularCommands": lambda arguments, _: _counted("limit", 10, arguments),
        "errorPatterns": lambda arguments, _: _counted("limit", 10, arguments),
        "userActivity": _days,
        "timeSeries": lambda arguments, now_ms: (
            _days(arguments, now_ms) * (_HOURS if arguments.get("interval") == "HOUR" else 1)
        ),
    },
    sizes={
        "Query.popularCommands": ROWS,
        "Query.errorPatterns": ROWS,
        "Dashboard.topCommands": ROWS,
        "Dashboard.topErrors": ROWS,
        "ErrorPattern.affectedUserIds": 100,
        "Summary.errorsByType": 50,
        "Summary.closeCodes": 20,
        "Summary.streamEnds": 10,
        "Summary.events": 14,
        "CommandStats.errorsByType": 50,
        "UserActivity.days": ROWS,
        "TimeSeries.at": ROWS,
        "TimeSeries.values": ROWS,
        "RecorderHealth.dropped": 10,
        "RecorderHealth.rejected": 10,
        "RecorderHealth.skipped": 20,
        "RecorderHealth.errors": 20,
        "RecorderHealth.storeStatistics": 20,
    },
)
"""Every list of the schema is in it."""
