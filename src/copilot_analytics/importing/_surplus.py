"""What rollups hold beyond what their events add up to, as supplements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from ..aggregation import PatternDelta, aggregate
from ..distinct import Distinct
from ..events import AnalyticsEvent
from ..rollups import Pattern, Rollup, RollupKey
from ..supplements import MAX_COUNTERS

__all__ = ["DayCounts", "cut", "pattern_surplus"]

_NO_ROLLUP = Rollup({})


class DayCounts:
    """What the events of one day add up to, however many they are."""

    def __init__(self) -> None:
        self.rollups: dict[RollupKey, Rollup] = {}
        self.distinct: dict[RollupKey, Distinct] = {}
        self.patterns: dict[str, PatternDelta] = {}

    def add(self, events: Sequence[AnalyticsEvent]) -> None:
        """Count events."""
        deltas = aggregate(events)
        for key, rollup in deltas.rollups.items():
            mine = self.rollups.setdefault(key, rollup)
            if mine is not rollup:
                mine.add(rollup)
        for key, hashes in deltas.distinct.items():
            self.distinct.setdefault(key, Distinct()).add(hashes)
        for dimension, delta in deltas.patterns.items():
            life = self.patterns.setdefault(dimension, delta)
            if life is not delta:
                life.add(delta)

    def surplus(
        self, rollups: Iterable[tuple[RollupKey, Rollup]], distinct: Mapping[RollupKey, Distinct]
    ) -> Iterator[tuple[RollupKey, Rollup, bytes]]:
        """Yield what rows have to have added to be what they are given as, in order.

        What is less than the events add up to stays as the events have it.

        Args:
            rollups: the day's rows.
            distinct: their distinct users.
        """
        for key, stored in sorted(rollups, key=lambda row: _order(row[0])):
            counted = self.rollups.get(key)
            users = _missing_users(distinct.get(key), self.distinct.get(key))
            missing = _missing(stored, counted or _NO_ROLLUP)
            if counted is None or missing is not None or users:
                if missing is None:
                    missing = Rollup({}, stored.first, stored.last)
                for part in cut(missing):
                    yield key, part, users
                    users = b""


def cut(rollup: Rollup) -> Iterator[Rollup]:
    """Yield a rollup in parts of at most `MAX_COUNTERS` counters; at least one."""
    counters = iter(sorted(rollup.counters.items()))
    part = dict(islice(counters, MAX_COUNTERS))
    while True:
        yield Rollup(part, rollup.first, rollup.last)
        part = dict(islice(counters, MAX_COUNTERS))
        if not part:
            return


def pattern_surplus(stored: Pattern, counted: PatternDelta | None) -> PatternDelta | None:
    """Return what a lifetime row needs to be as it is stored; None if its events are enough."""
    delta = PatternDelta(
        stored.error_type, stored.message, stored.count, stored.first, stored.last, stored.users
    )
    if counted is None:
        return delta
    delta.count = max(stored.count - counted.count, 0)
    same = (stored.message, stored.users) == (counted.message, counted.users)
    inside = counted.first <= stored.first and stored.last <= counted.last
    return None if same and inside and not delta.count else delta


def _missing(stored: Rollup, counted: Rollup) -> Rollup | None:
    counters = {
        name: count - counted.counters.get(name, 0)
        for name, count in stored.counters.items()
        if count > counted.counters.get(name, 0)
    }
    earlier = 0 < stored.first < counted.first or (stored.first > 0 and not counted.first)
    if not counters and not earlier and stored.last <= counted.last:
        return None
    return Rollup(counters, stored.first, stored.last)


def _missing_users(stored: Distinct | None, counted: Distinct | None) -> bytes:
    if stored is None or stored == counted:
        return b""
    members = stored.members
    if members is None:
        return stored.to_bytes()
    known = counted.members if counted is not None else frozenset[int]()
    missing = members - known if known is not None else frozenset[int]()
    return Distinct.of(missing).to_bytes() if missing else b""


def _order(key: RollupKey) -> tuple[str, str, str]:
    return key.period, key.kind.value, key.dimension
