"""What an original table counts beyond its events, as supplements.

Its rows and its events overlap: a row counts its events, and those that have expired since. So what
is added is what a row counts more than the events that are imported, and where it counts less, the
events are right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..aggregation import MAX_PATTERN_USERS, PatternDelta, aggregate
from ..events import ANONYMOUS_PREFIX, AnalyticsEvent
from ..periods import DAY_MS, DateRange, day_of, parse_day
from ..redaction import fingerprint, normalise_error
from ..rollups import ACTIVITY, Pattern, Rollup, RollupKey, RollupKind
from ._original_items import CommandRow, ErrorRow
from ._surplus import pattern_surplus

__all__ = ["OriginalCounts"]

_KINDS = frozenset({RollupKind.COMMAND, RollupKind.ERROR, RollupKind.PATTERN})
_NO_ROLLUP = Rollup({})


class OriginalCounts:
    """Compares what rows count with what events add up to.

    First come all events, then all rows, then what is to be added.

    Args:
        stored_user_id: gives the stored form of a user's id.
        keeps_text: whether messages of errors are kept, normalised.
    """

    def __init__(self, stored_user_id: Callable[[str], str], *, keeps_text: bool) -> None:
        self._stored_user_id = stored_user_id
        self._keeps_text = keeps_text
        self._counted: dict[RollupKey, Rollup] = {}
        self._lives: dict[str, PatternDelta] = {}
        self._commands: dict[RollupKey, CommandRow] = {}
        self._errors: dict[str, PatternDelta] = {}
        self._added: dict[RollupKey, Rollup] = {}

    def add_events(self, events: Sequence[AnalyticsEvent]) -> None:
        """Count events that are imported, or would be but for their day."""
        deltas = aggregate(events)
        for key, rollup in deltas.rollups.items():
            if key.kind in _KINDS:
                mine = self._counted.setdefault(key, rollup)
                if mine is not rollup:
                    mine.add(rollup)
        for dimension, delta in deltas.patterns.items():
            life = self._lives.setdefault(dimension, delta)
            if life is not delta:
                life.add(delta)

    def add_command(self, row: CommandRow) -> None:
        """Take a command's row; rows whose names have become equal count together."""
        key = RollupKey(RollupKind.COMMAND, row.name, row.day)
        mine = self._commands.get(key)
        if mine is not None:
            row = CommandRow(
                name=row.name,
                day=row.day,
                executions=mine.executions + row.executions,
                successes=mine.successes + row.successes,
                failures=mine.failures + row.failures,
                execution_us=mine.execution_us + row.execution_us,
                last=max(filter(None, (mine.last, row.last)), default=None),
            )
        self._commands[key] = row

    def add_error(self, row: ErrorRow) -> None:
        """Take an error's row; rows whose texts have become equal count together."""
        message = normalise_error(row.message) if self._keeps_text else ""
        dimension = f"{fingerprint(row.error_type, message)}:{row.error_type}"
        users = {self._stored_user_id(user) for user in row.users}
        signed_in = sorted(user for user in users if not user.startswith(ANONYMOUS_PREFIX))
        delta = PatternDelta(
            row.error_type,
            message,
            row.count,
            row.first,
            row.last,
            tuple(signed_in[:MAX_PATTERN_USERS]),
        )
        life = self._errors.setdefault(dimension, delta)
        if life is not delta:
            life.add(delta)

    def patterns(self) -> Iterator[tuple[str, PatternDelta]]:
        """Yield what lifetime rows are to have added, by pattern in order.

        Of the days of these errors only the first and the last are known: there they count in the
        days' rows too, as far as no event does.
        """
        for dimension, delta in sorted(self._errors.items()):
            stored = Pattern(
                dimension,
                delta.error_type,
                delta.message,
                delta.count,
                delta.first,
                delta.last,
                delta.users,
            )
            missing = pattern_surplus(stored, self._lives.get(dimension))
            if missing is None:
                continue
            yield dimension, missing
            left = missing.count
            first, last = day_of(delta.first), day_of(delta.last)
            if first == last:
                self._add_errors(dimension, delta.error_type, left, delta.first, delta.last)
            else:
                for day, at in ((first, delta.first), (last, delta.last)):
                    key = RollupKey(RollupKind.PATTERN, dimension, day)
                    if left and key not in self._counted:
                        self._add_errors(dimension, delta.error_type, 1, at, at)
                        left -= 1

    def rollups(self) -> Iterator[tuple[RollupKey, Rollup]]:
        """Yield what rows of days are to have added, in order; after `patterns`."""
        for key, row in self._commands.items():
            self._add_missing(key, row)
        for key in sorted(self._added, key=lambda one: (one.period, one.kind, one.dimension)):
            yield key, self._added[key]

    def _add_missing(self, key: RollupKey, row: CommandRow) -> None:
        counted = self._counted.get(key, _NO_ROLLUP).counters
        executions = max(row.executions - counted.get("executions", 0), 0)
        successes = max(row.successes - counted.get("successes", 0), 0)
        failures = max(row.failures - counted.get("failures", 0), 0)
        execution_us = max(row.execution_us - counted.get("execution_us", 0), 0)
        if not executions and not successes and not failures:
            return
        times: dict[str, int] = {}
        if execution_us and executions:
            # Each execution of the original has a time, and no bucket: percentiles are those of
            # events.
            times = {"execution_us": execution_us, "execution_samples": executions}
        day = parse_day("date", row.day)
        start = DateRange(day, day).start_ms
        at = min(max(row.last or start, start), start + DAY_MS - 1)
        own = {"executions": executions, "successes": successes, "failures": failures, **times}
        self._add(key, own, at, at)
        happened = {
            "events": executions,
            "e.ACTION_EXECUTED": max(executions - failures, 0),
            "e.ACTION_FAILED": min(failures, executions),
            "executions": executions,
            "failures": failures,
            **times,
        }
        self._add(RollupKey(RollupKind.ACTIVITY, ACTIVITY, row.day), happened, at, at)

    def _add_errors(
        self, dimension: str, error_type: str, count: int, first: int, last: int
    ) -> None:
        if not count:
            return
        day = day_of(first)
        for kind, name, counters in (
            (RollupKind.PATTERN, dimension, {"count": count}),
            (RollupKind.ERROR, error_type, {"count": count}),
            (
                RollupKind.ACTIVITY,
                ACTIVITY,
                {"events": count, "e.ERROR_OCCURRED": count, "errors": count},
            ),
        ):
            self._add(RollupKey(kind, name, day), counters, first, last)

    def _add(self, key: RollupKey, counters: dict[str, int], first: int, last: int) -> None:
        rollup = Rollup({name: n for name, n in counters.items() if n}, first, last)
        mine = self._added.setdefault(key, rollup)
        if mine is not rollup:
            mine.add(rollup)
