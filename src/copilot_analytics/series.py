"""What a time series may be of: which metrics each kind of rollup keeps, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .errors import QuestionError
from .events import EventType
from .histogram import quantile
from .queries import Metric, SeriesGroup
from .redaction import clean_text
from .rollups import ACTIVITY, DISTINCT_KINDS, HEADLINES, RollupKind

__all__ = ["GROUPS", "METRICS", "Subject", "Value", "column", "metrics_of", "weight"]


@dataclass(frozen=True, slots=True)
class Value:
    """Reads a metric from a rollup's counters.

    Attributes:
        of: returns it; None where there is nothing to say.
        reads: the counters that this takes, families by their prefixes.
    """

    of: Callable[[Mapping[str, int]], float | None]
    reads: tuple[str, ...]

    def is_headline(self, kind: RollupKind) -> bool:
        """Return whether the headline counters of rollups of this kind are enough."""
        return set(self.reads) <= set(HEADLINES[kind])


GROUPS: Mapping[SeriesGroup, RollupKind] = MappingProxyType(
    {
        SeriesGroup.COMMAND: RollupKind.COMMAND,
        SeriesGroup.INTENT: RollupKind.INTENT,
        SeriesGroup.ERROR_TYPE: RollupKind.ERROR,
    }
)
"""The kind of rollup whose dimensions a series is split by."""


def _counter(name: str) -> Value:
    return Value(lambda counters: counters.get(name, 0), (name,))


def _family(prefix: str) -> Value:
    def count(counters: Mapping[str, int]) -> int:
        return sum(n for name, n in counters.items() if name.startswith(prefix))

    return Value(count, (prefix,))


def _mean_ms(name: str) -> Value:
    total, samples = f"{name}_us", f"{name}_samples"

    def mean(counters: Mapping[str, int]) -> float | None:
        count = counters.get(samples, 0)
        return counters.get(total, 0) / count / 1000 if count else None

    return Value(mean, (total, samples))


def _percentile(q: float, prefix: str) -> Value:
    cut = len(prefix)

    def percentile(counters: Mapping[str, int]) -> float | None:
        buckets = {
            int(name[cut:]): n for name, n in counters.items() if n and name.startswith(prefix)
        }
        return quantile(buckets, q)

    return Value(percentile, (prefix,))


def _rate(part: str, whole: str) -> Value:
    def rate(counters: Mapping[str, int]) -> float | None:
        total = counters.get(whole, 0)
        return counters.get(part, 0) / total if total else None

    return Value(rate, (part, whole))


def _successes(counters: Mapping[str, int]) -> int:
    return counters.get("executions", 0) - counters.get("failures", 0)


def _success_rate(counters: Mapping[str, int]) -> float | None:
    executions = counters.get("executions", 0)
    return _successes(counters) / executions if executions else None


def _tokens_per_second(counters: Mapping[str, int]) -> float | None:
    taken_us = counters.get("token_us", 0)
    return counters.get("tokens", 0) * 1e6 / taken_us if taken_us else None


_RUNS = ("executions", "failures")
_EXECUTIONS: Mapping[Metric, Value] = {
    Metric.EXECUTIONS: _counter("executions"),
    Metric.SUCCESSES: Value(_successes, _RUNS),
    Metric.FAILURES: _counter("failures"),
    Metric.SUCCESS_RATE: Value(_success_rate, _RUNS),
    Metric.AVERAGE_EXECUTION_MS: _mean_ms("execution"),
    Metric.P50_EXECUTION_MS: _percentile(0.5, "x."),
    Metric.P95_EXECUTION_MS: _percentile(0.95, "x."),
    Metric.P99_EXECUTION_MS: _percentile(0.99, "x."),
}

METRICS: Mapping[RollupKind, Mapping[Metric, Value]] = MappingProxyType(
    {
        RollupKind.ACTIVITY: {
            **_EXECUTIONS,
            Metric.EVENTS: _counter("events"),
            Metric.MESSAGES: _counter("messages"),
            Metric.ERRORS: _counter("errors"),
            Metric.INTENTS: _counter(f"e.{EventType.INTENT_CLASSIFIED}"),
            Metric.CLARIFICATIONS: _counter("clarifications"),
            Metric.CLARIFICATION_RATE: _rate("clarifications", "messages"),
            Metric.CONNECTIONS: _counter("connections"),
            Metric.DISCONNECTIONS: _counter(f"e.{EventType.WEBSOCKET_DISCONNECTED}"),
            Metric.ANONYMOUS_CONNECTIONS: _counter("anonymous_connections"),
            Metric.RECONNECTS: _counter("reconnects"),
            Metric.AVERAGE_CONNECTION_MS: _mean_ms("connection"),
            Metric.STREAMS: _counter("streams"),
            Metric.STREAMS_STARTED: _counter(f"e.{EventType.STREAMING_STARTED}"),
            Metric.STREAMS_COMPLETED: _counter(f"e.{EventType.STREAMING_COMPLETED}"),
            Metric.STREAMS_INTERRUPTED: _counter(f"e.{EventType.STREAMING_INTERRUPTED}"),
            Metric.INTERRUPTION_RATE: _rate(f"e.{EventType.STREAMING_INTERRUPTED}", "streams"),
            Metric.AVERAGE_TTFT_MS: _mean_ms("ttft"),
            Metric.P50_TTFT_MS: _percentile(0.5, "t."),
            Metric.P95_TTFT_MS: _percentile(0.95, "t."),
            Metric.P99_TTFT_MS: _percentile(0.99, "t."),
            Metric.AVERAGE_STREAM_MS: _mean_ms("stream"),
            Metric.TOKENS: _counter("tokens"),
            Metric.TOKENS_PER_SECOND: Value(_tokens_per_second, ("tokens", "token_us")),
            Metric.MULTI_STEPS_STARTED: _counter(f"e.{EventType.MULTI_STEP_STARTED}"),
            Metric.MULTI_STEPS_COMPLETED: _counter(f"e.{EventType.MULTI_STEP_COMPLETED}"),
            Metric.MULTI_STEPS_FAILED: _counter(f"e.{EventType.MULTI_STEP_FAILED}"),
        },
        RollupKind.COMMAND: {**_EXECUTIONS, Metric.ERRORS: _family("error.")},
        RollupKind.INTENT: {
            Metric.INTENTS: _counter("count"),
            Metric.CLARIFICATIONS: _counter("clarifications"),
            Metric.CLARIFICATION_RATE: _rate("clarifications", "count"),
            Metric.EXECUTIONS: _family("command."),
            Metric.FAILURES: _counter("failures"),
        },
        RollupKind.ERROR: {Metric.ERRORS: _counter("count")},
        RollupKind.USER: {
            Metric.MESSAGES: _counter("messages"),
            Metric.EXECUTIONS: _counter("executions"),
            Metric.SUCCESSES: Value(_successes, _RUNS),
            Metric.FAILURES: _counter("failures"),
            Metric.SUCCESS_RATE: Value(_success_rate, _RUNS),
            Metric.ERRORS: _counter("errors"),
            Metric.CONNECTIONS: _counter("connections"),
        },
    }
)
"""How each metric is read from a rollup's counters, by what the series is of.

`Metric.ACTIVE_USERS` is not: distinct users are kept apart, for the kinds in `DISTINCT_KINDS`.
"""

_WEIGHTS: Mapping[RollupKind, tuple[str, Mapping[Metric, str]]] = {
    RollupKind.COMMAND: ("executions", {Metric.FAILURES: "failures"}),
    RollupKind.INTENT: (
        "count",
        {Metric.CLARIFICATIONS: "clarifications", Metric.FAILURES: "failures"},
    ),
    RollupKind.ERROR: ("count", {}),
}
"""The headline counter by which the names that a series is split by are ranked: that of the metric
where there is one, else that of how often they occur at all."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a series is of: everything, or one command, intent, error type or user."""

    kind: RollupKind
    dimension: str

    @classmethod
    def of(
        cls,
        *,
        command: str | None = None,
        intent: str | None = None,
        error_type: str | None = None,
        user_id: str | None = None,
    ) -> Subject:
        """Return the subject that at most one of the arguments names.

        Raises:
            QuestionError: more than one is given.
        """
        named = [
            (kind, argument, name)
            for kind, argument, name in (
                (RollupKind.COMMAND, "command", command),
                (RollupKind.INTENT, "intent", intent),
                (RollupKind.ERROR, "error_type", error_type),
                (RollupKind.USER, "user_id", user_id),
            )
            if name is not None
        ]
        if len(named) > 1:
            raise QuestionError(
                named[1][1],
                named[1][2],
                f"{named[0][1]} is given too; ask for one series of one of them",
            )
        if not named:
            return cls(RollupKind.ACTIVITY, ACTIVITY)
        kind, _, name = named[0]
        # What no stored name has, such as a lone surrogate, not every store can be asked for.
        return cls(kind, clean_text(name))


def metrics_of(kind: RollupKind) -> tuple[Metric, ...]:
    """Return the metrics that are kept for a kind of rollup."""
    users = (Metric.ACTIVE_USERS,) if kind in DISTINCT_KINDS else ()
    return (*METRICS[kind], *users)


def column(metric: Metric, kind: RollupKind) -> Value | None:
    """Return how to read a metric from rollups of a kind; None for `ACTIVE_USERS`.

    Raises:
        QuestionError: it is not kept for that kind; the error lists what is.
    """
    kept = metrics_of(kind)
    if metric not in kept:
        raise QuestionError(
            "metric",
            metric.value,
            f"for one {kind.value} ask for one of {', '.join(m.value for m in kept)}",
        )
    return METRICS[kind].get(metric)


def weight(metric: Metric, kind: RollupKind) -> str:
    """Return the headline counter that tells which of a kind's names matter most to a metric."""
    usual, special = _WEIGHTS[kind]
    return special.get(metric, usual)
