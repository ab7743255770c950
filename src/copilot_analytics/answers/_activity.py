"""What happened in all: the summary, streams, connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ..events import EventType
from ..periods import DateRange
from ..queries import ActivityTotals, DistinctUsers, ErrorTypeCount, Summary
from ..rollups import ACTIVITY, RollupKind
from ..traffic import Compared, Connections, Streaming
from ._figures import NO_USERS, error_types, family, latency, ratio
from ._reader import Reader

__all__ = ["ActivityAnswers"]

_T = TypeVar("_T")


class ActivityAnswers(Reader):
    """Questions about everything at once."""

    def summary(self, range: DateRange) -> Summary:
        """Return the range's totals beside those of the range of equal length before it."""
        before = self._kept_before(range)
        return Summary(
            self.activity(range),
            None if before is None else self.activity(before),
            self._errors_by_type(range),
            None if before is None else self._errors_by_type(before),
        )

    def activity(self, range: DateRange) -> ActivityTotals:
        """Return the totals of a range."""
        users = self._store.count_distinct(RollupKind.ACTIVITY, [ACTIVITY], range)
        return _activity_totals(self._counters(range), users.get(ACTIVITY, NO_USERS))

    def streaming(self, range: DateRange) -> Compared[Streaming]:
        """Return what streamed answers did, beside the range of equal length before."""
        return self._compared(range, _streaming)

    def connections(self, range: DateRange) -> Compared[Connections]:
        """Return what connections did, beside the range of equal length before."""
        return self._compared(range, _connections)

    def _compared(
        self, range: DateRange, figures: Callable[[Mapping[str, int]], _T]
    ) -> Compared[_T]:
        before = self._kept_before(range)
        return Compared(
            figures(self._counters(range)),
            None if before is None else figures(self._counters(before)),
        )

    def _counters(self, range: DateRange) -> Mapping[str, int]:
        totals = self._store.totals(RollupKind.ACTIVITY, range, [ACTIVITY], detail=True)
        return totals[ACTIVITY].counters if ACTIVITY in totals else {}

    def _errors_by_type(self, range: DateRange) -> tuple[ErrorTypeCount, ...]:
        totals = self._store.totals(RollupKind.ERROR, range)
        return error_types((name, rollup.counters["count"]) for name, rollup in totals.items())


def _activity_totals(counters: Mapping[str, int], users: DistinctUsers) -> ActivityTotals:
    count = counters.get
    executions, failures = count("executions", 0), count("failures", 0)
    messages, clarifications = count("messages", 0), count("clarifications", 0)
    streams, connections = _streaming(counters), _connections(counters)
    return ActivityTotals(
        events={event_type: count(f"e.{event_type}", 0) for event_type in EventType},
        executions=executions,
        successes=executions - failures,
        failures=failures,
        success_rate=ratio(executions - failures, executions),
        execution=latency(counters, "execution", "x."),
        messages=messages,
        errors=count("errors", 0),
        active_users=users,
        connections=connections.opened,
        anonymous_connections=connections.anonymous,
        reconnects=connections.reconnects,
        connection=connections.duration,
        close_codes=dict(connections.close_codes),
        streams=streams.ended,
        stream_ends=dict(streams.ends),
        interruption_rate=streams.interruption_rate,
        ttft=streams.ttft,
        stream_duration=streams.duration,
        tokens=streams.tokens,
        tokens_per_second=streams.tokens_per_second,
        clarifications=clarifications,
        clarification_rate=ratio(clarifications, messages),
    )


def _streaming(counters: Mapping[str, int]) -> Streaming:
    count = counters.get
    interrupted = count(f"e.{EventType.STREAMING_INTERRUPTED}", 0)
    completed = count(f"e.{EventType.STREAMING_COMPLETED}", 0)
    tokens, token_us = count("tokens", 0), count("token_us", 0)
    return Streaming(
        started=count(f"e.{EventType.STREAMING_STARTED}", 0),
        ended=completed + interrupted,
        completed=completed,
        interrupted=interrupted,
        interruption_rate=ratio(interrupted, completed + interrupted),
        ends=dict(sorted(family(counters, "end.").items())),
        ttft=latency(counters, "ttft", "t."),
        duration=latency(counters, "stream", "s."),
        tokens=tokens,
        token_streams=count("token_streams", 0),
        tokens_per_second=tokens * 1e6 / token_us if token_us else None,
    )


def _connections(counters: Mapping[str, int]) -> Connections:
    count = counters.get
    opened, reconnects = count("connections", 0), count("reconnects", 0)
    return Connections(
        opened=opened,
        anonymous=count("anonymous_connections", 0),
        reconnects=reconnects,
        reconnect_rate=ratio(reconnects, opened),
        closed=count(f"e.{EventType.WEBSOCKET_DISCONNECTED}", 0),
        close_codes=dict(sorted((int(code), n) for code, n in family(counters, "close.").items())),
        duration=latency(counters, "connection", "k."),
    )
