"""Every list, every figure of streams and connections, every series: as counted from the events."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_analytics.answers import Answers
from copilot_analytics.errors import QuestionError
from copilot_analytics.events import ANONYMOUS_PREFIX, AnalyticsEvent, EventType
from copilot_analytics.periods import DAY_MS, HOUR_MS, DateRange, day_of
from copilot_analytics.queries import Interval, Latency, Metric, SeriesGroup
from copilot_analytics.rankings import (
    CommandOrder,
    IntentOrder,
    Page,
    Position,
    UserOrder,
)
from copilot_analytics.store_samples import DAYS, NOW_MS, batches_of, sample_events
from copilot_analytics.stores import MemoryStore
from copilot_analytics.testing import FakeClock

ACTIONS = (EventType.ACTION_EXECUTED, EventType.ACTION_FAILED)
ENDS = (EventType.STREAMING_COMPLETED, EventType.STREAMING_INTERRUPTED)
EVENTS = sample_events(3_000, seed=7)
TWO_DAYS = DateRange(dt.date(2025, 11, 24), dt.date(2025, 11, 25))


def answers_of(events: Sequence[AnalyticsEvent]) -> Answers:
    store = MemoryStore(clock=FakeClock(NOW_MS))
    for batch in batches_of(events, 500):
        store.write(batch)
    return Answers(store, FakeClock(NOW_MS))


@pytest.fixture(scope="module")
def answers() -> Answers:
    return answers_of(EVENTS)


def of(days: DateRange, *types: EventType) -> list[AnalyticsEvent]:
    return [
        event
        for event in EVENTS
        if days.start_ms <= event.timestamp < days.end_ms and event.event_type in types
    ]


def values(events: Iterable[AnalyticsEvent], key: str) -> list[Any]:
    return [event.metadata[key] for event in events if key in event.metadata]


def users(events: Iterable[AnalyticsEvent]) -> set[str]:
    return {e.user_id for e in events if not e.user_id.startswith(ANONYMOUS_PREFIX)}


def assert_latency(latency: Latency, times: Sequence[float]) -> None:
    ordered = sorted(times)
    assert latency.count == len(ordered)
    if not ordered:
        assert latency == Latency()
        return
    assert latency.average_ms == pytest.approx(sum(ordered) / len(ordered), abs=0.001)
    for q, value in ((50, latency.p50_ms), (95, latency.p95_ms), (99, latency.p99_ms)):
        assert value == pytest.approx(ordered[-(-q * len(ordered) // 100) - 1], rel=0.021)


def pages(ask: Callable[..., Page[Any]], first: int, **options: Any) -> Iterator[Page[Any]]:
    """Every page of a list, one after the other."""
    after: Position | None = None
    while True:
        page = ask(TWO_DAYS, first=first, after=after, **options)
        assert page.has_previous is (after is not None)
        yield page
        if not page.has_next:
            return
        after = page.positions[-1]


def test_streams_are_recounted(answers: Answers) -> None:
    compared = answers.streaming(TWO_DAYS)
    previous = compared.previous
    assert previous is not None
    for days, figures in ((TWO_DAYS, compared.value), (TWO_DAYS.previous(), previous)):
        ended = of(days, *ENDS)
        interrupted = of(days, EventType.STREAMING_INTERRUPTED)
        assert figures.started == len(of(days, EventType.STREAMING_STARTED))
        assert (figures.ended, figures.interrupted) == (len(ended), len(interrupted))
        assert figures.completed == len(ended) - len(interrupted)
        assert figures.interruption_rate == len(interrupted) / len(ended)
        assert figures.ends == Counter(values(ended, "end_reason"))
        assert_latency(figures.ttft, values(ended, "ttft_ms"))
        assert_latency(figures.duration, values(ended, "duration_ms"))
        tokens = sum(values(ended, "token_count"))
        assert (figures.tokens, figures.token_streams) == (tokens, len(ended))
        seconds = sum(values(ended, "duration_ms")) / 1000
        assert figures.tokens_per_second == pytest.approx(tokens / seconds)


def test_connections_are_recounted(answers: Answers) -> None:
    compared = answers.connections(TWO_DAYS)
    previous = compared.previous
    assert previous is not None
    for days, figures in ((TWO_DAYS, compared.value), (TWO_DAYS.previous(), previous)):
        opened = of(days, EventType.WEBSOCKET_CONNECTED)
        closed = of(days, EventType.WEBSOCKET_DISCONNECTED)
        again = sum(values(opened, "reconnect"))
        assert (figures.opened, figures.closed) == (len(opened), len(closed))
        assert figures.anonymous == sum(e.user_id.startswith(ANONYMOUS_PREFIX) for e in opened)
        assert (figures.reconnects, figures.reconnect_rate) == (again, again / len(opened))
        assert figures.close_codes == Counter(values(closed, "close_code"))
        assert_latency(figures.duration, values(closed, "connection_ms"))


@pytest.mark.parametrize("days", [1, 800])
def test_what_is_no_longer_kept_is_not_compared_with(days: int) -> None:
    answers = Answers(MemoryStore(), FakeClock(NOW_MS), rollup_retention_days=days)

    kept = days > 2
    assert (answers.streaming(TWO_DAYS).previous is not None) is kept
    assert (answers.connections(TWO_DAYS).previous is not None) is kept
    assert (answers.summary(TWO_DAYS).previous_errors_by_type is not None) is kept
    [trend] = answers.error_trends([("1-0", "Error0")], TWO_DAYS)
    assert trend.previous == (0 if kept else None)


def test_the_summary_s_errors_are_recounted_in_both_periods(answers: Answers) -> None:
    summary = answers.summary(TWO_DAYS)

    for days, found in (
        (TWO_DAYS, summary.errors_by_type),
        (TWO_DAYS.previous(), summary.previous_errors_by_type),
    ):
        counted = Counter(values(of(days, EventType.ERROR_OCCURRED), "error_type"))
        assert found is not None
        assert {entry.error_type: entry.count for entry in found} == counted


@pytest.mark.parametrize("order_by", CommandOrder)
def test_commands_are_recounted_in_every_order(answers: Answers, order_by: CommandOrder) -> None:
    ran = of(TWO_DAYS, *ACTIONS)
    failed = Counter(values(of(TWO_DAYS, EventType.ACTION_FAILED), "command_name"))
    by_name = {
        name: [event for event in ran if event.metadata["command_name"] == name]
        for name in values(ran, "command_name")
    }
    figures = {
        name: {
            CommandOrder.EXECUTIONS: len(events),
            CommandOrder.FAILURES: failed[name],
            CommandOrder.LATENCY: sum(values(events, "execution_ms")) / len(events),
            CommandOrder.USERS: len(users(events)),
        }
        for name, events in by_name.items()
    }

    rows = [
        row for page in pages(answers.popular_commands, 1, order_by=order_by) for row in page.rows
    ]

    assert [row.name for row in rows] == sorted(
        figures, key=lambda name: (-figures[name][order_by], name)
    )
    for row in rows:
        assert (row.executions, row.failures) == (len(by_name[row.name]), failed[row.name])
        assert row.successes == row.executions - row.failures
        assert row.average_ms == pytest.approx(figures[row.name][CommandOrder.LATENCY], abs=0.001)
        assert row.last_executed == max(event.timestamp for event in by_name[row.name])


def test_details_of_several_commands_are_those_of_each(answers: Answers) -> None:
    names = ["search", "unknown", "add-supplier"]

    several = answers.commands_stats(names, TWO_DAYS)

    assert several == tuple(answers.command_stats(name, TWO_DAYS) for name in names)
    ran = [e for e in of(TWO_DAYS, *ACTIONS) if e.metadata["command_name"] == "search"]
    assert several[0].users.count == len(users(ran))
    assert_latency(several[0].execution, values(ran, "execution_ms"))
    assert several[1].executions == 0


@pytest.mark.parametrize("order_by", IntentOrder)
def test_intents_are_recounted_in_every_order(answers: Answers, order_by: IntentOrder) -> None:
    def counted(*types: EventType) -> Counter[str]:
        return Counter(values(of(TWO_DAYS, *types), "intent"))

    classified = counted(EventType.INTENT_CLASSIFIED)
    asked = counted(EventType.CLARIFICATION_REQUESTED)
    failed = counted(EventType.ACTION_FAILED)
    names = {*classified, *asked, *counted(*ACTIONS)}
    order: dict[IntentOrder, Callable[[str], float]] = {
        IntentOrder.COUNT: lambda name: classified[name],
        IntentOrder.CLARIFICATIONS: lambda name: asked[name],
        IntentOrder.CLARIFICATION_RATE: lambda name: (
            asked[name] / classified[name] if classified[name] else -1
        ),
        IntentOrder.FAILURES: lambda name: failed[name],
    }

    rows = [row for page in pages(answers.intents, 2, order_by=order_by) for row in page.rows]

    assert [row.name for row in rows] == sorted(names, key=lambda n: (-order[order_by](n), n))
    for row in rows:
        name = row.name
        assert (row.count, row.clarifications) == (classified[name], asked[name])
        assert row.clarification_rate == (
            asked[name] / classified[name] if classified[name] else None
        )
        assert row.failures == failed[name]
        mine = [
            e for e in of(TWO_DAYS, EventType.INTENT_CLASSIFIED) if e.metadata["intent"] == name
        ]
        bins = Counter(min(int(share * 20), 19) for share in values(mine, "confidence"))
        assert row.confidence == tuple(bins[bin] for bin in range(20))
        ran = [e for e in of(TWO_DAYS, *ACTIONS) if e.metadata["intent"] == name]
        assert {one.name: one.executions for one in row.commands} == Counter(
            values(ran, "command_name")
        )
        assert row.executions == len(ran)
        most = [(-one.executions, one.name) for one in row.commands]
        assert most == sorted(most)


@pytest.mark.parametrize("order_by", UserOrder)
def test_users_are_recounted_in_every_order(answers: Answers, order_by: UserOrder) -> None:
    types = {
        "messages": (EventType.MESSAGE_SENT,),
        "executions": ACTIONS,
        "failures": (EventType.ACTION_FAILED,),
        "errors": (EventType.ERROR_OCCURRED,),
        "connections": (EventType.WEBSOCKET_CONNECTED,),
    }
    seen = of(TWO_DAYS, *EventType)
    counted = {
        user: {
            **{name: sum(e.user_id == user for e in of(TWO_DAYS, *t)) for name, t in types.items()},
            "last_seen": max(e.timestamp for e in seen if e.user_id == user),
        }
        for user in users(seen)
    }
    figure = order_by.value.lower()

    found = list(pages(answers.users, 7, order_by=order_by))

    rows = [row for page in found for row in page.rows]
    assert [row.user_id for row in rows] == sorted(
        counted, key=lambda user: (-counted[user][figure], user)
    )
    assert {page.total_count for page in found} == {len(counted)}
    for row in rows:
        assert {name: getattr(row, name) for name in counted[row.user_id]} == counted[row.user_id]
        assert row.first_seen == min(e.timestamp for e in seen if e.user_id == row.user_id)


def test_error_patterns_are_recounted_with_their_trends(answers: Answers) -> None:
    errors = of(TWO_DAYS, EventType.ERROR_OCCURRED)
    before = Counter(values(of(TWO_DAYS.previous(), EventType.ERROR_OCCURRED), "fingerprint"))
    counted = Counter(values(errors, "fingerprint"))

    rows = [row for page in pages(answers.error_patterns, 3) for row in page.rows]
    trends = answers.error_trends([(row.fingerprint, row.error_type) for row in rows], TWO_DAYS)

    assert [row.fingerprint for row in rows] == sorted(counted, key=lambda f: (-counted[f], f))
    for row, trend in zip(rows, trends, strict=True):
        mine = [event for event in errors if event.metadata["fingerprint"] == row.fingerprint]
        assert row.count == trend.count == len(mine)
        assert trend.previous == before[row.fingerprint]
        by_day = Counter(day_of(event.timestamp) for event in mine)
        assert trend.daily.at == tuple(range(TWO_DAYS.start_ms, TWO_DAYS.end_ms, DAY_MS))
        assert trend.daily.values == tuple(by_day[day_of(at)] for at in trend.daily.at)
        assert row.affected_users.count == len(users(mine))


@pytest.mark.parametrize(
    ("search", "fingerprints"),
    [
        ("STEP OF 2", {"1-2"}),
        ("error1", {"1-1", "1-3"}),
        ("", {"1-0", "1-1", "1-2", "1-3"}),
        ("%", set()),
    ],
)
def test_patterns_are_found_by_their_type_and_message(
    answers: Answers, search: str, fingerprints: set[str]
) -> None:
    page = answers.error_patterns(DAYS, search=search)

    assert {row.fingerprint for row in page.rows} == fingerprints
    assert page.total_count == len(fingerprints)
    assert all(row.message == f"the step of {row.fingerprint[2:]} failed" for row in page.rows)


def test_one_pattern_is_found_by_its_fingerprint(answers: Answers) -> None:
    [row] = answers.error_patterns(DAYS, fingerprint="1-3").rows
    assert row.error_type == "Error1"
    assert answers.error_patterns(DAYS, fingerprint="1-3", error_type="Error0").rows == ()


def test_lists_are_searched_whatever_the_case(answers: Answers) -> None:
    assert [row.name for row in answers.popular_commands(DAYS, search="SUPP").rows] == [
        "add-supplier"
    ]
    assert {row.name for row in answers.intents(DAYS, search="E").rows} == {
        "search",
        "export",
        "add-supplier",
    }
    assert {row.user_id for row in answers.users(DAYS, search="user-1", first=20).rows} == {
        "user-1",
        *(f"user-{number}" for number in range(10, 20)),
    }
    found = answers.users(DAYS, search="nobody has this", stored_id="ada").rows
    assert [row.user_id for row in found] == ["ada"]
    with pytest.raises(QuestionError, match="at most 256 characters") as refused:
        answers.users(DAYS, search="x" * 257)
    assert refused.value.argument == "search"


COUNTS: dict[Metric, tuple[EventType, ...]] = {
    Metric.EVENTS: tuple(EventType),
    Metric.MESSAGES: (EventType.MESSAGE_SENT,),
    Metric.EXECUTIONS: ACTIONS,
    Metric.SUCCESSES: (EventType.ACTION_EXECUTED,),
    Metric.FAILURES: (EventType.ACTION_FAILED,),
    Metric.ERRORS: (EventType.ERROR_OCCURRED,),
    Metric.STREAMS: ENDS,
    Metric.CONNECTIONS: (EventType.WEBSOCKET_CONNECTED,),
}
WIDTHS = {Interval.HOUR: HOUR_MS, Interval.DAY: DAY_MS, Interval.WEEK: 7 * DAY_MS}


@pytest.mark.parametrize("interval", Interval)
@pytest.mark.parametrize("metric", COUNTS)
def test_series_of_counts_are_recounted(
    answers: Answers, metric: Metric, interval: Interval
) -> None:
    series = answers.time_series(metric, DAYS, interval=interval)

    counted = of(DAYS, *COUNTS[metric])
    width = WIDTHS[interval]
    assert series.values == tuple(
        sum(at <= event.timestamp < at + width for event in counted) for at in series.at
    )
    assert sum(value or 0 for value in series.values) == len(counted)


def test_weeks_begin_on_monday_and_have_only_the_days_of_the_range(answers: Answers) -> None:
    # From Saturday to Tuesday.
    series = answers.time_series(Metric.P95_EXECUTION_MS, DAYS, interval=Interval.WEEK)

    assert [day_of(at) for at in series.at] == ["2025-11-17", "2025-11-24"]
    weekend = DateRange(dt.date(2025, 11, 22), dt.date(2025, 11, 23))
    assert series.values == tuple(
        answers.activity(days).execution.p95_ms for days in (weekend, TWO_DAYS)
    )


@pytest.mark.parametrize(
    ("first", "last", "mondays"),
    [
        ("0001-01-01", "0001-01-08", ["0001-01-01", "0001-01-08"]),
        ("9999-12-26", "9999-12-31", ["9999-12-20", "9999-12-27"]),
    ],
)
def test_weeks_reach_the_ends_of_the_calendar(
    answers: Answers, first: str, last: str, mondays: list[str]
) -> None:
    days = DateRange(dt.date.fromisoformat(first), dt.date.fromisoformat(last))

    series = answers.time_series(Metric.ACTIVE_USERS, days, interval=Interval.WEEK)

    assert [day_of(at) for at in series.at] == mondays
    assert series.values == (0, 0)


@pytest.mark.parametrize("interval", [Interval.DAY, Interval.WEEK])
def test_series_of_users_count_each_once_a_period(answers: Answers, interval: Interval) -> None:
    everybody = answers.time_series(Metric.ACTIVE_USERS, DAYS, interval=interval)
    searching = answers.time_series(Metric.ACTIVE_USERS, DAYS, interval=interval, command="search")

    width = WIDTHS[interval]
    for series, events in (
        (everybody, of(DAYS, *EventType)),
        (searching, [e for e in of(DAYS, *ACTIONS) if e.metadata["command_name"] == "search"]),
    ):
        assert series.values == tuple(
            len(users(e for e in events if at <= e.timestamp < at + width)) for at in series.at
        )


@pytest.mark.parametrize("interval", [Interval.DAY, Interval.WEEK])
def test_series_of_one_user_are_recounted(answers: Answers, interval: Interval) -> None:
    for metric in (Metric.MESSAGES, Metric.EXECUTIONS, Metric.SUCCESSES, Metric.CONNECTIONS):
        series = answers.time_series(metric, DAYS, interval=interval, user_id="ada")

        mine = [event for event in of(DAYS, *COUNTS[metric]) if event.user_id == "ada"]
        assert series.values == tuple(
            sum(at <= event.timestamp < at + WIDTHS[interval] for event in mine) for at in series.at
        )
        assert sum(value or 0 for value in series.values) > 0


@pytest.mark.parametrize(
    ("group_by", "metric", "types", "key"),
    [
        (SeriesGroup.COMMAND, Metric.FAILURES, (EventType.ACTION_FAILED,), "command_name"),
        (SeriesGroup.INTENT, Metric.INTENTS, (EventType.INTENT_CLASSIFIED,), "intent"),
        (SeriesGroup.ERROR_TYPE, Metric.ERRORS, (EventType.ERROR_OCCURRED,), "error_type"),
    ],
)
def test_series_are_split_by_the_names_that_matter_most(
    answers: Answers,
    group_by: SeriesGroup,
    metric: Metric,
    types: tuple[EventType, ...],
    key: str,
) -> None:
    series = answers.time_series(metric, DAYS, group_by=group_by, top=2)

    counted = of(DAYS, *types)
    most = Counter(values(counted, key))
    assert [part.name for part in series.parts] == sorted(most, key=lambda n: (-most[n], n))[:2]
    for part in series.parts:
        mine = Counter(day_of(e.timestamp) for e in counted if e.metadata[key] == part.name)
        assert part.values == tuple(mine[day_of(at)] for at in series.at)
    assert sum(value or 0 for value in series.values) == len(counted)


@pytest.mark.parametrize(
    ("options", "argument", "remedy"),
    [
        ({"group_by": SeriesGroup.COMMAND, "top": 0}, "top", "from 1 to 20"),
        ({"group_by": SeriesGroup.COMMAND, "top": 21}, "top", "from 1 to 20"),
        ({"group_by": SeriesGroup.COMMAND, "intent": "find"}, "group_by", "leave one out"),
        ({"user_id": "ada", "interval": Interval.HOUR}, "interval", "of one user is kept by day"),
        ({"user_id": "ada", "command": "search"}, "user_id", "command is given too"),
        ({"group_by": SeriesGroup.COMMAND, "interval": Interval.HOUR}, "interval", "DAY or WEEK"),
        ({"group_by": SeriesGroup.ERROR_TYPE}, "metric", "for one error ask for one of ERRORS"),
    ],
)
def test_series_that_are_not_kept_are_refused(
    answers: Answers, options: dict[str, Any], argument: str, remedy: str
) -> None:
    with pytest.raises(QuestionError, match=remedy) as refused:
        answers.time_series(Metric.EXECUTIONS, DAYS, **options)
    assert refused.value.argument == argument


def test_users_are_not_counted_by_hour(answers: Answers) -> None:
    with pytest.raises(QuestionError, match="by day only"):
        answers.time_series(Metric.ACTIVE_USERS, DAYS, interval=Interval.HOUR)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    first=st.integers(1, 9),
    order_by=st.sampled_from([UserOrder.MESSAGES, UserOrder.ERRORS, UserOrder.LAST_SEEN]),
)
def test_pages_of_any_size_put_together_are_the_list(
    seed: int, first: int, order_by: UserOrder
) -> None:
    answers = answers_of(sample_events(60, seed=seed))

    together = [row for page in pages(answers.users, first, order_by=order_by) for row in page.rows]

    assert together == list(answers.users(TWO_DAYS, order_by=order_by, first=1000).rows)


def test_a_page_continues_after_a_place_whose_row_has_moved(answers: Answers) -> None:
    rows = answers.users(DAYS, first=1000).rows
    place = Position(rows[3].executions, rows[3].user_id)
    gone = Position(rows[3].executions + 0.5, "")

    assert answers.users(DAYS, first=1, after=place).rows == rows[4:5]
    assert answers.users(DAYS, first=1, after=gone).rows[0].executions <= rows[3].executions
    assert answers.users(DAYS, after=Position(-2, "")).rows == ()
