"""See what happens on your AI copilot's WebSockets.

Names are imported from their modules when they are first used, so that importing the package costs
nothing and each part pulls in only what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .analytics import Analytics
    from .config import AnalyticsConfig
    from .current import (
        command,
        identify_connection,
        multi_step,
        stream,
        track_clarification,
        track_intent,
        track_usage,
    )
    from .errors import (
        ConfigurationError,
        CopilotAnalyticsError,
        MissingDependencyError,
        QuestionError,
        RecorderClosedError,
        RuleError,
        SecretError,
        StoreError,
        StoreSchemaError,
        StoreUnavailableError,
    )
    from .events import EventType
    from .periods import DateRange
    from .queries import ExportFormat, ExportSection, Interval, Metric
    from .service import AnalyticsService

    __version__: str

__all__ = [
    "Analytics",
    "AnalyticsConfig",
    "AnalyticsService",
    "ConfigurationError",
    "CopilotAnalyticsError",
    "DateRange",
    "EventType",
    "ExportFormat",
    "ExportSection",
    "Interval",
    "Metric",
    "MissingDependencyError",
    "QuestionError",
    "RecorderClosedError",
    "RuleError",
    "SecretError",
    "StoreError",
    "StoreSchemaError",
    "StoreUnavailableError",
    "__version__",
    "command",
    "identify_connection",
    "multi_step",
    "stream",
    "track_clarification",
    "track_intent",
    "track_usage",
]

_MODULES = {
    "Analytics": ".analytics",
    "AnalyticsConfig": ".config",
    "AnalyticsService": ".service",
    "DateRange": ".periods",
    "EventType": ".events",
    "ExportFormat": ".queries",
    "ExportSection": ".queries",
    "Interval": ".queries",
    "Metric": ".queries",
    "command": ".current",
    "identify_connection": ".current",
    "multi_step": ".current",
    "stream": ".current",
    "track_clarification": ".current",
    "track_intent": ".current",
    "track_usage": ".current",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("copilot-analytics")
    elif name in __all__:
        # What is in no other module is an error.
        value = getattr(import_module(_MODULES.get(name, ".errors"), __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
