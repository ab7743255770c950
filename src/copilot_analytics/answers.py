"""The questions, answered from rollups: one method a question, none of which scans events.

Synchronous on purpose: it runs wherever the store may block (`reading.py` calls it in threads).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping

from .errors import QuestionError
from .events import EventType
from .exports import render_export
from .histogram import quantile
from .periods import DAY_MS, HOUR_MS, DateRange, day_of, hour_of
from .queries import (
    MAX_LIMIT,
    ActivityTotals,
    CommandStats,
    Dashboard,
    DistinctUsers,
    ErrorPattern,
    ErrorTypeCount,
    Export,
    ExportFormat,
    ExportSection,
    Interval,
    Latency,
    Metric,
    PopularCommand,
    Summary,
    TimeSeries,
    UserActivity,
    UserDay,
)
from .rollups import ACTIVITY, Rollup, RollupKind
from .series import Subject, column
from .stores.base import Store
from .typing import Clock

__all__ = ["Answers"]

_NO_USERS = DistinctUsers(0, exact=True)
_EXPORTED_ROWS = 10_000


class Answers:
    """Answers every question from a store's rollups.

    Every method raises `QuestionError` for arguments that make no sense and `StoreError` when the
    store cannot be read. Ranges are inclusive UTC days.

    Args:
        store: where the rollups are; not owned.
        clock: tells today.
        rollup_retention_days: how many days of rollups are kept, today included; a comparison with
            days before that is None.
    """

    def __init__(self, store: Store, clock: Clock, *, rollup_retention_days: int = 800) -> None:
        self._store = store
        self._clock = clock
        self._retention = dt.timedelta(days=rollup_retention_days - 1)

    def dashboard(self, range: DateRange, *, top: int = 5) -> Dashboard:
        """Return the summary, its comparison, and the `top` (1..1000) commands and patterns."""
        _check_limit("top", top)
        return Dashboard(
            range,
            self.summary(range),
            self.popular_commands(range, limit=top),
            self.error_patterns(range, limit=top),
        )

    def summary(self, range: DateRange) -> Summary:
        """Return the range's totals beside those of the range of equal length before it."""
        errors = self._store.totals(RollupKind.ERROR, range)
        return Summary(
            self.activity(range),
            self._previous(range),
            _error_types((name, rollup.counters["count"]) for name, rollup in errors.items()),
        )

    def activity(self, range: DateRange) -> ActivityTotals:
        """Return the totals of a range."""
        rollups = self._store.totals(RollupKind.ACTIVITY, range, [ACTIVITY], detail=True)
        users = self._store.distinct(RollupKind.ACTIVITY, [ACTIVITY], range)
        counted = users.get(ACTIVITY)
        return _activity_totals(
            rollups[ACTIVITY].counters if ACTIVITY in rollups else {},
            _NO_USERS if counted is None else counted.count(),
        )

    def popular_commands(self, range: DateRange, *, limit: int = 10) -> tuple[PopularCommand, ...]:
        """Return the most executed commands, at most `limit` (1..1000)."""
        _check_limit("limit", limit)
        return self._commands(range, limit)

    def command_stats(self, name: str, range: DateRange) -> CommandStats:
        """Return everything about one command; zeros and Nones if it never ran."""
        rollup = self._store.totals(RollupKind.COMMAND, range, [name], detail=True).get(name)
        users = self._store.distinct(RollupKind.COMMAND, [name], range).get(name)
        counters = rollup.counters if rollup else {}
        executions = counters.get("executions", 0)
        return CommandStats(
            name=name,
            executions=executions,
            successes=counters.get("successes", 0),
            failures=counters.get("failures", 0),
            success_rate=_ratio(counters.get("successes", 0), executions),
            execution=_latency(counters, "execution", "x."),
            last_executed=(rollup.last or None) if rollup else None,
            users=_NO_USERS if users is None else users.count(),
            errors_by_type=_error_types(_family(counters, "error.").items()),
        )

    def error_patterns(
        self, range: DateRange, *, error_type: str | None = None, limit: int = 10
    ) -> tuple[ErrorPattern, ...]:
        """Return the most frequent patterns, at most `limit` (1..1000), of one type if given."""
        _check_limit("limit", limit)
        return self._patterns(range, error_type, limit)

    def user_activity(self, stored_id: str, range: DateRange) -> UserActivity:
        """Return what one user did, by their stored id; zeros if nothing."""
        rows = sorted(self._store.series(RollupKind.USER, stored_id, range).items())
        days = tuple(
            UserDay(
                day,
                *(
                    rollup.counters.get(name, 0)
                    for name in ("messages", "executions", "failures", "errors", "connections")
                ),
            )
            for day, rollup in rows
        )
        executions = sum(day.executions for day in days)
        failures = sum(day.failures for day in days)
        return UserActivity(
            user_id=stored_id,
            messages=sum(day.messages for day in days),
            executions=executions,
            failures=failures,
            success_rate=_ratio(executions - failures, executions),
            errors=sum(day.errors for day in days),
            connections=sum(day.connections for day in days),
            last_seen=max((rollup.last for _, rollup in rows), default=None),
            days=days,
        )

    def time_series(
        self,
        metric: Metric,
        range: DateRange,
        *,
        interval: Interval = Interval.DAY,
        command: str | None = None,
        intent: str | None = None,
        error_type: str | None = None,
    ) -> TimeSeries:
        """Return one metric by hour or day, of everything or of one command, intent or error type.

        Raises:
            QuestionError: more than one of them is given, the metric is not kept for it, or it is
                asked by hour (only the totals are kept by hour: ask by `DAY`).
        """
        subject = Subject.of(command=command, intent=intent, error_type=error_type)
        hourly = interval is Interval.HOUR
        if hourly and subject.kind is not RollupKind.ACTIVITY:
            raise QuestionError(
                "interval",
                interval.value,
                f"a series of one {subject.kind.value} is kept by day only; ask for DAY",
            )
        value = column(metric, subject)
        rows = self._store.series(subject.kind, subject.dimension, range, hourly=hourly)
        step, period = (HOUR_MS, hour_of) if hourly else (DAY_MS, day_of)
        at = tuple(_steps(range, step))
        empty = Rollup({})
        return TimeSeries(
            metric, interval, at, tuple(value(rows.get(period(t), empty).counters) for t in at)
        )

    def export(
        self, range: DateRange, format: ExportFormat, section: ExportSection | None = None
    ) -> Export:
        """Return a file of commands, errors and summary (JSON) or of one of the tables (CSV).

        Raises:
            QuestionError: CSV without a section.
        """
        return render_export(
            range=range,
            summary=self.summary(range),
            commands=self._commands(range, _EXPORTED_ROWS),
            errors=self._patterns(range, None, _EXPORTED_ROWS),
            format=format,
            section=section,
            now_ms=self._clock.now_ms(),
        )

    def generations(self, range: DateRange) -> int:
        """Return a number that changes when the past of the range does; see `Store`."""
        return self._store.generations(range)

    def _previous(self, range: DateRange) -> ActivityTotals | None:
        try:
            previous = range.previous()
        except OverflowError:
            return None
        today = dt.date.fromisoformat(day_of(self._clock.now_ms()))
        return None if previous.start < today - self._retention else self.activity(previous)

    def _commands(self, range: DateRange, limit: int) -> tuple[PopularCommand, ...]:
        totals = self._store.totals(RollupKind.COMMAND, range)
        ran = [item for item in totals.items() if item[1].counters.get("executions")]
        return tuple(
            _popular_command(name, rollup)
            for name, rollup in _most(ran, lambda rollup: rollup.counters["executions"], limit)
        )

    def _patterns(
        self, range: DateRange, error_type: str | None, limit: int
    ) -> tuple[ErrorPattern, ...]:
        totals: Collection[tuple[str, Rollup]] = self._store.totals(
            RollupKind.PATTERN, range
        ).items()
        if error_type is not None:
            totals = [item for item in totals if _type_of(item[0]) == error_type]
        shown = _most(totals, lambda rollup: rollup.counters["count"], limit)
        names = [dimension for dimension, _ in shown]
        users = self._store.distinct(RollupKind.PATTERN, names, range) if names else {}
        lives = self._store.patterns(names) if names else {}
        return tuple(
            ErrorPattern(
                fingerprint=dimension.partition(":")[0],
                error_type=_type_of(dimension),
                message=life.message if life else "",
                count=rollup.counters["count"],
                total_count=life.count if life else rollup.counters["count"],
                first_occurrence=life.first if life else rollup.first,
                last_occurrence=rollup.last,
                affected_users=users[dimension].count() if dimension in users else _NO_USERS,
                affected_user_ids=life.users if life else (),
            )
            for dimension, rollup in shown
            for life in (lives.get(dimension),)
        )


def _check_limit(argument: str, limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise QuestionError(argument, limit, f"give a number from 1 to {MAX_LIMIT}")


def _type_of(dimension: str) -> str:
    return dimension.partition(":")[2]


def _steps(days: DateRange, step: int) -> Iterable[int]:
    return range(days.start_ms, days.end_ms, step)


def _most(
    items: Iterable[tuple[str, Rollup]], by: Callable[[Rollup], int], limit: int
) -> list[tuple[str, Rollup]]:
    return sorted(items, key=lambda item: (-by(item[1]), item[0]))[:limit]


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _family(counters: Mapping[str, int], prefix: str) -> dict[str, int]:
    cut = len(prefix)
    return {name[cut:]: n for name, n in counters.items() if n and name.startswith(prefix)}


def _error_types(counts: Iterable[tuple[str, int]]) -> tuple[ErrorTypeCount, ...]:
    ordered = sorted(counts, key=lambda item: (-item[1], item[0]))
    return tuple(ErrorTypeCount(name, count) for name, count in ordered)


def _latency(counters: Mapping[str, int], name: str, prefix: str) -> Latency:
    samples = counters.get(f"{name}_samples", 0)
    if not samples:
        return Latency()
    buckets = {int(bucket): n for bucket, n in _family(counters, prefix).items()}
    return Latency(
        samples,
        counters.get(f"{name}_us", 0) / samples / 1000,
        *(quantile(buckets, q) for q in (0.5, 0.95, 0.99)),
    )


def _popular_command(name: str, rollup: Rollup) -> PopularCommand:
    counters = rollup.counters
    samples = counters.get("execution_samples", 0)
    return PopularCommand(
        name=name,
        executions=counters["executions"],
        successes=counters.get("successes", 0),
        failures=counters.get("failures", 0),
        success_rate=_ratio(counters.get("successes", 0), counters["executions"]),
        average_ms=counters.get("execution_us", 0) / samples / 1000 if samples else None,
        last_executed=rollup.last,
    )


def _activity_totals(counters: Mapping[str, int], users: DistinctUsers) -> ActivityTotals:
    count = counters.get
    executions, failures = count("executions", 0), count("failures", 0)
    messages, clarifications = count("messages", 0), count("clarifications", 0)
    interrupted = count(f"e.{EventType.STREAMING_INTERRUPTED}", 0)
    streams = interrupted + count(f"e.{EventType.STREAMING_COMPLETED}", 0)
    token_us = count("token_us", 0)
    return ActivityTotals(
        events={event_type: count(f"e.{event_type}", 0) for event_type in EventType},
        executions=executions,
        successes=executions - failures,
        failures=failures,
        success_rate=_ratio(executions - failures, executions),
        execution=_latency(counters, "execution", "x."),
        messages=messages,
        errors=count("errors", 0),
        active_users=users,
        connections=count("connections", 0),
        anonymous_connections=count("anonymous_connections", 0),
        reconnects=count("reconnects", 0),
        connection=_latency(counters, "connection", "k."),
        close_codes={int(code): n for code, n in sorted(_family(counters, "close.").items())},
        streams=streams,
        stream_ends=dict(sorted(_family(counters, "end.").items())),
        interruption_rate=_ratio(interrupted, streams),
        ttft=_latency(counters, "ttft", "t."),
        stream_duration=_latency(counters, "stream", "s."),
        tokens=count("tokens", 0),
        tokens_per_second=(count("tokens", 0) * 1e6 / token_us if token_us else None),
        clarifications=clarifications,
        clarification_rate=_ratio(clarifications, messages),
    )
