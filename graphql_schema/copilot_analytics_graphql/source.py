"""What the endpoint needs of `copilot_analytics.Analytics`, and no more."""

from __future__ import annotations

from typing import Protocol

from copilot_analytics import queries
from copilot_analytics.periods import DateRange
from copilot_analytics.queries import ExportFormat, ExportSection, Interval, Metric
from copilot_analytics.typing import Clock

__all__ = ["Service", "Source"]


class Service(Protocol):
    """The questions of `copilot_analytics.service.AnalyticsService`."""

    async def dashboard(self, range: DateRange, *, top: int = 5) -> queries.Dashboard:
        """Return the summary, its comparison, the top commands and error patterns."""
        ...

    async def command_stats(self, name: str, range: DateRange) -> queries.CommandStats:
        """Return everything about one command."""
        ...

    async def popular_commands(
        self, range: DateRange, *, limit: int = 10
    ) -> tuple[queries.PopularCommand, ...]:
        """Return the most executed commands."""
        ...

    async def error_patterns(
        self, range: DateRange, *, error_type: str | None = None, limit: int = 10
    ) -> tuple[queries.ErrorPattern, ...]:
        """Return the most frequent error patterns."""
        ...

    async def user_activity(
        self, user_id: str, range: DateRange, *, stored: bool = False
    ) -> queries.UserActivity:
        """Return what a user did, by the id the application knows, or the stored one."""
        ...

    async def time_series(
        self,
        metric: Metric,
        range: DateRange,
        *,
        interval: Interval = Interval.DAY,
        command: str | None = None,
        intent: str | None = None,
        error_type: str | None = None,
    ) -> queries.TimeSeries:
        """Return one metric over time."""
        ...

    async def export(
        self, range: DateRange, format: ExportFormat, section: ExportSection | None = None
    ) -> queries.Export:
        """Return a file."""
        ...

    async def recorder_health(self) -> queries.RecorderHealth:
        """Return how the recorder is doing."""
        ...

    async def generations(self, range: DateRange) -> int:
        """Return a number that changes when the past of the range does."""
        ...


class Source(Protocol):
    """An `Analytics`: its service, its clock, and how it stores users' ids."""

    @property
    def service(self) -> Service:
        """Answers the questions."""
        ...

    @property
    def clock(self) -> Clock:
        """Tells today, and when a principal has expired."""
        ...

    def stored_user_id(self, user_id: str) -> str:
        """Return the id under which a user is stored."""
        ...
