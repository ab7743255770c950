"""What events add to the rollups: the one place that counts.

`aggregate` is the hottest code of the recorder's thread. Events are grouped by hour and type first,
so that most of the counting is `len`, `Counter`, `dict` and `zip` over whole groups; days are the
sums of their hours, and what is kept by day only is counted over the day's groups.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from .distinct import user_hash
from .events import AnalyticsEvent, EventType
from .histogram import bucket
from .periods import DAY_MS, HOUR_MS, day_of, hour_of
from .rollups import ACTIVITY, Rollup, RollupKey, RollupKind

__all__ = ["MAX_PATTERN_USERS", "Deltas", "PatternDelta", "aggregate"]

MAX_PATTERN_USERS = 100
"""An error pattern keeps at most this many ids of affected users."""

_ANONYMOUS = "anonymous:"
"""How the user ids of people who are not signed in start."""

_timestamp = attrgetter("timestamp")

_Groups = Mapping[EventType, Sequence[AnalyticsEvent]]


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
    """What events add to every rollup; the same however the events are cut and ordered.

    Attributes:
        rollups: counters and times to add, by rollup.
        distinct: hashes of signed-in users to add, by rollup of a day; never empty sets.
        patterns: what to add to lifetime rows, by `<fingerprint>:<error type>`.
        days: the UTC days, `YYYY-MM-DD`, that any event is of.
    """

    rollups: dict[RollupKey, Rollup] = field(default_factory=dict)
    distinct: dict[RollupKey, set[int]] = field(default_factory=dict)
    patterns: dict[str, PatternDelta] = field(default_factory=dict)
    days: set[str] = field(default_factory=set)

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


def aggregate(events: Sequence[AnalyticsEvent]) -> Deltas:
    """Return what events add to every rollup but lifetimes of sketches, which stores keep.

    Args:
        events: admitted events, in any order; the result does not depend on it.
    """
    deltas = Deltas()
    ordered = sorted(events, key=_timestamp)
    stamps = [event.timestamp for event in ordered]
    start = 0
    while start < len(ordered):
        day_end = bisect_left(stamps, (stamps[start] // DAY_MS + 1) * DAY_MS, start)
        _Day(deltas, ordered[start:day_end], stamps[start:day_end]).count()
        start = day_end
    return deltas


class _Day:
    """Counts the events of one UTC day, in order of time."""

    __slots__ = ("_day", "_deltas", "_events", "_groups", "_hashes", "_rollups", "_stamps")

    def __init__(
        self, deltas: Deltas, events: Sequence[AnalyticsEvent], stamps: Sequence[int]
    ) -> None:
        self._deltas = deltas
        self._rollups = deltas.rollups
        self._events = events
        self._stamps = stamps
        self._day = day_of(stamps[0])
        self._groups: defaultdict[EventType, list[AnalyticsEvent]] = defaultdict(list)
        self._hashes: dict[str, int] = {}

    def count(self) -> None:
        self._deltas.days.add(self._day)
        self._activity()
        self._users()
        self._commands()
        self._intents()
        self._errors()

    def _activity(self) -> None:
        stamps = self._stamps
        total = Rollup({}, stamps[0], stamps[-1])
        start = 0
        while start < len(stamps):
            end = bisect_left(stamps, (stamps[start] // HOUR_MS + 1) * HOUR_MS, start)
            groups: defaultdict[EventType, list[AnalyticsEvent]] = defaultdict(list)
            for event in self._events[start:end]:
                groups[event.event_type].append(event)
            hour = Rollup(_activity_counters(groups), stamps[start], stamps[end - 1])
            self._rollups[RollupKey(RollupKind.ACTIVITY, ACTIVITY, hour_of(stamps[start]))] = hour
            total.add(hour)
            for event_type, group in groups.items():
                self._groups[event_type] += group
            start = end
        self._rollups[self._key(RollupKind.ACTIVITY, ACTIVITY)] = total

    def _users(self) -> None:
        user_ids = [event.user_id for event in self._events]
        last = dict(zip(user_ids, self._stamps, strict=True))
        signed_in = [user_id for user_id in last if not user_id.startswith(_ANONYMOUS)]
        if not signed_in:
            return
        first = dict(zip(reversed(user_ids), reversed(self._stamps), strict=True))
        counters: dict[str, dict[str, int]] = {user_id: {} for user_id in last}
        for name, event_types in _USER_COUNTERS:
            group = [event.user_id for kind in event_types for event in self._groups.get(kind, ())]
            for user_id, count in Counter(group).items():
                counters[user_id][name] = count
        hashes = self._hashes
        for user_id in signed_in:
            hashes[user_id] = user_hash(user_id)
            self._rollups[self._key(RollupKind.USER, user_id)] = Rollup(
                counters[user_id], first[user_id], last[user_id]
            )
        self._deltas.distinct[self._key(RollupKind.ACTIVITY, ACTIVITY)] = set(hashes.values())

    def _commands(self) -> None:
        runs: defaultdict[str, list[AnalyticsEvent]] = defaultdict(list)
        failures: Counter[str] = Counter()
        for event in self._groups.get(EventType.ACTION_EXECUTED, ()):
            name = event.metadata.get("command_name")
            if name is not None:
                runs[str(name)].append(event)
        for event in self._groups.get(EventType.ACTION_FAILED, ()):
            name = event.metadata.get("command_name")
            if name is not None:
                runs[str(name)].append(event)
                failures[str(name)] += 1
        for name, group in runs.items():
            failed = failures[name]
            counters = {"executions": len(group)}
            _set(counters, "successes", len(group) - failed)
            _set(counters, "failures", failed)
            _add_times(counters, group, "execution_ms", "execution", "x.")
            key = self._key(RollupKind.COMMAND, name)
            stamps = [event.timestamp for event in group]
            self._rollups[key] = Rollup(counters, min(stamps), max(stamps))
            self._distinct(key, group)
        for event in self._groups.get(EventType.ERROR_OCCURRED, ()):
            name, error_type = map(event.metadata.get, ("command_name", "error_type"))
            if name is not None and error_type is not None:
                # Without its times: they say when the command ran, and an error is no run.
                rollup = self._rollup(RollupKind.COMMAND, str(name))
                _count(rollup.counters, f"error.{error_type}")

    def _intents(self) -> None:
        for event_type in _INTENT_TYPES:
            for event in self._groups.get(event_type, ()):
                metadata = event.metadata
                intent = metadata.get("intent")
                if intent is None:
                    continue
                rollup = self._rollup(RollupKind.INTENT, str(intent), event.timestamp)
                counters = rollup.counters
                if event_type is EventType.INTENT_CLASSIFIED:
                    _count(counters, "count")
                    confidence = metadata.get("confidence")
                    if confidence is not None:
                        _count(counters, f"c.{min(int(float(confidence) * 20), 19)}")
                elif event_type is EventType.CLARIFICATION_REQUESTED:
                    _count(counters, "clarifications")
                else:
                    if event_type is EventType.ACTION_FAILED:
                        _count(counters, "failures")
                    name = metadata.get("command_name")
                    if name is not None:
                        _count(counters, f"command.{name}")

    def _errors(self) -> None:
        types: defaultdict[str, list[AnalyticsEvent]] = defaultdict(list)
        patterns: defaultdict[tuple[str, str], list[AnalyticsEvent]] = defaultdict(list)
        for event in self._groups.get(EventType.ERROR_OCCURRED, ()):
            error_type, fingerprint = map(event.metadata.get, ("error_type", "fingerprint"))
            if error_type is not None:
                types[str(error_type)].append(event)
                if fingerprint is not None:
                    patterns[str(error_type), str(fingerprint)].append(event)
        for error_type, group in types.items():
            self._errors_of(RollupKind.ERROR, error_type, group)
        for (error_type, fingerprint), group in patterns.items():
            dimension = f"{fingerprint}:{error_type}"
            self._errors_of(RollupKind.PATTERN, dimension, group)
            delta = self._pattern(error_type, group)
            life = self._deltas.patterns.setdefault(dimension, delta)
            if life is not delta:
                life.add(delta)

    def _errors_of(self, kind: RollupKind, dimension: str, group: Sequence[AnalyticsEvent]) -> None:
        key = self._key(kind, dimension)
        self._rollups[key] = Rollup({"count": len(group)}, group[0].timestamp, group[-1].timestamp)
        self._distinct(key, group)

    def _pattern(self, error_type: str, group: Sequence[AnalyticsEvent]) -> PatternDelta:
        first = group[0].timestamp
        return PatternDelta(
            error_type,
            min(
                str(event.metadata.get("error_message", ""))
                for event in group
                if event.timestamp == first
            ),
            len(group),
            first,
            group[-1].timestamp,
            _first_users({event.user_id for event in group} & self._hashes.keys()),
        )

    def _distinct(self, key: RollupKey, group: Iterable[AnalyticsEvent]) -> None:
        hashes = self._hashes
        users = {event.user_id for event in group} & hashes.keys()
        if users:
            self._deltas.distinct[key] = {hashes[user_id] for user_id in users}

    def _rollup(self, kind: RollupKind, dimension: str, timestamp: int = 0) -> Rollup:
        key = self._key(kind, dimension)
        rollup = self._rollups.get(key)
        if rollup is None:
            rollup = self._rollups[key] = Rollup({}, timestamp, timestamp)
        elif timestamp:
            rollup.first = min(rollup.first or timestamp, timestamp)
            rollup.last = max(rollup.last, timestamp)
        return rollup

    def _key(self, kind: RollupKind, dimension: str) -> RollupKey:
        return RollupKey(kind, dimension, self._day)


_ACTIONS = (EventType.ACTION_EXECUTED, EventType.ACTION_FAILED)
_STREAM_ENDS = (EventType.STREAMING_COMPLETED, EventType.STREAMING_INTERRUPTED)
_INTENT_TYPES = (EventType.INTENT_CLASSIFIED, EventType.CLARIFICATION_REQUESTED, *_ACTIONS)

_USER_COUNTERS = (
    ("messages", (EventType.MESSAGE_SENT,)),
    ("executions", _ACTIONS),
    ("failures", (EventType.ACTION_FAILED,)),
    ("errors", (EventType.ERROR_OCCURRED,)),
    ("connections", (EventType.WEBSOCKET_CONNECTED,)),
)

_ACTIVITY_COUNTERS = (
    *_USER_COUNTERS,
    ("clarifications", (EventType.CLARIFICATION_REQUESTED,)),
    ("streams", _STREAM_ENDS),
)


def _activity_counters(groups: _Groups) -> dict[str, int]:
    counters = {f"e.{event_type.value}": len(group) for event_type, group in groups.items()}
    counters["events"] = sum(counters.values())
    for name, event_types in _ACTIVITY_COUNTERS:
        _set(counters, name, sum(len(groups.get(event_type, ())) for event_type in event_types))
    for event_type in _ACTIONS:
        _add_times(counters, groups.get(event_type, ()), "execution_ms", "execution", "x.")
    for event_type in _STREAM_ENDS:
        _add_streams(counters, groups.get(event_type, ()))
    _add_connections(counters, groups)
    return counters


def _add_streams(counters: dict[str, int], group: Sequence[AnalyticsEvent]) -> None:
    _add_times(counters, group, "ttft_ms", "ttft", "t.")
    _add_times(counters, group, "duration_ms", "stream", "s.")
    for event in group:
        metadata = event.metadata
        reason = metadata.get("end_reason")
        if reason is not None:
            _count(counters, f"end.{reason}")
        tokens = metadata.get("token_count")
        if tokens is not None:
            _count(counters, "token_streams")
            _count(counters, "tokens", int(tokens))
            _count(counters, "token_us", round(metadata.get("duration_ms", 0.0) * 1000))


def _add_connections(counters: dict[str, int], groups: _Groups) -> None:
    for event in groups.get(EventType.WEBSOCKET_CONNECTED, ()):
        if event.metadata.get("anonymous", event.user_id.startswith(_ANONYMOUS)):
            _count(counters, "anonymous_connections")
        if event.metadata.get("reconnect"):
            _count(counters, "reconnects")
    closed = groups.get(EventType.WEBSOCKET_DISCONNECTED, ())
    _add_times(counters, closed, "connection_ms", "connection", "k.")
    for event in closed:
        code = event.metadata.get("close_code")
        if code is not None:
            _count(counters, f"close.{code}")


def _add_times(
    counters: dict[str, int],
    group: Iterable[AnalyticsEvent],
    key: str,
    name: str,
    prefix: str,
) -> None:
    times = [event.metadata[key] for event in group if key in event.metadata]
    if not times:
        return
    _count(counters, f"{name}_samples", len(times))
    _count(counters, f"{name}_us", sum([round(ms * 1000) for ms in times]))
    for index, count in Counter(map(bucket, times)).items():
        _count(counters, f"{prefix}{index}", count)


def _set(counters: dict[str, int], name: str, count: int) -> None:
    if count:
        counters[name] = count


def _count(counters: dict[str, int], name: str, count: int = 1) -> None:
    counters[name] = counters.get(name, 0) + count


def _first_users(user_ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(user_ids)[:MAX_PATTERN_USERS])
