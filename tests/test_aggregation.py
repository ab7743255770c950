"""Aggregation against a twin that is as plain as can be, and what each event counts for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.aggregation import MAX_PATTERN_USERS, Deltas, PatternDelta, aggregate
from copilot_analytics.distinct import user_hash
from copilot_analytics.events import METADATA_KEYS, AnalyticsEvent, EventType, MetadataValue
from copilot_analytics.histogram import bucket
from copilot_analytics.periods import DAY_MS, HOUR_MS, day_of, hour_of
from copilot_analytics.rollups import (
    ACTIVITY,
    DISTINCT_KINDS,
    HEADLINES,
    Rollup,
    RollupKey,
    RollupKind,
)

K, T = RollupKind, EventType
NOON = 1_764_072_000_000
"""2025-11-25T12:00Z."""

DAY, HOUR = "2025-11-25", "2025-11-25T12"


def event(
    event_type: EventType, user_id: str = "ada", at: int = NOON, **metadata: MetadataValue
) -> AnalyticsEvent:
    assert metadata.keys() <= METADATA_KEYS[event_type].keys()
    return AnalyticsEvent("id", event_type, user_id, at, None, None, metadata, "w", 1)


def counters(
    events: list[AnalyticsEvent], kind: RollupKind = K.ACTIVITY, dimension: str = ACTIVITY
) -> dict[str, int]:
    return aggregate(events).rollups[RollupKey(kind, dimension, DAY)].counters


# The twin: one event at a time, one counter at a time.


class Twin:
    def __init__(self) -> None:
        self.deltas = Deltas()

    def rollup(self, kind: RollupKind, dimension: object, period: str, at: int) -> dict[str, int]:
        key = RollupKey(kind, str(dimension), period)
        rollup = self.deltas.rollups.setdefault(key, Rollup({}))
        rollup.add(Rollup({}, at, at))
        return rollup.counters

    def user(self, kind: RollupKind, dimension: object, one: AnalyticsEvent) -> None:
        if not one.user_id.startswith("anonymous:"):
            key = RollupKey(kind, str(dimension), day_of(one.timestamp))
            self.deltas.distinct.setdefault(key, set()).add(user_hash(one.user_id))

    def count(self, one: AnalyticsEvent) -> None:
        day, at = day_of(one.timestamp), one.timestamp
        get = one.metadata.get
        self.deltas.days.add(day)
        for period in (day, hour_of(at)):
            for name, n in activity(one):
                add(self.rollup(K.ACTIVITY, ACTIVITY, period, at), name, n)
        self.user(K.ACTIVITY, ACTIVITY, one)
        if not one.user_id.startswith("anonymous:"):
            mine = self.rollup(K.USER, one.user_id, day, at)
            for name, n in activity(one):
                if name in HEADLINES[K.USER]:
                    add(mine, name, n)
        action = one.event_type in (T.ACTION_EXECUTED, T.ACTION_FAILED)
        if action and get("command_name") is not None:
            ran = self.rollup(K.COMMAND, get("command_name"), day, at)
            self.user(K.COMMAND, get("command_name"), one)
            add(ran, "executions")
            add(ran, "failures" if one.event_type is T.ACTION_FAILED else "successes")
            for name, n in times(one, "execution_ms", "execution", "x."):
                add(ran, name, n)
        self.count_intent(one, action)
        if one.event_type is T.ERROR_OCCURRED and get("error_type") is not None:
            self.count_error(one, str(get("error_type")))

    def count_intent(self, one: AnalyticsEvent, action: bool) -> None:
        intent, command = one.metadata.get("intent"), one.metadata.get("command_name")
        names = []
        if one.event_type is T.INTENT_CLASSIFIED:
            names.append("count")
            if "confidence" in one.metadata:
                names.append(f"c.{min(int(float(one.metadata['confidence']) * 20), 19)}")
        if one.event_type is T.CLARIFICATION_REQUESTED:
            names.append("clarifications")
        if one.event_type is T.ACTION_FAILED:
            names.append("failures")
        if action and command is not None:
            names.append(f"command.{command}")
        if intent is not None:
            for name in names:
                add(self.rollup(K.INTENT, intent, day_of(one.timestamp), one.timestamp), name)

    def count_error(self, one: AnalyticsEvent, error_type: str) -> None:
        day, at = day_of(one.timestamp), one.timestamp
        command, fingerprint = one.metadata.get("command_name"), one.metadata.get("fingerprint")
        add(self.rollup(K.ERROR, error_type, day, at), "count")
        self.user(K.ERROR, error_type, one)
        if command is not None:
            add(self.rollup(K.COMMAND, command, day, 0), f"error.{error_type}")
        if fingerprint is not None:
            dimension = f"{fingerprint}:{error_type}"
            add(self.rollup(K.PATTERN, dimension, day, at), "count")
            self.user(K.PATTERN, dimension, one)
            message = str(one.metadata.get("error_message", ""))
            users = () if one.user_id.startswith("anonymous:") else (one.user_id,)
            delta = PatternDelta(error_type, message, 1, at, at, users)
            if dimension in self.deltas.patterns:
                self.deltas.patterns[dimension].add(delta)
            else:
                self.deltas.patterns[dimension] = delta


def add(counted: dict[str, int], name: str, n: int = 1) -> None:
    counted[name] = counted.get(name, 0) + n


def times(one: AnalyticsEvent, key: str, name: str, prefix: str) -> Iterator[tuple[str, int]]:
    if key in one.metadata:
        ms = float(one.metadata[key])
        yield f"{name}_samples", 1
        yield f"{name}_us", round(ms * 1000)
        yield f"{prefix}{bucket(ms)}", 1


def activity(one: AnalyticsEvent) -> Iterator[tuple[str, int]]:
    metadata = one.metadata
    yield "events", 1
    yield f"e.{one.event_type.name}", 1
    match one.event_type:
        case T.MESSAGE_SENT:
            yield "messages", 1
        case T.CLARIFICATION_REQUESTED:
            yield "clarifications", 1
        case T.ERROR_OCCURRED:
            yield "errors", 1
        case T.ACTION_EXECUTED | T.ACTION_FAILED:
            yield "executions", 1
            if one.event_type is T.ACTION_FAILED:
                yield "failures", 1
            yield from times(one, "execution_ms", "execution", "x.")
        case T.STREAMING_COMPLETED | T.STREAMING_INTERRUPTED:
            yield "streams", 1
            yield from times(one, "ttft_ms", "ttft", "t.")
            yield from times(one, "duration_ms", "stream", "s.")
            if "end_reason" in metadata:
                yield f"end.{metadata['end_reason']}", 1
            if "token_count" in metadata:
                yield "token_streams", 1
                yield "tokens", int(metadata["token_count"])
                yield "token_us", round(float(metadata.get("duration_ms", 0)) * 1000)
        case T.WEBSOCKET_CONNECTED:
            yield "connections", 1
            if metadata.get("anonymous", one.user_id.startswith("anonymous:")):
                yield "anonymous_connections", 1
            if metadata.get("reconnect"):
                yield "reconnects", 1
        case T.WEBSOCKET_DISCONNECTED:
            yield from times(one, "connection_ms", "connection", "k.")
            if "close_code" in metadata:
                yield f"close.{metadata['close_code']}", 1
        case _:
            pass


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "command_name": st.sampled_from(["search", "export", "Timeout"]),
    "intent": st.sampled_from(["find", "greet"]),
    "error_type": st.sampled_from(["Timeout", "ValueError"]),
    "error_message": st.sampled_from(["slow", "bad", "odd"]),
    "fingerprint": st.sampled_from(["f1", "f2", "(other)"]),
    "confidence": st.one_of(st.just(1), st.floats(0, 1)),
    "end_reason": st.sampled_from(["completed", "closed"]),
    "close_code": st.sampled_from([1000, 1006]),
    "token_count": st.integers(0, 500),
    "anonymous": st.booleans(),
    "reconnect": st.booleans(),
}
DURATION = st.one_of(st.integers(0, 5_000), st.floats(0, 1e8).map(lambda ms: round(ms, 3)))

USERS = st.sampled_from(["ada", "bob", "eve", "anonymous:1", "anonymous:2"])


@st.composite
def _events(draw: st.DrawFn) -> AnalyticsEvent:
    event_type = draw(st.sampled_from(EventType))
    metadata = {
        name: draw(VALUES.get(name, DURATION))
        for name in METADATA_KEYS[event_type]
        if (name in VALUES or name.endswith("_ms")) and draw(st.integers(0, 3))
    }
    at = NOON + draw(st.sampled_from([0, 1, HOUR_MS - 1, HOUR_MS, -DAY_MS, DAY_MS * 3 + 7]))
    return event(event_type, draw(USERS), at + draw(st.integers(0, 2)), **metadata)


EVENTS = st.lists(_events(), max_size=40)


def test_action_without_a_command_says_nothing_of_its_intent() -> None:
    """Neither alone nor beside one that names its command."""
    action = EventType.ACTION_EXECUTED
    at = 1_764_072_000_000
    nameless = AnalyticsEvent("id", action, "ada", at, None, None, {"intent": "greet"}, "w", 1)
    metadata: dict[str, MetadataValue] = {"intent": "greet", "command_name": "search"}
    named = AnalyticsEvent("id", action, "ada", at + 1, None, None, metadata, "w", 2)
    key = RollupKey(RollupKind.INTENT, "greet", "2025-11-25")

    assert key not in aggregate([nameless]).rollups
    assert aggregate([nameless, named]).rollups[key] == aggregate([named]).rollups[key]


@given(EVENTS)
def test_aggregate_equals_its_plain_twin(events: list[AnalyticsEvent]) -> None:
    twin = Twin()
    for one in events:
        twin.count(one)
    assert aggregate(events) == twin.deltas


@given(EVENTS, st.randoms(use_true_random=False))
def test_aggregate_does_not_depend_on_cuts_or_order(
    events: list[AnalyticsEvent], rng: random.Random
) -> None:
    whole = aggregate(events)
    rng.shuffle(events)
    cut = rng.randint(0, len(events))
    parts = aggregate(events[:cut])
    parts.add(aggregate(events[cut:]))
    assert parts == whole


@given(EVENTS)
def test_aggregate_days_are_the_sums_of_their_hours(events: list[AnalyticsEvent]) -> None:
    rollups = aggregate(events).rollups
    days: dict[str, Rollup] = {}
    for key, rollup in rollups.items():
        if key.kind is K.ACTIVITY and "T" in key.period:
            days.setdefault(key.period[:10], Rollup({})).add(rollup)
    assert days == {
        key.period: rollup
        for key, rollup in rollups.items()
        if key.kind is K.ACTIVITY and "T" not in key.period
    }


@given(EVENTS)
def test_aggregate_names_every_headline_without_its_family(events: list[AnalyticsEvent]) -> None:
    """Stores keep the headlines in columns; what is no headline must be named for what it is."""
    deltas = aggregate(events)
    for key, rollup in deltas.rollups.items():
        plain = {name for name in rollup.counters if "." not in name}
        extra = {"ttft_us", "ttft_samples", "stream_us", "stream_samples", "tokens"}
        extra |= {"token_streams", "token_us", "connection_us", "connection_samples"}
        assert plain - extra <= set(HEADLINES[key.kind])
    assert {key.kind for key in deltas.distinct} <= DISTINCT_KINDS
    assert all(deltas.distinct.values())


def test_aggregate_of_nothing_is_nothing() -> None:
    assert aggregate([]) == Deltas()


def test_activity_counts_a_conversation() -> None:
    assert counters(
        [
            event(T.WEBSOCKET_CONNECTED, reconnect=True, anonymous=False),
            event(T.MESSAGE_SENT, message_length=5),
            event(T.ACTION_EXECUTED, command_name="search", execution_ms=1.5),
            event(T.ACTION_FAILED, command_name="search", step_number=2),
            event(T.STREAMING_STARTED),
            event(
                T.STREAMING_COMPLETED,
                ttft_ms=100.0,
                duration_ms=2000.0,
                token_count=40,
                end_reason="completed",
            ),
            event(T.STREAMING_INTERRUPTED, duration_ms=10.0, end_reason="closed"),
            event(T.ERROR_OCCURRED, error_type="Timeout"),
            event(T.CLARIFICATION_REQUESTED),
            event(T.WEBSOCKET_DISCONNECTED, connection_ms=60_000.0, close_code=1006),
        ]
    ) == {
        "events": 10,
        "e.WEBSOCKET_CONNECTED": 1,
        "e.MESSAGE_SENT": 1,
        "e.ACTION_EXECUTED": 1,
        "e.ACTION_FAILED": 1,
        "e.STREAMING_STARTED": 1,
        "e.STREAMING_COMPLETED": 1,
        "e.STREAMING_INTERRUPTED": 1,
        "e.ERROR_OCCURRED": 1,
        "e.CLARIFICATION_REQUESTED": 1,
        "e.WEBSOCKET_DISCONNECTED": 1,
        "messages": 1,
        "executions": 2,
        "failures": 1,
        "execution_us": 1_500,
        "execution_samples": 1,
        "x.11": 1,
        "streams": 2,
        "end.completed": 1,
        "end.closed": 1,
        "ttft_us": 100_000,
        "ttft_samples": 1,
        "t.118": 1,
        "stream_us": 2_010_000,
        "stream_samples": 2,
        "s.194": 1,
        "s.59": 1,
        "tokens": 40,
        "token_streams": 1,
        "token_us": 2_000_000,
        "errors": 1,
        "clarifications": 1,
        "connections": 1,
        "reconnects": 1,
        "connection_us": 60_000_000,
        "connection_samples": 1,
        "k.281": 1,
        "close.1006": 1,
    }


def test_aggregate_cuts_hours_and_days_in_utc() -> None:
    midnight = NOON + 12 * HOUR_MS
    deltas = aggregate([event(T.MESSAGE_SENT, at=at) for at in (midnight - 1, midnight)])
    assert deltas.days == {DAY, "2025-11-26"}
    assert {key.period for key in deltas.rollups if key.kind is K.ACTIVITY} == {
        DAY,
        f"{DAY}T23",
        "2025-11-26",
        "2025-11-26T00",
    }


def test_command_times_are_those_of_executions_alone() -> None:
    deltas = aggregate(
        [
            event(T.ERROR_OCCURRED, "bob", NOON - 5, command_name="search", error_type="Timeout"),
            event(T.ACTION_FAILED, "ada", NOON, command_name="search"),
            event(T.ERROR_OCCURRED, "bob", NOON + 5, command_name="search", error_type="Timeout"),
            event(T.ERROR_OCCURRED, "bob", command_name="export", error_type="Timeout"),
            event(T.ERROR_OCCURRED, "bob", command_name="import"),
        ]
    )
    search, export = (RollupKey(K.COMMAND, name, DAY) for name in ("search", "export"))
    assert deltas.rollups[search] == Rollup(
        {"executions": 1, "failures": 1, "error.Timeout": 2}, NOON, NOON
    )
    assert deltas.rollups[export] == Rollup({"error.Timeout": 1})
    assert deltas.distinct[search] == {user_hash("ada")}
    assert export not in deltas.distinct
    assert RollupKey(K.COMMAND, "import", DAY) not in deltas.rollups


def test_intent_counts_what_names_it() -> None:
    assert counters(
        [
            event(T.INTENT_CLASSIFIED, intent="find", confidence=0.97),
            event(T.INTENT_CLASSIFIED, intent="find"),
            event(T.STREAMING_STARTED, intent="find"),
            event(T.CLARIFICATION_REQUESTED, intent="find", confidence=0.2),
            event(T.ACTION_EXECUTED, intent="find", command_name="search"),
            event(T.ACTION_FAILED, intent="find", command_name="search"),
            event(T.ACTION_EXECUTED, intent="find"),
        ],
        K.INTENT,
        "find",
    ) == {"count": 2, "c.19": 1, "clarifications": 1, "failures": 1, "command.search": 2}


@pytest.mark.parametrize("step", range(21))
def test_confidence_bins_start_at_multiples_of_their_width(step: int) -> None:
    classified = [event(T.INTENT_CLASSIFIED, intent="find", confidence=step / 20)]
    assert counters(classified, K.INTENT, "find") == {"count": 1, f"c.{min(step, 19)}": 1}


def test_error_patterns_keep_their_life() -> None:
    def error(user_id: str, at: int, message: str) -> AnalyticsEvent:
        return event(
            T.ERROR_OCCURRED,
            user_id,
            at,
            error_type="Timeout",
            fingerprint="f1",
            error_message=message,
        )

    deltas = aggregate(
        [
            error("eve", NOON + 9, "after"),
            error("ada", NOON, "first"),
            error("anonymous:1", NOON + DAY_MS, "late"),
            event(T.ERROR_OCCURRED, error_type="Timeout"),
        ]
    )
    assert deltas.patterns == {
        "f1:Timeout": PatternDelta("Timeout", "first", 3, NOON, NOON + DAY_MS, ("ada", "eve"))
    }
    assert deltas.rollups[RollupKey(K.PATTERN, "f1:Timeout", DAY)].counters == {"count": 2}
    assert deltas.rollups[RollupKey(K.ERROR, "Timeout", DAY)].counters == {"count": 3}


def test_error_patterns_name_a_bounded_number_of_users() -> None:
    users = [f"user-{n:04}" for n in range(MAX_PATTERN_USERS * 3)]
    errors = [
        event(T.ERROR_OCCURRED, user_id, error_type="Timeout", fingerprint="f1")
        for user_id in users
    ]
    deltas = aggregate(errors[100:])
    deltas.add(aggregate(errors[:150]))
    assert deltas.patterns["f1:Timeout"].users == tuple(users[:MAX_PATTERN_USERS])
    assert len(deltas.distinct[RollupKey(K.ERROR, "Timeout", DAY)]) == len(users)


def test_users_are_those_signed_in() -> None:
    deltas = aggregate(
        [
            event(T.STREAMING_STARTED, "ada", NOON + 9),
            event(T.MESSAGE_SENT, "ada", NOON),
            event(T.MESSAGE_SENT, "anonymous:1"),
            event(T.WEBSOCKET_CONNECTED, "anonymous:1"),
        ]
    )
    users = {key.dimension: one for key, one in deltas.rollups.items() if key.kind is K.USER}
    assert users == {"ada": Rollup({"messages": 1}, NOON, NOON + 9)}
    assert deltas.distinct == {RollupKey(K.ACTIVITY, ACTIVITY, DAY): {user_hash("ada")}}
    assert deltas.rollups[RollupKey(K.ACTIVITY, ACTIVITY, HOUR)].counters["messages"] == 2


def test_a_connection_is_anonymous_as_it_says_or_else_by_its_user() -> None:
    """Somebody may be identified after the socket opened as nobody's."""
    connected = [
        event(T.WEBSOCKET_CONNECTED, "ada", anonymous=True),
        event(T.WEBSOCKET_CONNECTED, "ada"),
        event(T.WEBSOCKET_CONNECTED, "anonymous:1"),
    ]
    assert counters(connected)["anonymous_connections"] == 2
