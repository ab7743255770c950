"""What the endpoint needs of `copilot_analytics.Analytics`, and no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from copilot_analytics import queries, rankings, traffic
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.event_log import EventFilter, EventPage, EventPosition
from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.exporting import ExportRequest, ExportStream
from copilot_analytics.periods import DateRange
from copilot_analytics.queries import Interval, Metric, SeriesGroup
from copilot_analytics.rankings import CommandOrder, IntentOrder, Page, Position, UserOrder
from copilot_analytics.stores.base import Erasure, EventSelection, Store
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

    async def commands_stats(
        self, names: Sequence[str], range: DateRange
    ) -> tuple[queries.CommandStats, ...]:
        """Return everything about some commands."""
        ...

    async def popular_commands(
        self,
        range: DateRange,
        *,
        order_by: CommandOrder = CommandOrder.EXECUTIONS,
        search: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[queries.PopularCommand]:
        """Return commands, the highest by a figure first."""
        ...

    async def error_patterns(
        self,
        range: DateRange,
        *,
        error_type: str | None = None,
        fingerprint: str | None = None,
        search: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[queries.ErrorPattern]:
        """Return error patterns, the most frequent first."""
        ...

    async def error_trends(
        self, patterns: Sequence[tuple[str, str]], range: DateRange
    ) -> tuple[rankings.ErrorTrend, ...]:
        """Return how error patterns develop, by fingerprint and type."""
        ...

    async def intents(
        self,
        range: DateRange,
        *,
        order_by: IntentOrder = IntentOrder.COUNT,
        search: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[rankings.Intent]:
        """Return intents, the highest by a figure first."""
        ...

    async def users(
        self,
        range: DateRange,
        *,
        order_by: UserOrder = UserOrder.EXECUTIONS,
        search: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[rankings.UserSummary]:
        """Return users, the highest by a figure first."""
        ...

    async def streaming(self, range: DateRange) -> traffic.Compared[traffic.Streaming]:
        """Return what streamed answers did."""
        ...

    async def connections(self, range: DateRange) -> traffic.Compared[traffic.Connections]:
        """Return what connections did."""
        ...

    def open_connections(self) -> int | None:
        """Return how many sockets this process tracks now; None where it never tracked any."""
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
        user_id: str | None = None,
        stored: bool = False,
        group_by: SeriesGroup | None = None,
        top: int = 5,
    ) -> queries.TimeSeries:
        """Return one metric over time."""
        ...

    async def export(self, request: ExportRequest) -> ExportStream:
        """Return a file."""
        ...

    async def events(
        self,
        filter: EventFilter,
        range: DateRange,
        *,
        first: int = 50,
        after: EventPosition | None = None,
        stored: bool = False,
    ) -> EventPage:
        """Return single events, newest first."""
        ...

    async def conversation(
        self,
        conversation_id: str,
        user_id: str,
        range: DateRange,
        *,
        first: int = 200,
        after: EventPosition | None = None,
        stored: bool = False,
    ) -> EventPage:
        """Return what happened in a user's conversation, oldest first."""
        ...

    def listen(self, listener: Callable[[Sequence[AnalyticsEvent]], None]) -> Callable[[], None]:
        """Have somebody told of what this process records; return what ends that."""
        ...

    async def newest_events(
        self, selection: EventSelection, *, limit: int
    ) -> Sequence[AnalyticsEvent]:
        """Return the newest events of a selection, oldest of them first."""
        ...

    async def erase_user(self, user_id: str) -> Erasure:
        """Remove a user."""
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

    @property
    def config(self) -> AnalyticsConfig:
        """The settings."""
        ...

    @property
    def store(self) -> Store:
        """What it is asked about; only its name matters here."""
        ...

    def stored_user_id(self, user_id: str) -> str:
        """Return the id under which a user is stored."""
        ...
