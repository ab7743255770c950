"""Every question in every order, for tests that two stores answer alike."""

from __future__ import annotations

from collections.abc import Iterator

from copilot_analytics.answers import Answers
from copilot_analytics.periods import DateRange
from copilot_analytics.queries import Interval, Metric, SeriesGroup
from copilot_analytics.rankings import CommandOrder, IntentOrder, UserOrder

__all__ = ["every_answer"]


def every_answer(answers: Answers, days: DateRange) -> Iterator[tuple[str, object]]:
    """Yield each question and its answer; the same in every store that holds the same events."""
    yield "dashboard", answers.dashboard(days, top=10)
    yield "streaming", answers.streaming(days)
    yield "connections", answers.connections(days)
    yield from _lists(answers, days)
    yield from _series(answers, days)
    yield "every command", answers.every_command(days)
    yield "every pattern", tuple(answers.every_pattern(days))


def _lists(answers: Answers, days: DateRange) -> Iterator[tuple[str, object]]:
    for by_command in CommandOrder:
        yield f"commands by {by_command}", answers.popular_commands(days, order_by=by_command)
    for by_intent in IntentOrder:
        yield f"intents by {by_intent}", answers.intents(days, order_by=by_intent)
    for by_user in UserOrder:
        page = answers.users(days, order_by=by_user, first=5)
        yield f"users by {by_user}", page
        after = page.positions[-1] if page.positions else None
        yield f"more users by {by_user}", answers.users(days, order_by=by_user, after=after)
    commands = [row.name for row in answers.popular_commands(days).rows]
    yield "commands_stats", answers.commands_stats([*commands, "unknown"], days)
    # No stored name has a lone surrogate, but an argument of a command line may.
    surrogate = "\udcff"
    yield "commands_stats of a surrogate", answers.commands_stats([surrogate], days)
    yield "a series of a surrogate", answers.time_series(Metric.ERRORS, days, error_type=surrogate)
    patterns = answers.error_patterns(days, search="step").rows
    yield "error_patterns", patterns
    yield (
        "error_trends",
        answers.error_trends([(p.fingerprint, p.error_type) for p in patterns], days),
    )
    for user in answers.users(days, first=3).rows:
        yield f"activity of {user.user_id}", answers.user_activity(user.user_id, days)


def _series(answers: Answers, days: DateRange) -> Iterator[tuple[str, object]]:
    # All metrics are read from the same rows, but for users.
    for metric in (Metric.ACTIVE_USERS, Metric.TOKENS_PER_SECOND, Metric.P95_TTFT_MS):
        yield f"{metric} by day", answers.time_series(metric, days)
    for interval in Interval:
        yield f"events by {interval}", answers.time_series(Metric.EVENTS, days, interval=interval)
    weekly = answers.time_series(Metric.ACTIVE_USERS, days, interval=Interval.WEEK)
    yield "users by week", weekly
    for group, metric in (
        (SeriesGroup.COMMAND, Metric.P95_EXECUTION_MS),
        (SeriesGroup.INTENT, Metric.CLARIFICATION_RATE),
        (SeriesGroup.ERROR_TYPE, Metric.ERRORS),
    ):
        yield f"{metric} by {group}", answers.time_series(metric, days, group_by=group, top=3)
