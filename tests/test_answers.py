from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.answers import Answers
from copilot_analytics.batch import Batch
from copilot_analytics.errors import QuestionError
from copilot_analytics.events import AnalyticsEvent, EventType
from copilot_analytics.ids import EventIds
from copilot_analytics.periods import DAY_MS, HOUR_MS, DateRange
from copilot_analytics.queries import (
    ActivityTotals,
    DistinctUsers,
    ErrorTypeCount,
    Interval,
    Latency,
    Metric,
    UserDay,
)
from copilot_analytics.stores import MemoryStore, SQLiteStore, Store
from copilot_analytics.testing import FakeClock

NOON = 1_773_576_000_000  # 2026-03-15T12:00Z
RANGE = DateRange.of("2026-03-10", "2026-03-14", now_ms=NOON)
EMPTY = DateRange.of("2026-01-01", "2026-01-05", now_ms=NOON)

_ids = EventIds()
_numbers = itertools.count(1)


def seen(
    event_type: EventType, days_ago: int, user: str = "ada", hour: int = 9, **metadata: Any
) -> AnalyticsEvent:
    timestamp = NOON // DAY_MS * DAY_MS - days_ago * DAY_MS + hour * HOUR_MS
    return AnalyticsEvent(
        event_id=_ids.next(timestamp),
        event_type=event_type,
        user_id=user,
        timestamp=timestamp,
        conversation_id=None,
        connection_id=None,
        metadata=metadata,
        writer="writer",
        sequence=next(_numbers),
    )


def ran(name: str, days_ago: int, user: str = "ada", **metadata: Any) -> AnalyticsEvent:
    return seen(EventType.ACTION_EXECUTED, days_ago, user, command_name=name, **metadata)


def failed(name: str, days_ago: int, user: str = "ada", **metadata: Any) -> AnalyticsEvent:
    return seen(EventType.ACTION_FAILED, days_ago, user, command_name=name, **metadata)


def fault(
    error_type: str, fingerprint: str, days_ago: int, user: str = "ada", **metadata: Any
) -> AnalyticsEvent:
    return seen(
        EventType.ERROR_OCCURRED,
        days_ago,
        user,
        error_type=error_type,
        fingerprint=fingerprint,
        error_message=f"message of {fingerprint}",
        **metadata,
    )


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    clock = FakeClock(NOON)
    opened: Store = (
        MemoryStore(clock=clock)
        if request.param == "memory"
        else SQLiteStore(tmp_path / "answers.db", clock=clock)
    )
    with opened:
        yield opened


@pytest.fixture
def answers(store: Store) -> Answers:
    return Answers(store, FakeClock(NOON))


def write(store: Store, *events: AnalyticsEvent) -> None:
    store.write(Batch("writer", events))


def test_activity_adds_up_a_range(store: Store, answers: Answers) -> None:
    write(
        store,
        seen(EventType.WEBSOCKET_CONNECTED, 5),
        seen(EventType.WEBSOCKET_CONNECTED, 1, reconnect=True),
        seen(EventType.WEBSOCKET_CONNECTED, 1, "anonymous:c"),
        seen(EventType.WEBSOCKET_DISCONNECTED, 5, close_code=1000, connection_ms=4000.0),
        seen(EventType.WEBSOCKET_DISCONNECTED, 1, close_code=1006, connection_ms=2000.0),
        *(seen(EventType.MESSAGE_SENT, 3, user) for user in ("ada", "bob", "ada", "anonymous:c")),
        seen(EventType.CLARIFICATION_REQUESTED, 3),
        ran("add", 3, execution_ms=100.0),
        ran("add", 3, "bob", execution_ms=200.0),
        ran("add", 2, execution_ms=300.0),
        failed("add", 2, execution_ms=400.0),
        ran("list", 2),
        seen(
            EventType.STREAMING_COMPLETED,
            2,
            ttft_ms=50.0,
            duration_ms=1000.0,
            token_count=100,
            end_reason="completed",
        ),
        seen(EventType.STREAMING_COMPLETED, 2, duration_ms=3000.0, end_reason="completed"),
        seen(EventType.STREAMING_INTERRUPTED, 1, duration_ms=500.0, end_reason="closed"),
        fault("Timeout", "f1", 1),
        # Not of the range:
        ran("add", 0),
        ran("add", 6),
    )

    totals = answers.activity(RANGE)

    assert totals.events[EventType.ACTION_EXECUTED] == 4
    assert totals.events[EventType.MULTI_STEP_FAILED] == 0
    assert set(totals.events) == set(EventType)
    assert (totals.executions, totals.successes, totals.failures) == (5, 4, 1)
    assert totals.success_rate == 0.8
    assert (totals.execution.count, totals.execution.average_ms) == (4, 250.0)
    assert totals.execution.p50_ms == pytest.approx(200, rel=0.02)
    assert totals.execution.p99_ms == pytest.approx(400, rel=0.02)
    assert (totals.messages, totals.clarifications, totals.clarification_rate) == (4, 1, 0.25)
    assert totals.errors == 1
    assert totals.active_users == DistinctUsers(2, exact=True)
    assert (totals.connections, totals.anonymous_connections, totals.reconnects) == (3, 1, 1)
    assert (totals.connection.count, totals.connection.average_ms) == (2, 3000.0)
    assert totals.close_codes == {1000: 1, 1006: 1}
    assert totals.streams == 3
    assert totals.stream_ends == {"closed": 1, "completed": 2}
    assert totals.interruption_rate == pytest.approx(1 / 3)
    assert (totals.ttft.count, totals.ttft.average_ms) == (1, 50.0)
    assert (totals.stream_duration.count, totals.stream_duration.average_ms) == (3, 1500.0)
    # The second stream reports no tokens, so that its time does not count either.
    assert (totals.tokens, totals.tokens_per_second) == (100, 100.0)


def test_an_empty_range_has_zeros_and_nones(answers: Answers) -> None:
    board = answers.dashboard(EMPTY)

    totals = board.summary.totals
    assert totals == ActivityTotals(
        events=dict.fromkeys(EventType, 0),
        executions=0,
        successes=0,
        failures=0,
        success_rate=None,
        execution=Latency(),
        messages=0,
        errors=0,
        active_users=DistinctUsers(0, exact=True),
        connections=0,
        anonymous_connections=0,
        reconnects=0,
        connection=Latency(),
        close_codes={},
        streams=0,
        stream_ends={},
        interruption_rate=None,
        ttft=Latency(),
        stream_duration=Latency(),
        tokens=0,
        tokens_per_second=None,
        clarifications=0,
        clarification_rate=None,
    )
    assert board.summary.previous == totals
    assert board.summary.errors_by_type == ()
    assert (board.top_commands, board.top_errors) == ((), ())
    assert board.range == EMPTY


def test_the_previous_period_is_as_long_and_ends_the_day_before(
    store: Store, answers: Answers
) -> None:
    # The range is 5 to 1 days ago, so that the previous one is 10 to 6 days ago.
    write(store, *(ran("add", days) for days in (11, 10, 9, 6, 5, 1)))

    summary = answers.summary(RANGE)

    assert summary.totals.executions == 2
    assert summary.previous is not None
    assert summary.previous.executions == 3


@pytest.mark.parametrize(("days", "kept"), [(11, True), (10, False)])
def test_the_previous_period_is_none_where_a_day_of_it_is_no_longer_kept(
    store: Store, days: int, kept: bool
) -> None:
    # It starts 10 days ago; of 11 days, today included, that is the first one kept.
    answers = Answers(store, FakeClock(NOON), rollup_retention_days=days)

    assert (answers.summary(RANGE).previous is not None) is kept


def test_the_previous_period_is_none_before_the_calendar(answers: Answers) -> None:
    first = DateRange.of("0001-01-01", "0001-01-05", now_ms=NOON)

    assert answers.summary(first).previous is None


def test_popular_commands_are_ordered_by_executions_then_name(
    store: Store, answers: Answers
) -> None:
    write(
        store,
        *(ran(name, 1) for name in ("b", "a", "c", "c")),
        ran("timed", 1, execution_ms=10.0),
        ran("timed", 2, execution_ms=30.0),
        failed("timed", 3),
        # An error that names a command is no run of it.
        fault("Timeout", "f1", 1, command_name="never-ran"),
    )

    page = answers.popular_commands(RANGE)

    popular = page.rows
    assert (page.total_count, page.has_previous, page.has_next) == (4, False, False)
    assert [command.name for command in popular] == ["timed", "c", "a", "b"]
    timed, untimed = popular[0], popular[1]
    assert (timed.executions, timed.successes, timed.failures) == (3, 2, 1)
    assert timed.success_rate == pytest.approx(2 / 3)
    assert timed.average_ms == 20.0
    assert timed.last_executed == NOON - DAY_MS - 3 * HOUR_MS
    assert untimed.average_ms is None
    assert answers.popular_commands(RANGE, first=2).rows == popular[:2]


def test_command_stats_tell_one_command(store: Store, answers: Answers) -> None:
    write(
        store,
        ran("add", 2, execution_ms=10.0),
        ran("add", 1, "bob", execution_ms=30.0),
        failed("add", 1, "anonymous:c"),
        *(fault(kind, "f1", 1, command_name="add") for kind in ("Timeout", "Denied", "Timeout")),
        ran("list", 1),
    )

    stats = answers.command_stats("add", RANGE)

    assert (stats.executions, stats.successes, stats.failures) == (3, 2, 1)
    assert stats.success_rate == pytest.approx(2 / 3)
    assert (stats.execution.count, stats.execution.average_ms) == (2, 20.0)
    assert stats.last_executed == NOON - DAY_MS - 3 * HOUR_MS
    assert stats.users == DistinctUsers(2, exact=True)
    assert stats.errors_by_type == (ErrorTypeCount("Timeout", 2), ErrorTypeCount("Denied", 1))


@pytest.mark.parametrize("name", ["unknown", "only-errors"])
def test_command_stats_of_what_never_ran_are_zeros_and_nones(
    store: Store, answers: Answers, name: str
) -> None:
    write(store, fault("Timeout", "f1", 1, command_name="only-errors"))

    stats = answers.command_stats(name, RANGE)

    assert (stats.executions, stats.success_rate, stats.last_executed) == (0, None, None)
    assert (stats.execution, stats.users.count) == (Latency(), 0)


def test_error_patterns_tell_the_range_and_the_pattern_s_life(
    store: Store, answers: Answers
) -> None:
    write(
        store,
        fault("Timeout", "f1", 8, "cleo"),
        fault("Timeout", "f1", 2, "ada"),
        fault("Timeout", "f1", 1, "bob"),
        fault("Denied", "f1", 1),
        fault("Denied", "f0", 1, "anonymous:c"),
    )

    first, second, third = answers.error_patterns(RANGE).rows

    assert (first.error_type, first.fingerprint, first.count, first.total_count) == (
        "Timeout",
        "f1",
        2,
        3,
    )
    assert first.message == "message of f1"
    assert first.first_occurrence == NOON - 8 * DAY_MS - 3 * HOUR_MS
    assert first.last_occurrence == NOON - DAY_MS - 3 * HOUR_MS
    assert first.affected_users == DistinctUsers(2, exact=True)
    assert first.affected_user_ids == ("ada", "bob", "cleo")
    # One fingerprint under two types is two patterns; ties sort by name.
    assert (second.fingerprint, third.fingerprint) == ("f0", "f1")
    assert (second.affected_users.count, second.affected_user_ids) == (0, ())
    assert answers.error_patterns(RANGE, error_type="Denied").rows == (second, third)
    assert answers.error_patterns(RANGE, error_type="Denied", first=1).rows == (second,)
    assert answers.error_patterns(RANGE, error_type="Unknown").rows == ()


def test_errors_by_type_are_ordered_by_count_then_name(store: Store, answers: Answers) -> None:
    write(store, *(fault(kind, "f1", 1) for kind in ("B", "A", "C", "C")))

    assert answers.summary(RANGE).errors_by_type == (
        ErrorTypeCount("C", 2),
        ErrorTypeCount("A", 1),
        ErrorTypeCount("B", 1),
    )


def test_user_activity_tells_each_day_with_any(store: Store, answers: Answers) -> None:
    write(
        store,
        seen(EventType.WEBSOCKET_CONNECTED, 4),
        seen(EventType.MESSAGE_SENT, 4),
        ran("add", 4),
        failed("add", 2),
        fault("Timeout", "f1", 2),
        ran("add", 2, "bob"),
    )

    activity = answers.user_activity("ada", RANGE)

    assert activity.days == (
        UserDay("2026-03-11", messages=1, executions=1, failures=0, errors=0, connections=1),
        UserDay("2026-03-13", messages=0, executions=1, failures=1, errors=1, connections=0),
    )
    assert (activity.messages, activity.executions, activity.failures) == (1, 2, 1)
    assert (activity.success_rate, activity.errors, activity.connections) == (0.5, 1, 1)
    assert activity.last_seen == NOON - 2 * DAY_MS - 3 * HOUR_MS


def test_user_activity_of_an_unknown_user_is_empty(answers: Answers) -> None:
    activity = answers.user_activity("nobody", RANGE)

    assert (activity.user_id, activity.executions, activity.days) == ("nobody", 0, ())
    assert (activity.success_rate, activity.last_seen) == (None, None)


def test_a_daily_series_has_every_day(store: Store, answers: Answers) -> None:
    write(store, ran("add", 5, execution_ms=10.0), failed("add", 5), ran("list", 1))

    counted = answers.time_series(Metric.EXECUTIONS, RANGE)
    rated = answers.time_series(Metric.SUCCESS_RATE, RANGE)
    timed = answers.time_series(Metric.AVERAGE_EXECUTION_MS, RANGE)

    assert counted.at == tuple(range(RANGE.start_ms, RANGE.end_ms, DAY_MS))
    assert counted.values == (2, 0, 0, 0, 1)
    assert rated.values == (0.5, None, None, None, 1.0)
    assert timed.values == (10.0, None, None, None, None)
    assert (counted.metric, counted.interval) == (Metric.EXECUTIONS, Interval.DAY)


def test_an_hourly_series_has_every_hour(store: Store, answers: Answers) -> None:
    write(store, ran("add", 1, hour=0), ran("add", 1, hour=23), ran("add", 0, hour=0))
    day = DateRange.of("2026-03-14", "2026-03-14", now_ms=NOON)

    series = answers.time_series(Metric.EXECUTIONS, day, interval=Interval.HOUR)

    assert series.at == tuple(range(day.start_ms, day.end_ms, HOUR_MS))
    assert series.values == (1, *[0] * 22, 1)


def test_a_series_of_one_name_counts_that_alone(store: Store, answers: Answers) -> None:
    write(
        store,
        ran("add", 1, intent="supply"),
        ran("list", 1, intent="supply"),
        seen(EventType.INTENT_CLASSIFIED, 1, intent="supply"),
        fault("Timeout", "f1", 1, command_name="add"),
    )
    day = DateRange.of("2026-03-14", "2026-03-14", now_ms=NOON)

    def one(metric: Metric, **subject: Any) -> float | None:
        return answers.time_series(metric, day, **subject).values[0]

    assert one(Metric.EXECUTIONS, command="add") == 1
    assert one(Metric.ERRORS, command="add") == 1
    assert one(Metric.INTENTS, intent="supply") == 1
    assert one(Metric.EXECUTIONS, intent="supply") == 2
    assert one(Metric.ERRORS, error_type="Timeout") == 1
    assert one(Metric.ERRORS, error_type="Unknown") == 0


@pytest.mark.parametrize("subject", ["command", "intent", "error_type"])
def test_an_hourly_series_of_one_name_is_refused_and_day_named(
    answers: Answers, subject: Any
) -> None:
    metric = Metric.ERRORS if subject == "error_type" else Metric.EXECUTIONS
    named: dict[str, Any] = {subject: "x"}

    with pytest.raises(QuestionError, match="ask for DAY or WEEK") as refused:
        answers.time_series(metric, RANGE, interval=Interval.HOUR, **named)
    assert refused.value.argument == "interval"


@pytest.mark.parametrize("limit", [0, -1, 1001, 10**9])
def test_limits_out_of_bounds_are_refused(answers: Answers, limit: int) -> None:
    for question in (
        answers.popular_commands,
        answers.error_patterns,
        answers.intents,
        answers.users,
    ):
        with pytest.raises(QuestionError, match="from 1 to 1000") as refused:
            question(RANGE, first=limit)
        assert refused.value.argument == "first"
    with pytest.raises(QuestionError, match="from 1 to 1000") as refused:
        answers.dashboard(RANGE, top=limit)
    assert refused.value.argument == "top"


@pytest.mark.parametrize("limit", [1, 1000])
def test_limits_at_their_bounds_are_kept(store: Store, answers: Answers, limit: int) -> None:
    write(store, ran("a", 1), ran("b", 1))

    assert len(answers.popular_commands(RANGE, first=limit).rows) == min(limit, 2)


def test_generations_rise_with_writes_to_days_that_have_ended(
    store: Store, answers: Answers
) -> None:
    before = answers.generations(RANGE)
    write(store, ran("add", 0))
    assert answers.generations(RANGE) == before
    write(store, ran("add", 1))
    assert answers.generations(RANGE) > before
