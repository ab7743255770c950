"""Which errors occur, grouped by pattern, and how patterns develop."""

from __future__ import annotations

from collections.abc import Sequence

from ..periods import DateRange, day_of
from ..queries import MAX_LIMIT, ErrorPattern, Interval, Metric, TimeSeries
from ..rankings import ErrorTrend, Page, Position
from ..rollups import Pattern, Rollup, RollupKind
from ._figures import NO_USERS
from ._pages import check_limit, ranked, sought
from ._reader import Reader
from ._steps import steps_of

__all__ = ["ErrorAnswers"]


class ErrorAnswers(Reader):
    """Questions about errors."""

    def error_patterns(
        self,
        range: DateRange,
        *,
        error_type: str | None = None,
        fingerprint: str | None = None,
        search: str | None = None,
        first: int = 10,
        after: Position | None = None,
    ) -> Page[ErrorPattern]:
        """Return error patterns, the most frequent first, ties by fingerprint and type.

        Args:
            range: the days.
            error_type: only those of this type.
            fingerprint: only those with this fingerprint.
            search: only those whose type or normalised message contains this, whatever its case.
            first: how many at most, 1..1000.
            after: only those after this place.
        """
        check_limit("first", first)
        return self._patterns(
            range,
            error_type=error_type,
            fingerprint=fingerprint,
            search=search,
            first=first,
            after=after,
        )

    def error_trends(
        self, patterns: Sequence[tuple[str, str]], range: DateRange
    ) -> tuple[ErrorTrend, ...]:
        """Return how some patterns develop: fingerprint and error type of each, in that order."""
        names = [f"{fingerprint}:{error_type}" for fingerprint, error_type in patterns]
        before = self._kept_before(range)
        previous = {} if before is None else self._store.totals(RollupKind.PATTERN, before, names)
        return tuple(
            ErrorTrend(
                sum(int(value or 0) for value in daily.values),
                None if before is None else previous.get(name, _NONE).counters.get("count", 0),
                daily,
            )
            for name in names
            for daily in (self._daily(name, range),)
        )

    def _patterns(
        self,
        range: DateRange,
        *,
        error_type: str | None = None,
        fingerprint: str | None = None,
        search: str | None = None,
        first: int = MAX_LIMIT,
        after: Position | None = None,
    ) -> Page[ErrorPattern]:
        totals = {
            dimension: rollup
            for dimension, rollup in self._store.totals(RollupKind.PATTERN, range).items()
            if error_type in (None, _type_of(dimension))
            and fingerprint in (None, _fingerprint_of(dimension))
        }
        lives: dict[str, Pattern] = {}
        contains = sought(search)
        if search and totals:
            lives = self._store.patterns(list(totals))
            totals = {
                dimension: rollup
                for dimension, rollup in totals.items()
                if contains(_type_of(dimension))
                or (dimension in lives and contains(lives[dimension].message))
            }
        page = ranked(
            totals.items(), lambda _, rollup: rollup.counters["count"], first=first, after=after
        )
        names = [dimension for dimension, _ in page.rows]
        if names and not search:
            lives = self._store.patterns(names)
        users = self._store.distinct(RollupKind.PATTERN, names, range) if names else {}
        return page.of(
            ErrorPattern(
                fingerprint=_fingerprint_of(dimension),
                error_type=_type_of(dimension),
                message=life.message if life else "",
                count=rollup.counters["count"],
                total_count=life.count if life else rollup.counters["count"],
                first_occurrence=life.first if life else rollup.first,
                last_occurrence=rollup.last,
                affected_users=users[dimension].count() if dimension in users else NO_USERS,
                affected_user_ids=life.users if life else (),
            )
            for dimension, rollup in page.rows
            for life in (lives.get(dimension),)
        )

    def _daily(self, dimension: str, range: DateRange) -> TimeSeries:
        days = self._store.series(RollupKind.PATTERN, dimension, range)
        at = steps_of(range, Interval.DAY)
        counts = tuple(days.get(day_of(start), _NONE).counters.get("count", 0) for start in at)
        return TimeSeries(Metric.ERRORS, Interval.DAY, at, counts)


_NONE = Rollup({})


def _fingerprint_of(dimension: str) -> str:
    return dimension.partition(":")[0]


def _type_of(dimension: str) -> str:
    return dimension.partition(":")[2]
