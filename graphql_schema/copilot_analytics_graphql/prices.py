"""What this schema's fields cost; see `limits.py` for how prices add up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from copilot_analytics.errors import QuestionError
from copilot_analytics.periods import parse_day
from copilot_analytics.queries import MAX_LIMIT
from copilot_analytics.rankings import CONFIDENCE_BINS

from .limits import PERIODS, ROWS, Prices
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


def _periods(arguments: Mapping[str, Any], now_ms: int) -> int:
    # Weeks are fewer than days, and cost as much to read.
    hourly = arguments.get("interval") == "HOUR"
    return _days(arguments, now_ms) * (_HOURS if hourly else 1)


def _first(arguments: Mapping[str, Any], _: int) -> int:
    return _counted("first", 10, arguments)


def _top(arguments: Mapping[str, Any], _: int) -> int:
    return _counted("top", 5, arguments)


PRICES = Prices(
    question=50,
    rows={
        "dashboard": _top,
        "dashboardUpdated": _top,
        "popularCommands": _first,
        "errorPatterns": _first,
        "intents": _first,
        "users": _first,
        "events": lambda arguments, _: _counted("first", 50, arguments),
        "conversation": lambda arguments, _: _counted("first", 200, arguments),
        "timeSeries": _top,
    },
    periods={
        "dashboard": _days,
        "dashboardUpdated": _days,
        "commandStats": _days,
        "popularCommands": _days,
        "errorPatterns": _days,
        "userActivity": _days,
        "timeSeries": _periods,
    },
    sizes={
        "Dashboard.topCommands": ROWS,
        "Dashboard.topErrors": ROWS,
        "Summary.errorsByType": 50,
        "Summary.closeCodes": 20,
        "Summary.streamEnds": 10,
        "Summary.events": 14,
        "PopularCommandConnection.edges": ROWS,
        "CommandStats.errorsByType": 50,
        "CommandStats.histogram": 24,
        "ErrorPatternConnection.edges": ROWS,
        "ErrorPattern.affectedUserIds": 100,
        "IntentConnection.edges": ROWS,
        "Intent.commands": 20,
        "ConfidenceDistribution.bins": CONFIDENCE_BINS,
        "UserSummaryConnection.edges": ROWS,
        "EventConnection.edges": ROWS,
        "EventMetadata.extra": 20,
        "UserActivity.days": PERIODS,
        "Streaming.ends": 10,
        "Connections.closeCodes": 20,
        "TimeSeries.at": PERIODS,
        "TimeSeries.values": PERIODS,
        "TimeSeries.parts": ROWS,
        "SeriesPart.values": PERIODS,
        "RecorderHealth.dropped": 10,
        "RecorderHealth.rejected": 10,
        "RecorderHealth.skipped": 20,
        "RecorderHealth.errors": 20,
        "RecorderHealth.storeStatistics": 20,
    },
    fields={
        # A row's part of one question about all rows, and of gathering it: measured, 1,000 rows
        # take 0.2 s more of the event loop, as much as 30,000 fields.
        "PopularCommand.stats": 30,
        "ErrorPattern.trend": 30,
        # A question each.
        "CommandStats.series": 50,
        # What these read is bounded, and much more than any other question.
        "Query.events": 500,
        "Query.conversation": 500,
        "Mutation.eraseUser": 1_000,
    },
)
"""Every list of the schema is in it, and every field below the root that reads."""
