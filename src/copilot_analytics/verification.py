"""The recount: whether the rollups of some days are what their events add up to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from .aggregation import Deltas, aggregate
from .distinct import Distinct
from .events import AnalyticsEvent
from .periods import DateRange
from .rollups import Rollup, RollupKey
from .stores.base import Snapshot, Store

__all__ = ["Difference", "VerificationReport", "verify"]

_CHUNK = 5_000

_NO_ROLLUP = Rollup({})


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that is not what the events add up to.

    Attributes:
        key: which rollup.
        counter: its counter; `first` and `last` are its times in epoch ms, `distinct` its users.
        stored: what the store holds; 0 where it holds nothing.
        recounted: what its events add up to.
    """

    key: RollupKey
    counter: str
    stored: int
    recounted: int

    def __str__(self) -> str:
        return (
            f"{self.key.period} {self.key.kind.value} {self.key.dimension}: {self.counter} is "
            f"{self.stored}, its events give {self.recounted}"
        )


@dataclass(slots=True)
class VerificationReport:
    """What a recount found.

    Attributes:
        range: the days asked for.
        days: the days recounted.
        events: the events counted.
        rows: the rollups compared, distinct users not counted again.
        differences: figures that differ.
        unbacked: rollups with counts that no kept event backs: imported, or their events were
            erased or have expired. They are to count at least what their events add up to.
        expired: days, `YYYY-MM-DD`, that hold rollups and no events any more: nothing to recount.
    """

    range: DateRange
    days: int = 0
    events: int = 0
    rows: int = 0
    differences: list[Difference] = field(default_factory=list)
    unbacked: list[RollupKey] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the report as lines of text: the differences first, a summary last."""
        for difference in self.differences:
            yield str(difference)
        for key in self.unbacked:
            name = f"{key.period} {key.kind.value} {key.dimension}"
            yield f"{name}: counts what no event backs; left alone"
        for day in self.expired:
            yield f"{day}: skipped, its events are no longer kept"
        found = (
            f"{_plural(len(self.differences), 'difference')}" if self.differences else "all equal"
        )
        yield (
            f"{self.range}: {_plural(self.events, 'event')} against {_plural(self.rows, 'rollup')} "
            f"of {_plural(self.days, 'day')}: {found}"
        )

    def __str__(self) -> str:
        return "\n".join(self.lines())


def verify(
    store: Store, days: DateRange, *, progress: Callable[[dt.date], None] | None = None
) -> VerificationReport:
    """Count the events of some days again and compare with the rollups; changes nothing.

    Blocks, for about as long as reading the events takes; holds a day's counts, not its events.

    Args:
        store: what to verify; not closed.
        days: which days.
        progress: called with each day once it is done.

    Raises:
        StoreError: the store cannot be read.
    """
    report = VerificationReport(days)
    for day in days.each_day():
        date = dt.date.fromisoformat(day)
        with store.snapshot(date) as snapshot:
            _verify_day(report, day, snapshot)
        if progress is not None:
            progress(date)
    return report


def _verify_day(report: VerificationReport, day: str, snapshot: Snapshot) -> None:
    events, rollups, distinct = _recount(snapshot.events())
    stored = dict(snapshot.rollups())
    if stored and not events:
        report.expired.append(day)
        return
    report.days += 1
    report.events += events
    report.rows += len(stored.keys() | rollups.keys())
    unbacked = stored.keys() - rollups.keys()
    unbacked.update(key for key in snapshot.unbacked() if key in stored)
    report.unbacked += sorted(unbacked, key=_order)
    for key in sorted(rollups, key=_order):
        found = _differences(key, stored.get(key, _NO_ROLLUP), rollups[key])
        report.differences += found if key not in unbacked else filter(_is_loss, found)
    users = dict(snapshot.distinct())
    for key in sorted(users.keys() | distinct.keys(), key=_order):
        ours, theirs = users.get(key, Distinct()), distinct.get(key, Distinct())
        if (Distinct.merge((ours, theirs)) if key in unbacked else theirs) != ours:
            counts = ours.count().count, theirs.count().count
            report.differences.append(Difference(key, "distinct", *counts))


def _recount(
    events: Iterator[AnalyticsEvent],
) -> tuple[int, Mapping[RollupKey, Rollup], Mapping[RollupKey, Distinct]]:
    count = 0
    total = Deltas()
    distinct: dict[RollupKey, Distinct] = {}
    while chunk := list(islice(events, _CHUNK)):
        count += len(chunk)
        deltas = aggregate(chunk)
        for key, hashes in deltas.distinct.items():
            distinct.setdefault(key, Distinct()).add(hashes)
        # They are bounded in `distinct`; the sets would grow with the users.
        deltas.distinct.clear()
        total.add(deltas)
    return count, total.rollups, distinct


def _differences(key: RollupKey, stored: Rollup, recounted: Rollup) -> Iterator[Difference]:
    for name in sorted(stored.counters.keys() | recounted.counters.keys()):
        ours, theirs = stored.counters.get(name, 0), recounted.counters.get(name, 0)
        if ours != theirs:
            yield Difference(key, name, ours, theirs)
    if stored.first != recounted.first:
        yield Difference(key, "first", stored.first, recounted.first)
    if stored.last != recounted.last:
        yield Difference(key, "last", stored.last, recounted.last)


def _is_loss(difference: Difference) -> bool:
    """Say whether less is stored than the events add up to: nothing that is missing explains it."""
    stored, recounted = difference.stored, difference.recounted
    if difference.counter == "first":
        # 0 is none: later than any time that there is.
        return recounted > 0 and not 0 < stored < recounted
    return stored < recounted


def _order(key: RollupKey) -> tuple[str, str, str]:
    return key.period, key.kind.value, key.dimension


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
