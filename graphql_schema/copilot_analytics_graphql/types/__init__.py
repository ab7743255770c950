"""The answers' types: the core's value objects in GraphQL."""

from __future__ import annotations

from .activity import UserActivity, UserSummary
from .commands import CommandStats, PopularCommand
from .dashboard import Dashboard
from .events import Conversation, Erasure, EventConnection
from .export import Export
from .intents import Intent
from .live import EventRecorded
from .pages import Connection
from .patterns import ErrorPattern
from .recorder import RecorderHealth
from .series import TimeSeries
from .traffic import Connections, Streaming

__all__ = [
    "CommandStats",
    "Connection",
    "Connections",
    "Conversation",
    "Dashboard",
    "Erasure",
    "ErrorPattern",
    "EventConnection",
    "EventRecorded",
    "Export",
    "Intent",
    "PopularCommand",
    "RecorderHealth",
    "Streaming",
    "TimeSeries",
    "UserActivity",
    "UserSummary",
]
