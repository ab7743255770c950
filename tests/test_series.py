from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

import pytest

from copilot_analytics.errors import QuestionError
from copilot_analytics.histogram import value_of
from copilot_analytics.queries import Metric
from copilot_analytics.rollups import ACTIVITY, HEADLINES, RollupKind
from copilot_analytics.series import METRICS, Subject, column, metrics_of, weight

ALL = Subject(RollupKind.ACTIVITY, ACTIVITY)


def test_every_metric_is_kept_for_everything() -> None:
    assert set(metrics_of(RollupKind.ACTIVITY)) == set(Metric)


@pytest.mark.parametrize("kind", METRICS)
def test_counts_without_counters_are_0_and_rates_and_averages_none(kind: RollupKind) -> None:
    for metric, value in METRICS[kind].items():
        sampled = re.match("AVERAGE_|P[0-9]+_|.*_RATE|TOKENS_PER_SECOND", metric.value)
        assert value.of({}) == (None if sampled else 0)


@pytest.mark.parametrize(
    ("metric", "counters", "value"),
    [
        (Metric.MESSAGES, {"messages": 3, "events": 9}, 3),
        (Metric.INTENTS, {"e.INTENT_CLASSIFIED": 2}, 2),
        (Metric.AVERAGE_EXECUTION_MS, {"execution_us": 4500, "execution_samples": 3}, 1.5),
        (Metric.AVERAGE_TTFT_MS, {"ttft_us": 1000, "ttft_samples": 2}, 0.5),
        (Metric.SUCCESSES, {"executions": 4, "failures": 1}, 3),
        (Metric.SUCCESS_RATE, {"executions": 4, "failures": 1}, 0.75),
        (Metric.CLARIFICATION_RATE, {"messages": 4, "clarifications": 1}, 0.25),
        (Metric.INTERRUPTION_RATE, {"streams": 4, "e.STREAMING_INTERRUPTED": 1}, 0.25),
        (Metric.TOKENS_PER_SECOND, {"tokens": 30, "token_us": 2_000_000}, 15.0),
        (Metric.P50_TTFT_MS, {"t.1": 3, "t.9": 2, "x.5": 9}, value_of(1)),
        (Metric.P99_EXECUTION_MS, {"x.1": 99, "x.9": 2, "t.50": 9}, value_of(9)),
    ],
)
def test_metrics_are_read_from_the_counters(
    metric: Metric, counters: dict[str, int], value: float
) -> None:
    read = column(metric, RollupKind.ACTIVITY)

    assert read is not None
    assert read.of(counters) == value


def test_a_family_is_summed() -> None:
    read = column(Metric.ERRORS, RollupKind.COMMAND)

    assert read is not None
    assert read.of({"error.A": 1, "error.B": 2, "executions": 9}) == 3


class _Spied(Mapping[str, int]):
    """Counters that note which of them are asked for, and refuse to be looked through."""

    def __init__(self) -> None:
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> int:
        self.read.add(name)
        return 1

    def __iter__(self) -> NoReturn:
        raise AssertionError("a family is read")

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("kind", METRICS)
def test_what_metrics_read_they_say(kind: RollupKind) -> None:
    """Only headlines are there for those that say that they read nothing else."""
    for value in METRICS[kind].values():
        if [name for name in value.reads if name.endswith(".")]:
            assert not value.is_headline(kind)
            continue
        counters = _Spied()
        value.of(counters)
        assert counters.read == set(value.reads)
        assert value.is_headline(kind) is (counters.read <= set(HEADLINES[kind]))


@pytest.mark.parametrize(
    ("named", "subject"),
    [
        ({}, ALL),
        ({"command": "add"}, Subject(RollupKind.COMMAND, "add")),
        ({"intent": "supply"}, Subject(RollupKind.INTENT, "supply")),
        ({"error_type": "Timeout"}, Subject(RollupKind.ERROR, "Timeout")),
        ({"user_id": "ada"}, Subject(RollupKind.USER, "ada")),
        # An empty name is a name.
        ({"command": ""}, Subject(RollupKind.COMMAND, "")),
    ],
)
def test_a_series_is_of_what_is_named(named: dict[str, str], subject: Subject) -> None:
    assert Subject.of(**named) == subject


def test_a_series_of_two_things_is_refused() -> None:
    with pytest.raises(QuestionError, match="command is given too"):
        Subject.of(command="add", intent="supply", error_type=None)


def test_a_metric_that_is_not_kept_is_refused_and_those_kept_named() -> None:
    with pytest.raises(QuestionError, match="for one error ask for one of ERRORS, ACTIVE_USERS"):
        column(Metric.TOKENS, RollupKind.ERROR)


@pytest.mark.parametrize(
    ("metric", "kind", "counter"),
    [
        (Metric.FAILURES, RollupKind.COMMAND, "failures"),
        (Metric.SUCCESS_RATE, RollupKind.COMMAND, "executions"),
        (Metric.CLARIFICATIONS, RollupKind.INTENT, "clarifications"),
        (Metric.EXECUTIONS, RollupKind.INTENT, "count"),
        (Metric.ERRORS, RollupKind.ERROR, "count"),
    ],
)
def test_names_are_ranked_by_a_counter_that_stores_sum_cheaply(
    metric: Metric, kind: RollupKind, counter: str
) -> None:
    assert weight(metric, kind) == counter
    assert counter in HEADLINES[kind]
