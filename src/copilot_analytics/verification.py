"""The recount: whether the rollups of some days are what their events add up to, or are made so.

A rollup that also counts what no event backs (imported, or its events were erased) is told apart
and never rebuilt; nor are the days whose events have expired, or may have in part.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from .aggregation import Deltas, aggregate
from .distinct import Distinct
from .events import AnalyticsEvent
from .periods import DAY_MS, MAX_RANGE_DAYS, DateRange
from .rollups import Rollup, RollupKey, RollupKind
from .stores.base import Correction, EventSelection, Snapshot, Store

__all__ = ["Difference", "RebuildReport", "VerificationReport", "rebuild", "verify"]

_CHUNK = 5_000

_EPOCH = dt.date(1970, 1, 1)

_NO_ROLLUP = Rollup({})

_ATTEMPTS = 3
"""How often a day is recounted whose rollups change meanwhile."""


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
            f"{_spelled(self.key)}: {self.counter} is {self.stored}, its events give "
            f"{self.recounted}"
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
            yield f"{_spelled(key)}: counts what no event backs; left alone"
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


@dataclass(slots=True)
class RebuildReport:
    """What a rebuild did.

    Attributes:
        range: the days asked for.
        days: the days recounted.
        corrected: the rollups that were replaced.
        left: figures that differ still, with the reason.
        unbacked: see `VerificationReport.unbacked`.
        expired: days, `YYYY-MM-DD`, that were not recounted: their events are no longer kept.
    """

    range: DateRange
    days: int = 0
    corrected: list[RollupKey] = field(default_factory=list)
    left: list[tuple[Difference, str]] = field(default_factory=list)
    unbacked: list[RollupKey] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the report as lines of text, a summary last."""
        for key in self.corrected:
            yield f"{_spelled(key)}: corrected"
        for difference, reason in self.left:
            yield f"{difference}: left alone, {reason}"
        for key in self.unbacked:
            yield f"{_spelled(key)}: counts what no event backs; left alone"
        for day in self.expired:
            yield f"{day}: skipped, its events are no longer kept"
        yield (
            f"{self.range}: {_plural(self.days, 'day')} recounted, "
            f"{_plural(len(self.corrected), 'rollup')} corrected, "
            f"{_plural(len(self.left), 'difference')} left"
        )


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


def rebuild(
    store: Store,
    days: DateRange,
    *,
    now_ms: int,
    event_retention_days: int,
    progress: Callable[[dt.date], None] | None = None,
) -> RebuildReport:
    """Count the events of some days again and correct the rollups that differ.

    Others may write meanwhile: a rollup that changes is counted again, and left alone in the end.
    Lifetime rows of error patterns outlive their events, and stay as they are.

    Args:
        store: what to correct; not closed.
        days: which days.
        now_ms: tells today.
        event_retention_days: of older days the events are, or may be, no longer complete.
        progress: called with each day once it is done.

    Raises:
        StoreError: the store cannot be read, written, or corrected.
    """
    report = RebuildReport(days)
    first_kept = now_ms // DAY_MS - event_retention_days
    shrinking = _shrinking_day(store, now_ms)
    for day in days.each_day():
        date = dt.date.fromisoformat(day)
        if (date - _EPOCH).days < first_kept:
            report.expired.append(day)
        else:
            _rebuild_day(report, store, date, only_losses=date == shrinking)
        if progress is not None:
            progress(date)
    return report


def _shrinking_day(store: Store, now_ms: int) -> dt.date | None:
    """Return the oldest day with events, where the events of days before it were deleted.

    Retention deletes the oldest first, maybe by another setting than the one that is known here.
    """
    selection = EventSelection(start_ms=0, end_ms=now_ms + DAY_MS)
    oldest = store.events(selection, limit=1, newest_first=False)
    if not oldest:
        return None
    day = _EPOCH + dt.timedelta(days=oldest[0].timestamp // DAY_MS)
    before = DateRange(day - dt.timedelta(days=MAX_RANGE_DAYS), day - dt.timedelta(days=1))
    return day if store.totals(RollupKind.ACTIVITY, before) else None


def _rebuild_day(report: RebuildReport, store: Store, day: dt.date, *, only_losses: bool) -> None:
    attempt = 0
    while True:
        attempt += 1
        with store.snapshot(day) as snapshot:
            recount = _Recount.of(snapshot)
        if not recount.events:
            if recount.stored:
                report.expired.append(day.isoformat())
            return
        wrong = recount.differences()
        chosen = recount.correctable(wrong, only_losses=only_losses)
        done = set(store.correct([recount.correction(key) for key in chosen])) if chosen else set()
        report.corrected += sorted(done, key=_order)
        if len(done) == len(chosen) or attempt == _ATTEMPTS:
            break
    report.days += 1
    report.unbacked += sorted(recount.unbacked, key=_order)
    for key, found in wrong.items():
        if key in done:
            continue
        if key in chosen:
            reason = "it is being written to"
        elif key in recount.unbacked or key not in recount.rollups:
            reason = "it counts what no event backs, too"
        else:
            reason = "events of its day may have been deleted"
        report.left += [(difference, reason) for difference in found]


@dataclass(slots=True)
class _Recount:
    """A day as it is stored, and as its events add up.

    Attributes:
        events: how many events the day has.
        stored: its rollups.
        users: their distinct users.
        rollups: what the events add up to.
        distinct: their distinct users.
        unbacked: the rollups that count what no event backs.
    """

    events: int
    stored: Mapping[RollupKey, Rollup]
    users: Mapping[RollupKey, Distinct]
    rollups: Mapping[RollupKey, Rollup]
    distinct: Mapping[RollupKey, Distinct]
    unbacked: set[RollupKey]

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Recount:
        """Recount the day of a snapshot."""
        events, rollups, distinct = _recount(snapshot.events())
        stored = dict(snapshot.rollups())
        unbacked = stored.keys() - rollups.keys()
        unbacked.update(key for key in snapshot.unbacked() if key in stored)
        return cls(events, stored, dict(snapshot.distinct()), rollups, distinct, unbacked)

    def differences(self) -> dict[RollupKey, list[Difference]]:
        """Return what differs, by rollup; of unbacked ones only what is missing."""
        found: dict[RollupKey, list[Difference]] = {}
        for key in sorted(self.rollups, key=_order):
            wrong = _differences(key, self.stored.get(key, _NO_ROLLUP), self.rollups[key])
            differing = list(wrong if key not in self.unbacked else filter(_is_loss, wrong))
            if differing:
                found[key] = differing
        for key in sorted(self.users.keys() | self.distinct.keys(), key=_order):
            ours, theirs = self.users.get(key, Distinct()), self.distinct.get(key, Distinct())
            if (Distinct.merge((ours, theirs)) if key in self.unbacked else theirs) != ours:
                counts = ours.count().count, theirs.count().count
                found.setdefault(key, []).append(Difference(key, "distinct", *counts))
        return found

    def correctable(
        self, differing: Mapping[RollupKey, list[Difference]], *, only_losses: bool
    ) -> list[RollupKey]:
        """Return which rollups are what their events say, and nothing else."""
        return [
            key
            for key, found in differing.items()
            if key in self.rollups
            and key not in self.unbacked
            and (not only_losses or all(map(_is_loss, found)))
        ]

    def correction(self, key: RollupKey) -> Correction:
        """Return how a rollup becomes what its events add up to."""
        return Correction(
            key=key,
            stored=self.stored.get(key),
            stored_users=self.users.get(key),
            rollup=self.rollups[key],
            users=self.distinct.get(key),
        )


def _verify_day(report: VerificationReport, day: str, snapshot: Snapshot) -> None:
    recount = _Recount.of(snapshot)
    if recount.stored and not recount.events:
        report.expired.append(day)
        return
    report.days += 1
    report.events += recount.events
    report.rows += len(recount.stored.keys() | recount.rollups.keys())
    report.unbacked += sorted(recount.unbacked, key=_order)
    for found in recount.differences().values():
        report.differences += found


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


def _spelled(key: RollupKey) -> str:
    return f"{key.period} {key.kind.value} {key.dimension}"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
