"""What events add to the rollups: the one place that counts.

`aggregate` is the hottest code of the recorder's thread. Events are grouped by hour and type first,
so that most of the counting is `len`, `Counter`, `dict` and `zip` over whole groups; days are the
sums of their hours, and what is kept by day only is counted over the day's groups.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from operator import attrgetter

from ._counters import (
    ACTIONS,
    USER_COUNTERS,
    activity_counters,
    add_times,
    by_metadata,
    intent_counters,
)
from .distinct import Distinct, user_hash
from .events import ANONYMOUS_PREFIX, AnalyticsEvent, EventType
from .periods import DAY_MS, HOUR_MS, day_of, hour_of
from .rollups import ACTIVITY, DISTINCT_KINDS, Rollup, RollupKey, RollupKind

__all__ = ["MAX_PATTERN_USERS", "Deltas", "PatternDelta", "aggregate"]

MAX_PATTERN_USERS = 100
"""An error pattern keeps at most this many ids of affected users."""

_timestamp = attrgetter("timestamp")


@dataclass(slots=True)
class PatternDelta:
    """What events add to an error pattern's lifetime row.

    Attributes:
        error_type: the errors' type.
        message: the earliest one's normalised message; of equally early ones the least.
        count: how many there are.
        first: the earliest one's time, epoch ms.
        last: the latest one's time, epoch ms.
        users: stored ids of affected signed-in users, sorted: the first `MAX_PATTERN_USERS`.
    """

    error_type: str
    message: str
    count: int
    first: int
    last: int
    users: tuple[str, ...]

    def add(self, other: PatternDelta) -> None:
        """Add another delta of the same pattern."""
        self.message = min((self.first, self.message), (other.first, other.message))[1]
        self.count += other.count
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)
        if self.users != other.users:
            self.users = _first_users({*self.users, *other.users})


@dataclass(slots=True)
class Deltas:
    """What events, and supplements, add to every rollup; the same however they are cut and ordered.

    Attributes:
        rollups: counters and times to add, by rollup.
        distinct: hashes of signed-in users to add, by rollup of a day; never empty sets.
        patterns: what to add to lifetime rows, by `<fingerprint>:<error type>`.
        days: the UTC days, `YYYY-MM-DD`, that any event is of.
        sketches: sketches of users to merge, by rollup of a day; only supplements have any.
        unbacked: rollups to which something is added that no event backs.
    """

    rollups: dict[RollupKey, Rollup] = field(default_factory=dict)
    distinct: dict[RollupKey, set[int]] = field(default_factory=dict)
    patterns: dict[str, PatternDelta] = field(default_factory=dict)
    days: set[str] = field(default_factory=set)
    sketches: dict[RollupKey, Distinct] = field(default_factory=dict)
    unbacked: set[RollupKey] = field(default_factory=set)

    def add(self, other: Deltas) -> None:
        """Add what other events add; `other` is given away, its parts may be taken over."""
        for key, rollup in other.rollups.items():
            mine = self.rollups.setdefault(key, rollup)
            if mine is not rollup:
                mine.add(rollup)
        for key, hashes in other.distinct.items():
            users = self.distinct.setdefault(key, hashes)
            if users is not hashes:
                users |= hashes
        for dimension, pattern in other.patterns.items():
            life = self.patterns.setdefault(dimension, pattern)
            if life is not pattern:
                life.add(pattern)
        self.days |= other.days
        for key, sketch in other.sketches.items():
            self.sketches[key] = Distinct.merge((self.sketches.get(key, Distinct()), sketch))
        self.unbacked |= other.unbacked


def aggregate(
    events: Sequence[AnalyticsEvent], *, pause: Callable[[], object] = lambda: None
) -> Deltas:
    """Return what events add to every rollup.

    Args:
        events: admitted events, in any order; the result does not depend on it.
        pause: called a few times in between, so that other threads need not wait for the end.
    """
    deltas = Deltas()
    ordered = sorted(events, key=_timestamp)
    stamps = [event.timestamp for event in ordered]
    start = 0
    while start < len(ordered):
        day_end = bisect_left(stamps, (stamps[start] // DAY_MS + 1) * DAY_MS, start)
        _Day(deltas, ordered[start:day_end], stamps[start:day_end]).count(pause)
        start = day_end
    return deltas


class _Day:
    """Counts the events of one UTC day, given in order of time."""

    __slots__ = ("_day", "_deltas", "_events", "_groups", "_hashes", "_stamps")

    def __init__(
        self, deltas: Deltas, events: Sequence[AnalyticsEvent], stamps: Sequence[int]
    ) -> None:
        self._deltas = deltas
        self._events = events
        self._stamps = stamps
        self._day = day_of(stamps[0])
        self._groups: defaultdict[EventType, list[AnalyticsEvent]] = defaultdict(list)
        self._hashes: dict[str, int] = {}

    def count(self, pause: Callable[[], object]) -> None:
        self._deltas.days.add(self._day)
        for count in (
            self._count_activity,
            self._count_users,
            self._count_commands,
            self._count_intents,
            self._count_errors,
        ):
            count()
            pause()

    def _count_activity(self) -> None:
        stamps = self._stamps
        rollups = self._deltas.rollups
        day = Rollup({})
        start = 0
        while start < len(stamps):
            end = bisect_left(stamps, (stamps[start] // HOUR_MS + 1) * HOUR_MS, start)
            groups: defaultdict[EventType, list[AnalyticsEvent]] = defaultdict(list)
            for event in self._events[start:end]:
                groups[event.event_type].append(event)
            hour = Rollup(activity_counters(groups), stamps[start], stamps[end - 1])
            rollups[RollupKey(RollupKind.ACTIVITY, ACTIVITY, hour_of(stamps[start]))] = hour
            day.add(hour)
            for event_type, group in groups.items():
                self._groups[event_type] += group
            start = end
        rollups[self._key(RollupKind.ACTIVITY, ACTIVITY)] = day

    def _count_users(self) -> None:
        user_ids = [event.user_id for event in self._events]
        hashes = self._hashes
        for user_id in dict.fromkeys(user_ids):
            if not user_id.startswith(ANONYMOUS_PREFIX):
                hashes[user_id] = user_hash(user_id)
        if not hashes:
            return
        # In order of time, so that the last one assigned is the latest, and in reverse the first.
        last = dict(zip(user_ids, self._stamps, strict=True))
        first = dict(zip(reversed(user_ids), reversed(self._stamps), strict=True))
        counters: dict[str, dict[str, int]] = {user_id: {} for user_id in last}
        for name, event_types in USER_COUNTERS:
            group = [event.user_id for kind in event_types for event in self._groups.get(kind, ())]
            if group:
                for user_id, count in Counter(group).items():
                    counters[user_id][name] = count
        rollups = self._deltas.rollups
        for user_id in hashes:
            rollups[self._key(RollupKind.USER, user_id)] = Rollup(
                counters[user_id], first[user_id], last[user_id]
            )
        users = set(hashes.values())
        self._deltas.distinct[self._key(RollupKind.ACTIVITY, ACTIVITY)] = users

    def _count_commands(self) -> None:
        for event_type, outcome in zip(ACTIONS, ("successes", "failures"), strict=True):
            for name, group in by_metadata(
                self._groups.get(event_type, ()), "command_name"
            ).items():
                counters = {"executions": len(group), outcome: len(group)}
                add_times(counters, group, "execution_ms", "execution", "x.")
                self._add(RollupKind.COMMAND, name, counters, group)
        errors = self._groups.get(EventType.ERROR_OCCURRED, ())
        for name, group in by_metadata(errors, "command_name").items():
            types = {
                f"error.{error_type}": len(part)
                for error_type, part in by_metadata(group, "error_type").items()
            }
            if types:
                # Without times and users: they say who ran the command and when, and an error is
                # no run.
                self._add(RollupKind.COMMAND, name, types, ())

    def _count_intents(self) -> None:
        for event_type in (
            EventType.INTENT_CLASSIFIED,
            EventType.CLARIFICATION_REQUESTED,
            *ACTIONS,
        ):
            for intent, group in by_metadata(self._groups.get(event_type, ()), "intent").items():
                bearing = group
                if event_type is EventType.ACTION_EXECUTED:
                    # One that names no command says nothing of its intent, not even when it was.
                    bearing = [event for event in group if "command_name" in event.metadata]
                if bearing:
                    counters = intent_counters(event_type, bearing)
                    self._add(RollupKind.INTENT, intent, counters, bearing)

    def _count_errors(self) -> None:
        errors = self._groups.get(EventType.ERROR_OCCURRED, ())
        for error_type, group in by_metadata(errors, "error_type").items():
            self._add(RollupKind.ERROR, error_type, {"count": len(group)}, group)
            for fingerprint, part in by_metadata(group, "fingerprint").items():
                dimension = f"{fingerprint}:{error_type}"
                self._add(RollupKind.PATTERN, dimension, {"count": len(part)}, part)
                self._add_pattern(dimension, error_type, part)

    def _add(
        self,
        kind: RollupKind,
        dimension: str,
        counters: dict[str, int],
        group: Sequence[AnalyticsEvent],
    ) -> None:
        """Add counters to the day's rollup, and a group's times and users."""
        key = self._key(kind, dimension)
        times = (group[0].timestamp, group[-1].timestamp) if group else (0, 0)
        rollup = Rollup(counters, *times)
        mine = self._deltas.rollups.setdefault(key, rollup)
        if mine is not rollup:
            mine.add(rollup)
        if kind in DISTINCT_KINDS:
            hashes = self._hashes
            users = {event.user_id for event in group} & hashes.keys()
            if users:
                self._deltas.distinct.setdefault(key, set()).update(map(hashes.__getitem__, users))

    def _add_pattern(
        self, dimension: str, error_type: str, group: Sequence[AnalyticsEvent]
    ) -> None:
        first = group[0].timestamp
        earliest = takewhile(lambda event: event.timestamp == first, group)
        delta = PatternDelta(
            error_type=error_type,
            message=min(str(event.metadata.get("error_message", "")) for event in earliest),
            count=len(group),
            first=first,
            last=group[-1].timestamp,
            users=_first_users({event.user_id for event in group} & self._hashes.keys()),
        )
        life = self._deltas.patterns.setdefault(dimension, delta)
        if life is not delta:
            life.add(delta)

    def _key(self, kind: RollupKind, dimension: str) -> RollupKey:
        return RollupKey(kind, dimension, self._day)


def _first_users(user_ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(user_ids)[:MAX_PATTERN_USERS])
