"""Which errors occur, grouped by pattern, and how patterns develop."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator, Sequence

from ..periods import DateRange, day_of
from ..queries import MAX_LIMIT, ErrorPattern, Interval, Metric, TimeSeries
from ..rankings import ErrorTrend, Page, Position
from ..rollups import Rollup, RollupKind
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
        page = self._ranked(
            range,
            error_type=error_type,
            fingerprint=fingerprint,
            search=search,
            first=first,
            after=after,
        )
        return page.of(self._described(range, page.rows))

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

    def every_pattern(self, range: DateRange) -> Iterator[ErrorPattern]:
        """Yield all error patterns, the most frequent first, however many.

        Which there are and how often they occurred is read before the first; the rest of them as
        they come, so that the sets of affected users are never held of all.
        """
        found = self._ranked(range, first=sys.maxsize).rows
        for start in builtins.range(0, len(found), MAX_LIMIT):
            yield from self._described(range, found[start : start + MAX_LIMIT])

    def _ranked(
        self,
        range: DateRange,
        *,
        error_type: str | None = None,
        fingerprint: str | None = None,
        search: str | None = None,
        first: int,
        after: Position | None = None,
    ) -> Page[tuple[str, Rollup]]:
        totals = {
            dimension: rollup
            for dimension, rollup in self._store.totals(RollupKind.PATTERN, range).items()
            if error_type in (None, _type_of(dimension))
            and fingerprint in (None, _fingerprint_of(dimension))
        }
        contains = sought(search)
        if search and totals:
            lives = self._store.patterns(list(totals))
            totals = {
                dimension: rollup
                for dimension, rollup in totals.items()
                if contains(_type_of(dimension))
                or (dimension in lives and contains(lives[dimension].message))
            }
        return ranked(
            totals.items(), lambda _, rollup: rollup.counters["count"], first=first, after=after
        )

    def _described(
        self, range: DateRange, found: Sequence[tuple[str, Rollup]]
    ) -> Iterator[ErrorPattern]:
        names = [dimension for dimension, _ in found]
        if not names:
            return
        lives = self._store.patterns(names)
        users = self._store.count_distinct(RollupKind.PATTERN, names, range)
        for dimension, rollup in found:
            life = lives.get(dimension)
            yield ErrorPattern(
                fingerprint=_fingerprint_of(dimension),
                error_type=_type_of(dimension),
                message=life.message if life else "",
                count=rollup.counters["count"],
                total_count=life.count if life else rollup.counters["count"],
                first_occurrence=life.first if life else rollup.first,
                last_occurrence=rollup.last,
                affected_users=users.get(dimension, NO_USERS),
                affected_user_ids=life.users if life else (),
            )

    def _daily(self, dimension: str, range: DateRange) -> TimeSeries:
        days = self._store.series(RollupKind.PATTERN, dimension, range, detail=False)
        at = steps_of(range, Interval.DAY)
        counts = tuple(days.get(day_of(start), _NONE).counters.get("count", 0) for start in at)
        return TimeSeries(Metric.ERRORS, Interval.DAY, at, counts)


_NONE = Rollup({})


def _fingerprint_of(dimension: str) -> str:
    return dimension.partition(":")[0]


def _type_of(dimension: str) -> str:
    return dimension.partition(":")[2]
