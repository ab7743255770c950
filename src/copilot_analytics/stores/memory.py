"""The smallest store that keeps the contract: everything in dictionaries, for tests and demos."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from .._forking import renew_in_children
from ..aggregation import Deltas, aggregate
from ..batch import Batch
from ..distinct import Distinct, random_hash, user_hash
from ..events import AnalyticsEvent
from ..periods import DAY_MS, DateRange, day_of, parse_day
from ..rollups import Pattern, Rollup, RollupKey, RollupKind
from ..typing import Clock, SystemClock
from .base import Correction, Erasure, EventSelection, Snapshot, Store

__all__ = ["MemoryStore"]

_ENDED_MS = 60_000


class MemoryStore(Store):
    """Keeps everything in this process's memory, for good: nothing expires. Thread-safe.

    Closing it keeps what it holds, so that it can be opened again; it ends with the process.

    Args:
        clock: tells which days have ended.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._events: list[AnalyticsEvent] = []
        self._written: dict[str, int] = {}
        self._deltas = Deltas()
        self._generations: Counter[str] = Counter()
        self._unbacked: set[RollupKey] = set()
        renew_in_children(self)

    def renew_in_child(self) -> None:
        """Take a new lock in a forked child: nobody there will release the parent's."""
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Always `memory://`."""
        return "memory://"

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def write(self, batch: Batch) -> None:
        """Add a batch once; see `Store.write`."""
        with self._lock:
            last = self._written.get(batch.writer)
            rest = batch if last is None else batch.after(last)
            if rest is None:
                return
            deltas = rest.deltas
            # What is added is given away, and the batch may be asked again or written elsewhere.
            self._deltas.add(_copy(deltas))
            self._events += rest.events
            self._written[rest.writer] = rest.last
            self._unbacked |= deltas.unbacked
            self._raise_generations(deltas.days)

    def _raise_generations(self, days: Iterable[str]) -> None:
        ended = self._clock.now_ms() + _ENDED_MS
        self._generations.update(day for day in days if _end_ms(day) <= ended)

    def totals(
        self,
        kind: RollupKind,
        range: DateRange,
        dimensions: Collection[str] | None = None,
        *,
        detail: bool = False,
    ) -> dict[str, Rollup]:
        """See `Store.totals`."""
        days = set(range.each_day())
        totals: dict[str, Rollup] = {}
        with self._lock:
            for key, rollup in self._deltas.rollups.items():
                if key.kind is kind and key.period in days and _wanted(key, dimensions):
                    totals.setdefault(key.dimension, Rollup({})).add(rollup)
        if not detail:
            return {dimension: total.headlines(kind) for dimension, total in totals.items()}
        return totals

    def series(
        self,
        kind: RollupKind,
        dimension: str,
        range: DateRange,
        *,
        hourly: bool = False,
        detail: bool = True,
    ) -> dict[str, Rollup]:
        """See `Store.series`."""
        days = set(range.each_day())
        with self._lock:
            return {
                key.period: _copied(rollup) if detail else rollup.headlines(kind)
                for key, rollup in self._deltas.rollups.items()
                if key.kind is kind
                and key.dimension == dimension
                and key.period[:10] in days
                and ("T" in key.period) is hourly
            }

    def distinct(
        self, kind: RollupKind, dimensions: Sequence[str], range: DateRange
    ) -> dict[str, Distinct]:
        """See `Store.distinct`."""
        days = set(range.each_day())
        parts: dict[str, list[Distinct]] = {}
        with self._lock:
            for key, users in _distinct_of(self._deltas):
                if key.kind is kind and key.period in days and _wanted(key, dimensions):
                    parts.setdefault(key.dimension, []).append(users)
        return {dimension: Distinct.merge(found) for dimension, found in parts.items()}

    def patterns(self, dimensions: Collection[str]) -> dict[str, Pattern]:
        """See `Store.patterns`."""
        with self._lock:
            return {
                dimension: Pattern(
                    dimension,
                    life.error_type,
                    life.message,
                    life.count,
                    life.first,
                    life.last,
                    life.users,
                )
                for dimension in dimensions
                if (life := self._deltas.patterns.get(dimension)) is not None
            }

    def generations(self, range: DateRange) -> int:
        """See `Store.generations`."""
        with self._lock:
            return sum(self._generations[day] for day in range.each_day())

    @contextlib.contextmanager
    def snapshot(self, day: dt.date) -> Iterator[Snapshot]:
        """See `Store.snapshot`; holds copies of the day."""
        with self._lock:
            snapshot = _MemorySnapshot(day.isoformat(), self._events, self._deltas, self._unbacked)
        yield snapshot

    def events(
        self,
        selection: EventSelection,
        *,
        after: tuple[int, str] | None = None,
        limit: int,
        newest_first: bool = True,
    ) -> Sequence[AnalyticsEvent]:
        """See `Store.events`."""
        with self._lock:
            found = [event for event in self._events if _selected(event, selection)]
        found.sort(key=_position, reverse=newest_first)
        if after is not None:
            found = [
                event
                for event in found
                if (_position(event) < after if newest_first else _position(event) > after)
            ]
        return found[:limit]

    def erase_user(self, user_id: str) -> Erasure:
        """See `Store.erase_user`; what this process's memory held may stay there for a while."""
        with self._lock:
            deltas = self._deltas
            events = [event for event in self._events if event.user_id == user_id]
            self._events = [event for event in self._events if event.user_id != user_id]
            rollups = [
                key
                for key in deltas.rollups
                if key.kind is RollupKind.USER and key.dimension == user_id
            ]
            for key in rollups:
                del deltas.rollups[key]
            counted = aggregate(events).rollups.keys() & deltas.rollups.keys()
            sets = self._replace_hash(user_hash(user_id))
            patterns = [life for life in deltas.patterns.values() if user_id in life.users]
            for life in patterns:
                life.users = tuple(user for user in life.users if user != user_id)
            self._unbacked |= counted
            self._unbacked.update(sets)
            days = {day_of(event.timestamp) for event in events}
            self._raise_generations(days.union(key.period for key in (*rollups, *sets)))
        return Erasure(
            events=len(events),
            rollups=len(rollups),
            patterns=len(patterns),
            distinct=len(sets),
        )

    def _replace_hash(self, hash: int) -> list[RollupKey]:
        """Put a random hash in the place of one, and return where it was."""
        stand_in = random_hash()
        found = [key for key, hashes in self._deltas.distinct.items() if hash in hashes]
        for key in found:
            self._deltas.distinct[key].add(stand_in)
            self._deltas.distinct[key].remove(hash)
        return found

    def correct(self, corrections: Sequence[Correction]) -> Sequence[RollupKey]:
        """See `Store.correct`."""
        corrected = []
        with self._lock:
            deltas = self._deltas
            users = dict(_distinct_of(deltas))
            for one in corrections:
                key = one.key
                if (deltas.rollups.get(key), users.get(key)) != (one.stored, one.stored_users):
                    continue
                corrected.append(key)
                deltas.rollups[key] = _copied(one.rollup)
                deltas.distinct.pop(key, None)
                deltas.sketches.pop(key, None)
                members = None if one.users is None else one.users.members
                if members is not None:
                    deltas.distinct[key] = set(members)
                elif one.users is not None:
                    deltas.sketches[key] = one.users
            self._raise_generations({key.period[:10] for key in corrected})
        return corrected

    def statistics(self) -> Mapping[str, int]:
        """Return `events`; `bytes` is 0, nobody knows."""
        with self._lock:
            return {"events": len(self._events), "bytes": 0}


class _MemorySnapshot:
    def __init__(
        self,
        day: str,
        events: Sequence[AnalyticsEvent],
        deltas: Deltas,
        unbacked: Collection[RollupKey],
    ) -> None:
        end = _end_ms(day)
        self._events = sorted(
            (event for event in events if end - DAY_MS <= event.timestamp < end), key=_position
        )
        self._unbacked = [key for key in unbacked if key.period[:10] == day]
        self._rollups = [
            (key, _copied(rollup))
            for key, rollup in deltas.rollups.items()
            if key.period[:10] == day
        ]
        self._distinct = [(key, users) for key, users in _distinct_of(deltas) if key.period == day]

    def events(self) -> Iterator[AnalyticsEvent]:
        return iter(self._events)

    def rollups(self) -> Iterator[tuple[RollupKey, Rollup]]:
        return iter(self._rollups)

    def distinct(self) -> Iterator[tuple[RollupKey, Distinct]]:
        return iter(self._distinct)

    def unbacked(self) -> Iterator[RollupKey]:
        return iter(self._unbacked)


def _distinct_of(deltas: Deltas) -> Iterator[tuple[RollupKey, Distinct]]:
    for key in deltas.distinct.keys() | deltas.sketches.keys():
        users = Distinct.of(deltas.distinct.get(key, ()))
        sketch = deltas.sketches.get(key)
        yield key, users if sketch is None else Distinct.merge((users, sketch))


def _position(event: AnalyticsEvent) -> tuple[int, str]:
    return event.timestamp, event.event_id


def _selected(event: AnalyticsEvent, selection: EventSelection) -> bool:
    return (
        selection.start_ms <= event.timestamp <= selection.end_ms
        and selection.event_type in (None, event.event_type)
        and selection.user_id in (None, event.user_id)
    )


def _wanted(key: RollupKey, dimensions: Collection[str] | None) -> bool:
    return dimensions is None or key.dimension in dimensions


def _copied(rollup: Rollup) -> Rollup:
    return Rollup(dict(rollup.counters), rollup.first, rollup.last)


def _copy(deltas: Deltas) -> Deltas:
    return Deltas(
        {key: _copied(rollup) for key, rollup in deltas.rollups.items()},
        {key: set(hashes) for key, hashes in deltas.distinct.items()},
        {name: dataclasses.replace(life) for name, life in deltas.patterns.items()},
        set(deltas.days),
        dict(deltas.sketches),
        set(deltas.unbacked),
    )


def _end_ms(day: str) -> int:
    date = parse_day("day", day)
    return DateRange(date, date).end_ms
