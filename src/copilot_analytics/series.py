"""What a time series may be of: which metrics each kind of rollup keeps, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .errors import QuestionError
from .events import EventType
from .queries import Metric
from .rollups import ACTIVITY, RollupKind

__all__ = ["METRICS", "Subject", "column"]

_Value = Callable[[Mapping[str, int]], float | None]


def _counter(name: str) -> _Value:
    return lambda counters: counters.get(name, 0)


def _family(prefix: str) -> _Value:
    return lambda counters: sum(n for name, n in counters.items() if name.startswith(prefix))


def _mean_ms(name: str) -> _Value:
    def value(counters: Mapping[str, int]) -> float | None:
        samples = counters.get(f"{name}_samples", 0)
        return counters.get(f"{name}_us", 0) / samples / 1000 if samples else None

    return value


def _success_rate(counters: Mapping[str, int]) -> float | None:
    executions = counters.get("executions", 0)
    return (executions - counters.get("failures", 0)) / executions if executions else None


_EXECUTIONS: Mapping[Metric, _Value] = {
    Metric.EXECUTIONS: _counter("executions"),
    Metric.FAILURES: _counter("failures"),
    Metric.AVERAGE_EXECUTION_MS: _mean_ms("execution"),
    Metric.SUCCESS_RATE: _success_rate,
}

METRICS: Mapping[RollupKind, Mapping[Metric, _Value]] = MappingProxyType(
    {
        RollupKind.ACTIVITY: {
            **_EXECUTIONS,
            Metric.EVENTS: _counter("events"),
            Metric.MESSAGES: _counter("messages"),
            Metric.ERRORS: _counter("errors"),
            Metric.INTENTS: _counter(f"e.{EventType.INTENT_CLASSIFIED}"),
            Metric.CLARIFICATIONS: _counter("clarifications"),
            Metric.CONNECTIONS: _counter("connections"),
            Metric.DISCONNECTIONS: _counter(f"e.{EventType.WEBSOCKET_DISCONNECTED}"),
            Metric.ANONYMOUS_CONNECTIONS: _counter("anonymous_connections"),
            Metric.RECONNECTS: _counter("reconnects"),
            Metric.STREAMS_STARTED: _counter(f"e.{EventType.STREAMING_STARTED}"),
            Metric.STREAMS_COMPLETED: _counter(f"e.{EventType.STREAMING_COMPLETED}"),
            Metric.STREAMS_INTERRUPTED: _counter(f"e.{EventType.STREAMING_INTERRUPTED}"),
            Metric.MULTI_STEPS_STARTED: _counter(f"e.{EventType.MULTI_STEP_STARTED}"),
            Metric.MULTI_STEPS_COMPLETED: _counter(f"e.{EventType.MULTI_STEP_COMPLETED}"),
            Metric.MULTI_STEPS_FAILED: _counter(f"e.{EventType.MULTI_STEP_FAILED}"),
            Metric.TOKENS: _counter("tokens"),
            Metric.AVERAGE_TTFT_MS: _mean_ms("ttft"),
        },
        RollupKind.COMMAND: {**_EXECUTIONS, Metric.ERRORS: _family("error.")},
        RollupKind.INTENT: {
            Metric.INTENTS: _counter("count"),
            Metric.CLARIFICATIONS: _counter("clarifications"),
            Metric.EXECUTIONS: _family("command."),
            Metric.FAILURES: _counter("failures"),
        },
        RollupKind.ERROR: {Metric.ERRORS: _counter("count")},
    }
)
"""How each metric is read from a rollup's counters, by what the series is of."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a series is of: everything, or one command, intent or error type."""

    kind: RollupKind
    dimension: str

    @classmethod
    def of(cls, *, command: str | None, intent: str | None, error_type: str | None) -> Subject:
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
            )
            if name is not None
        ]
        if len(named) > 1:
            raise QuestionError(
                named[1][1],
                named[1][2],
                f"{named[0][1]} is given too; ask for one series of one of them",
            )
        return cls(named[0][0], named[0][2]) if named else cls(RollupKind.ACTIVITY, ACTIVITY)


def column(metric: Metric, subject: Subject) -> _Value:
    """Return how to read a metric from the counters of the subject's rollups.

    Raises:
        QuestionError: it is not kept for that kind of subject; the error lists what is.
    """
    kept = METRICS[subject.kind]
    if metric not in kept:
        raise QuestionError(
            "metric",
            metric.value,
            f"for one {subject.kind.value} ask for one of {', '.join(m.value for m in kept)}",
        )
    return kept[metric]
