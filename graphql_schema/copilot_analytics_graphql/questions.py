"""The service's questions as one principal may ask them: through the cache, in their scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from copilot_analytics import queries, rankings, traffic
from copilot_analytics.event_log import EventFilter, EventPage, EventPosition
from copilot_analytics.exporting import ExportRequest, ExportStream
from copilot_analytics.periods import DateRange
from copilot_analytics.queries import Interval, Metric, SeriesGroup
from copilot_analytics.rankings import CommandOrder, IntentOrder, Page, Position, UserOrder
from copilot_analytics.stores.base import Erasure
from copilot_analytics.typing import Clock

from .access import Principal
from .actions import UserActions, latest_actions
from .cache import AnswerCache, CacheKey, CacheStatistics
from .ranges import previous_range
from .responses import Freshness
from .source import Service
from .turns import Turns

__all__ = ["CachedQuestions"]

_T = TypeVar("_T")

CLOSED_TTL_MS = 300_000
"""A range whose days have all ended changes by replays and imports only, which its generation
shows; what a pattern's life is about (`totalCount`) may lag by this much."""

OPEN_TTL_MS = 3_000
"""A range with today grows all the time; a hundred tabs that poll it still cost one read in 3 s."""

GENERATION_TTL_MS = 5_000

_HOURS = 24


class CachedQuestions:
    """Asks a service for one principal.

    Args:
        service: answers.
        cache: holds answers; shared by all principals of the service.
        clock: tells today.
        principal: who asks.
        freshness: is told how long each answer may be given again.
        turns: each answer waits for one, since fields are made of it then, which takes
            milliseconds, and held answers are all there at once; None: none waits.
    """

    __slots__ = ("_cache", "_clock", "_freshness", "_principal", "_service", "_turns")

    def __init__(
        self,
        service: Service,
        cache: AnswerCache,
        clock: Clock,
        principal: Principal,
        freshness: Freshness,
        *,
        turns: Turns | None = None,
    ) -> None:
        self._service = service
        self._cache = cache
        self._clock = clock
        self._principal = principal
        self._freshness = freshness
        self._turns = turns

    async def dashboard(self, range: DateRange, *, top: int) -> queries.Dashboard:
        """See `AnalyticsService.dashboard`."""
        return await self._ask(
            "dashboard",
            range,
            (top,),
            lambda: self._service.dashboard(range, top=top),
            weight=2 * top,
            compared=True,
        )

    async def command_stats(self, name: str, range: DateRange) -> queries.CommandStats:
        """See `AnalyticsService.command_stats`."""
        return await self._ask(
            "commandStats", range, (name,), lambda: self._service.command_stats(name, range)
        )

    async def commands_stats(
        self, names: tuple[str, ...], range: DateRange
    ) -> tuple[queries.CommandStats, ...]:
        """See `AnalyticsService.commands_stats`."""
        return await self._ask(
            "commandsStats",
            range,
            names,
            lambda: self._service.commands_stats(names, range),
            weight=len(names),
        )

    async def popular_commands(
        self,
        range: DateRange,
        *,
        order_by: CommandOrder,
        search: str | None,
        first: int,
        after: Position | None,
    ) -> Page[queries.PopularCommand]:
        """See `AnalyticsService.popular_commands`."""
        return await self._ask(
            "popularCommands",
            range,
            (order_by.value, search, first, *_place(after)),
            lambda: self._service.popular_commands(
                range, order_by=order_by, search=search, first=first, after=after
            ),
            weight=first,
        )

    async def error_patterns(
        self,
        range: DateRange,
        *,
        error_type: str | None,
        fingerprint: str | None,
        search: str | None,
        first: int,
        after: Position | None,
    ) -> Page[queries.ErrorPattern]:
        """See `AnalyticsService.error_patterns`."""
        return await self._ask(
            "errorPatterns",
            range,
            (error_type, fingerprint, search, first, *_place(after)),
            lambda: self._service.error_patterns(
                range,
                error_type=error_type,
                fingerprint=fingerprint,
                search=search,
                first=first,
                after=after,
            ),
            weight=first,
        )

    async def error_trends(
        self, patterns: tuple[tuple[str, str], ...], range: DateRange
    ) -> tuple[rankings.ErrorTrend, ...]:
        """See `AnalyticsService.error_trends`."""
        return await self._ask(
            "errorTrends",
            range,
            tuple(part for pattern in patterns for part in pattern),
            lambda: self._service.error_trends(patterns, range),
            weight=len(patterns) * range.days,
            compared=True,
        )

    async def intents(
        self,
        range: DateRange,
        *,
        order_by: IntentOrder,
        search: str | None,
        first: int,
        after: Position | None,
    ) -> Page[rankings.Intent]:
        """See `AnalyticsService.intents`."""
        return await self._ask(
            "intents",
            range,
            (order_by.value, search, first, *_place(after)),
            lambda: self._service.intents(
                range, order_by=order_by, search=search, first=first, after=after
            ),
            weight=first,
        )

    async def users(
        self,
        range: DateRange,
        *,
        order_by: UserOrder,
        search: str | None,
        first: int,
        after: Position | None,
    ) -> Page[rankings.UserSummary]:
        """See `AnalyticsService.users`."""
        return await self._ask(
            "users",
            range,
            (order_by.value, search, first, *_place(after)),
            lambda: self._service.users(
                range, order_by=order_by, search=search, first=first, after=after
            ),
            weight=first,
        )

    async def streaming(self, range: DateRange) -> traffic.Compared[traffic.Streaming]:
        """See `AnalyticsService.streaming`."""
        return await self._ask(
            "streaming", range, (), lambda: self._service.streaming(range), compared=True
        )

    async def connections(self, range: DateRange) -> traffic.Compared[traffic.Connections]:
        """See `AnalyticsService.connections`."""
        return await self._ask(
            "connections", range, (), lambda: self._service.connections(range), compared=True
        )

    def open_connections(self) -> int | None:
        """See `AnalyticsService.open_connections`; good as long as what goes on today."""
        self._freshness.limit(self._clock.now_ms() + OPEN_TTL_MS)
        return self._service.open_connections()

    async def user_activity(
        self, user_id: str, range: DateRange, *, stored: bool = False
    ) -> queries.UserActivity:
        """See `AnalyticsService.user_activity`."""
        return await self._ask(
            "userActivity",
            range,
            (user_id, stored),
            lambda: self._service.user_activity(user_id, range, stored=stored),
            weight=range.days,
        )

    async def user_actions(
        self, user_id: str, range: DateRange, *, stored: bool = False
    ) -> UserActions:
        """Return what a user's latest actions were; ids are as those of `user_activity`."""
        return await self._ask(
            "userActions",
            range,
            (user_id, stored),
            lambda: latest_actions(self._service, user_id, range, stored=stored),
        )

    async def time_series(
        self,
        metric: Metric,
        range: DateRange,
        *,
        interval: Interval,
        command: str | None = None,
        intent: str | None = None,
        error_type: str | None = None,
        user_id: str | None = None,
        stored: bool = False,
        group_by: SeriesGroup | None = None,
        top: int = 5,
    ) -> queries.TimeSeries:
        """See `AnalyticsService.time_series`."""
        group = None if group_by is None else group_by.value
        periods = range.days * (_HOURS if interval is Interval.HOUR else 1)
        return await self._ask(
            "timeSeries",
            range,
            (
                metric.value,
                interval.value,
                command,
                intent,
                error_type,
                user_id,
                stored,
                group,
                top,
            ),
            lambda: self._service.time_series(
                metric,
                range,
                interval=interval,
                command=command,
                intent=intent,
                error_type=error_type,
                user_id=user_id,
                stored=stored,
                group_by=group_by,
                top=top,
            ),
            weight=periods * (1 if group_by is None else 1 + top),
        )

    def unshared(self) -> None:
        """Say that the response is for whoever asked, and is not to be given again."""
        self._freshness.spoil()

    async def export(self, request: ExportRequest) -> ExportStream:
        """See `AnalyticsService.export`; a file is large and wanted once, so it is not cached."""
        self._freshness.spoil()
        return await self._service.export(request)

    async def recorder_health(self) -> queries.RecorderHealth:
        """See `AnalyticsService.recorder_health`; never cached."""
        self._freshness.spoil()
        return await self._service.recorder_health()

    async def events(
        self,
        filter: EventFilter,
        range: DateRange,
        *,
        first: int,
        after: EventPosition | None,
        stored: bool,
    ) -> EventPage:
        """See `AnalyticsService.events`; never cached."""
        self._freshness.spoil()
        page = await self._service.events(filter, range, first=first, after=after, stored=stored)
        await self._turn()
        return page

    async def conversation(
        self,
        conversation_id: str,
        user_id: str,
        range: DateRange,
        *,
        first: int,
        after: EventPosition | None,
        stored: bool,
    ) -> EventPage:
        """See `AnalyticsService.conversation`; never cached."""
        self._freshness.spoil()
        page = await self._service.conversation(
            conversation_id, user_id, range, first=first, after=after, stored=stored
        )
        await self._turn()
        return page

    async def erase_user(self, user_id: str) -> Erasure:
        """See `AnalyticsService.erase_user`."""
        return await self._service.erase_user(user_id)

    @property
    def cache_statistics(self) -> CacheStatistics:
        """How the cache is doing."""
        return self._cache.statistics

    async def _ask(
        self,
        question: str,
        range: DateRange,
        arguments: tuple[str | float | None, ...],
        ask: Callable[[], Awaitable[_T]],
        *,
        weight: int = 1,
        compared: bool = False,
    ) -> _T:
        closed = range.end_ms <= self._clock.now_ms()
        past = (range, previous_range(range) if compared else None)
        generations = [await self.generation(days) for days in past if closed and days is not None]
        key = CacheKey(
            question,
            (range.first_day, range.last_day, *arguments),
            None if self._principal.sees_all else self._principal.id,
            tuple(generations),
        )
        # A negative weight is a limit that the service will refuse.
        answer = await self._cache.get(
            key, ask, ttl_ms=CLOSED_TTL_MS if closed else OPEN_TTL_MS, weight=max(weight, 1)
        )
        self._freshness.limit(answer.expires_at)
        await self._turn()
        return answer.value

    async def _turn(self) -> None:
        if self._turns is not None:
            await self._turns.take()

    async def generation(self, range: DateRange) -> int:
        """Return the range's generation: the same for everyone, read before the data it dates."""
        key = CacheKey("generations", (range.first_day, range.last_day), None)
        answer = await self._cache.get(
            key, lambda: self._service.generations(range), ttl_ms=GENERATION_TTL_MS
        )
        self._freshness.limit(answer.expires_at)
        return answer.value


def _place(position: Position | None) -> tuple[str | float | None, ...]:
    return (None, None) if position is None else (position.value, position.name)
