"""The questions as coroutines: each runs in a worker thread, never on the event loop."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from ._guard import Guard
from ._measurements import Measurements
from .answers import Answers
from .exporting import Exporter, ExportRequest, ExportStream
from .periods import DateRange, day_of
from .queries import (
    CommandStats,
    Dashboard,
    ErrorPattern,
    Interval,
    Metric,
    PopularCommand,
    SeriesGroup,
    TimeSeries,
    UserActivity,
)
from .rankings import (
    CommandOrder,
    ErrorTrend,
    Intent,
    IntentOrder,
    Page,
    Position,
    UserOrder,
    UserSummary,
)
from .stores.base import Store
from .traffic import Compared, Connections, Streaming
from .typing import Clock

__all__ = ["Questions"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_READERS = 4
"""Threads that answer at once; they are our own, so that a host's full default executor never
delays an answer, nor our questions the host's work."""


class Questions:
    """Asks a store's rollups, see `Answers`; all coroutines.

    Cancelling one abandons its answer; the read itself ends in its thread.

    Args:
        store: where the rollups are; not owned.
        clock: tells today.
        stored_user_id: maps a user's id to the one that is stored (a pseudonym, if configured).
        rollup_retention_days: how many days of rollups are kept.
        measurements: note how long answers take; None keeps them to itself.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        stored_user_id: Callable[[str], str],
        rollup_retention_days: int = 800,
        measurements: Measurements | None = None,
    ) -> None:
        self._answers = Answers(store, clock, rollup_retention_days=rollup_retention_days)
        self._exporter = Exporter(self._answers, store, clock)
        self._clock = clock
        self._stored_user_id = stored_user_id
        self._measurements = measurements or Measurements(Guard())
        # Threads start with the first question.
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="copilot-analytics-read")

    def range(self, start: str | None = None, end: str | None = None) -> DateRange:
        """Return a range of UTC days; a missing end is today, a missing start 29 days before it.

        Raises:
            QuestionError: a date is no `YYYY-MM-DD`, start is after end, or it is too long.
        """
        return DateRange.of(start, end, now_ms=self._clock.now_ms())

    def today(self) -> DateRange:
        """Return the range of today alone, in UTC."""
        day = day_of(self._clock.now_ms())
        return self.range(day, day)

    async def dashboard(self, range: DateRange, *, top: int = 5) -> Dashboard:
        """See `Answers.dashboard`."""
        return await self._ask(self._answers.dashboard, range, top=top)

    async def command_stats(self, name: str, range: DateRange) -> CommandStats:
        """See `Answers.command_stats`."""
        return await self._ask(self._answers.command_stats, name, range)

    async def commands_stats(
        self, names: Sequence[str], range: DateRange
    ) -> tuple[CommandStats, ...]:
        """See `Answers.commands_stats`."""
        return await self._ask(self._answers.commands_stats, names, range)

    async def popular_commands(
        self,
        range: DateRange,
        *,
        order_by: CommandOrder = CommandOrder.EXECUTIONS,
        search: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[PopularCommand]:
        """See `Answers.popular_commands`."""
        return await self._ask(
            self._answers.popular_commands,
            range,
            order_by=order_by,
            search=search,
            first=first,
            after=after,
        )

    async def error_patterns(
        self,
        range: DateRange,
        *,
        error_type: str | None = None,
        fingerprint: str | None = None,
        search: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[ErrorPattern]:
        """See `Answers.error_patterns`."""
        return await self._ask(
            self._answers.error_patterns,
            range,
            error_type=error_type,
            fingerprint=fingerprint,
            search=search,
            first=first,
            after=after,
        )

    async def error_trends(
        self, patterns: Sequence[tuple[str, str]], range: DateRange
    ) -> tuple[ErrorTrend, ...]:
        """See `Answers.error_trends`."""
        return await self._ask(self._answers.error_trends, patterns, range)

    async def intents(
        self,
        range: DateRange,
        *,
        order_by: IntentOrder = IntentOrder.COUNT,
        search: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[Intent]:
        """See `Answers.intents`."""
        return await self._ask(
            self._answers.intents, range, order_by=order_by, search=search, first=first, after=after
        )

    async def streaming(self, range: DateRange) -> Compared[Streaming]:
        """See `Answers.streaming`."""
        return await self._ask(self._answers.streaming, range)

    async def connections(self, range: DateRange) -> Compared[Connections]:
        """See `Answers.connections`."""
        return await self._ask(self._answers.connections, range)

    async def users(
        self,
        range: DateRange,
        *,
        order_by: UserOrder = UserOrder.EXECUTIONS,
        search: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[UserSummary]:
        """Return users; see `Answers.users`.

        What is searched for is also taken for a whole id as the application knows it, which finds
        the user where stored ids are pseudonyms.
        """
        return await self._ask(
            self._answers.users,
            range,
            order_by=order_by,
            search=search,
            stored_id=self._stored_user_id(search) if search else None,
            first=first,
            after=after,
        )

    async def user_activity(
        self, user_id: str, range: DateRange, *, stored: bool = False
    ) -> UserActivity:
        """Return what a user did, by the id the application knows; see `Answers.user_activity`.

        With `stored` it is the id that answers show: a pseudonym, where those are configured.
        """
        if not stored:
            user_id = self._stored_user_id(user_id)
        return await self._ask(self._answers.user_activity, user_id, range)

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
    ) -> TimeSeries:
        """See `Answers.time_series`; a user's id is the application's, or the stored one.

        With `stored` it is the one that answers show.
        """
        if user_id is not None and not stored:
            user_id = self._stored_user_id(user_id)
        return await self._ask(
            self._answers.time_series,
            metric,
            range,
            interval=interval,
            command=command,
            intent=intent,
            error_type=error_type,
            user_id=user_id,
            group_by=group_by,
            top=top,
        )

    async def export(self, request: ExportRequest) -> ExportStream:
        """Return a file, see `Exporter.export`; its first bytes are made already."""
        file = await self._ask(self._exporter.export, request)
        return ExportStream(file.filename, file.content_type, self._chunks(file.chunks))

    async def _chunks(self, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
        while chunk := await self._in_thread(next, chunks, b""):
            yield chunk

    async def generations(self, range: DateRange) -> int:
        """See `Answers.generations`."""
        return await self._in_thread(self._answers.generations, range)

    def close_readers(self) -> None:
        """End the threads once they are idle; idempotent; later questions raise RuntimeError."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, question: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Ask in a thread, and measure how long that takes, the wait for a thread included."""
        return await self._in_thread(
            self._measurements.timed,
            question.__name__,
            time.monotonic(),
            functools.partial(question, *args, **kwargs),
        )

    async def _in_thread(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call in a thread what is no question of a user's."""
        bound = functools.partial(call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, bound)
