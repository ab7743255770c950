"""The answers' types: the value objects of `copilot_analytics.queries` in GraphQL."""

from __future__ import annotations

from .activity import TimeSeries, UserActivity
from .commands import CommandStats, PopularCommand
from .dashboard import Dashboard
from .export import Export
from .patterns import ErrorPattern
from .recorder import RecorderHealth

__all__ = [
    "CommandStats",
    "Dashboard",
    "ErrorPattern",
    "Export",
    "PopularCommand",
    "RecorderHealth",
    "TimeSeries",
    "UserActivity",
]
