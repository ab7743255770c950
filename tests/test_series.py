from __future__ import annotations

import pytest

from copilot_analytics.errors import QuestionError
from copilot_analytics.queries import Metric
from copilot_analytics.rollups import ACTIVITY, RollupKind
from copilot_analytics.series import METRICS, Subject, column

ALL = Subject(RollupKind.ACTIVITY, ACTIVITY)


def test_every_metric_is_kept_for_everything() -> None:
    assert METRICS[RollupKind.ACTIVITY].keys() == set(Metric)


@pytest.mark.parametrize("kind", METRICS)
def test_counts_without_counters_are_0_and_rates_and_averages_none(kind: RollupKind) -> None:
    for metric, value in METRICS[kind].items():
        sampled = metric.value.startswith("AVERAGE") or metric is Metric.SUCCESS_RATE
        assert value({}) == (None if sampled else 0)


@pytest.mark.parametrize(
    ("metric", "counters", "value"),
    [
        (Metric.MESSAGES, {"messages": 3, "events": 9}, 3),
        (Metric.INTENTS, {"e.INTENT_CLASSIFIED": 2}, 2),
        (Metric.AVERAGE_EXECUTION_MS, {"execution_us": 4500, "execution_samples": 3}, 1.5),
        (Metric.AVERAGE_TTFT_MS, {"ttft_us": 1000, "ttft_samples": 2}, 0.5),
        (Metric.SUCCESS_RATE, {"executions": 4, "failures": 1}, 0.75),
    ],
)
def test_metrics_are_read_from_the_counters(
    metric: Metric, counters: dict[str, int], value: float
) -> None:
    assert column(metric, ALL)(counters) == value


def test_a_family_is_summed() -> None:
    command = Subject(RollupKind.COMMAND, "add")

    assert column(Metric.ERRORS, command)({"error.A": 1, "error.B": 2, "executions": 9}) == 3


@pytest.mark.parametrize(
    ("named", "subject"),
    [
        ({}, ALL),
        ({"command": "add"}, Subject(RollupKind.COMMAND, "add")),
        ({"intent": "supply"}, Subject(RollupKind.INTENT, "supply")),
        ({"error_type": "Timeout"}, Subject(RollupKind.ERROR, "Timeout")),
        # An empty name is a name.
        ({"command": ""}, Subject(RollupKind.COMMAND, "")),
    ],
)
def test_a_series_is_of_what_is_named(named: dict[str, str], subject: Subject) -> None:
    names: dict[str, str | None] = {"command": None, "intent": None, "error_type": None}

    assert Subject.of(**{**names, **named}) == subject


def test_a_series_of_two_things_is_refused() -> None:
    with pytest.raises(QuestionError, match="command is given too"):
        Subject.of(command="add", intent="supply", error_type=None)


def test_a_metric_that_is_not_kept_is_refused_and_those_kept_named() -> None:
    with pytest.raises(QuestionError, match="for one error ask for one of ERRORS"):
        column(Metric.TOKENS, Subject(RollupKind.ERROR, "Timeout"))
