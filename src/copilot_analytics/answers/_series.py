"""Any metric over time: of everything, of one name, or of the names that matter most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import QuestionError
from ..periods import DateRange, day_of, hour_of, parse_day
from ..queries import Interval, Metric, SeriesGroup, SeriesPart, TimeSeries
from ..rollups import ACTIVITY, Rollup, RollupKind
from ..series import GROUPS, Subject, column, weight
from ._figures import NO_USERS
from ._pages import ranked
from ._reader import Reader
from ._steps import steps_of, weeks_of

__all__ = ["MAX_PARTS", "SeriesAnswers"]

MAX_PARTS = 20
"""The most names one series is split by; a chart with more lines tells nothing."""

_Values = tuple[float | None, ...]


class SeriesAnswers(Reader):
    """Questions about how something developed."""

    def time_series(
        self,
        metric: Metric,
        range: DateRange,
        *,
        interval: Interval = Interval.DAY,
        command: str | None = None,
        intent: str | None = None,
        error_type: str | None = None,
        user_id: str | None = None,
        group_by: SeriesGroup | None = None,
        top: int = 5,
    ) -> TimeSeries:
        """Return one metric over time, of everything or of one command, intent, error type or user.

        Args:
            metric: what to show.
            range: the days.
            interval: the periods' width; hours are kept of everything only, without users.
            command: of this command only.
            intent: of this intent only.
            error_type: of this error type only.
            user_id: of the user with this stored id only.
            group_by: also of each of the `top` names of this kind: those with the most of the
                metric; with the most executions (intents: classifications) where the metric is an
                average, a rate, a percentile, or counts something else.
            top: how many names, 1..20.

        Raises:
            QuestionError: more than one of them is given, the metric is not kept for it, or not by
                hour.
        """
        subject = Subject.of(command=command, intent=intent, error_type=error_type, user_id=user_id)
        kinds = [subject.kind]
        if group_by is not None:
            _check_group(group_by, subject, top)
            kinds.append(GROUPS[group_by])
        for kind in kinds:
            column(metric, kind)
            if interval is Interval.HOUR:
                _check_hourly(metric, kind)
        return TimeSeries(
            metric,
            interval,
            steps_of(range, interval),
            self._values(metric, subject.kind, subject.dimension, range, interval),
            ()
            if group_by is None
            else tuple(self._parts(metric, GROUPS[group_by], range, interval, top)),
        )

    def _parts(
        self, metric: Metric, kind: RollupKind, range: DateRange, interval: Interval, top: int
    ) -> Iterable[SeriesPart]:
        counter = weight(metric, kind)
        page = ranked(
            (
                item
                for item in self._store.totals(kind, range).items()
                if item[1].counters.get(counter)
            ),
            lambda _, rollup: rollup.counters[counter],
            first=top,
        )
        return (
            SeriesPart(name, self._values(metric, kind, name, range, interval))
            for name, _ in page.rows
        )

    def _values(
        self, metric: Metric, kind: RollupKind, name: str, range: DateRange, interval: Interval
    ) -> _Values:
        value = column(metric, kind)
        if value is None:
            return tuple(self._users(kind, name, days) for days in _periods(range, interval))
        hourly = interval is Interval.HOUR
        detail = not value.is_headline(kind)
        rows = self._store.series(kind, name, range, hourly=hourly, detail=detail)
        if interval is Interval.WEEK:
            sums = (_sum(rows, week) for week in weeks_of(range))
            return tuple(value.of(rollup.counters) for rollup in sums)
        period = hour_of if hourly else day_of
        return tuple(
            value.of(rows.get(period(start), _NONE).counters) for start in steps_of(range, interval)
        )

    def _users(self, kind: RollupKind, name: str, days: DateRange) -> int:
        return self._store.count_distinct(kind, [name], days).get(name, NO_USERS).count


_NONE = Rollup({})


def _check_group(group_by: SeriesGroup, subject: Subject, top: int) -> None:
    if subject.dimension != ACTIVITY or subject.kind is not RollupKind.ACTIVITY:
        raise QuestionError(
            "group_by", group_by.value, f"the series is of one {subject.kind.value}; leave one out"
        )
    if not 1 <= top <= MAX_PARTS:
        raise QuestionError("top", top, f"give a number from 1 to {MAX_PARTS}")


def _check_hourly(metric: Metric, kind: RollupKind) -> None:
    if kind is not RollupKind.ACTIVITY:
        raise QuestionError(
            "interval",
            Interval.HOUR.value,
            f"a series of one {kind.value} is kept by day only; ask for DAY or WEEK",
        )
    if metric is Metric.ACTIVE_USERS:
        raise QuestionError(
            "interval", Interval.HOUR.value, "users are kept by day only; ask for DAY or WEEK"
        )


def _periods(range: DateRange, interval: Interval) -> tuple[DateRange, ...]:
    if interval is Interval.WEEK:
        return weeks_of(range)
    days = (parse_day("day", day) for day in range.each_day())
    return tuple(DateRange(day, day) for day in days)


def _sum(rows: Mapping[str, Rollup], days: DateRange) -> Rollup:
    total = Rollup({})
    for day in days.each_day():
        if day in rows:
            total.add(rows[day])
    return total
