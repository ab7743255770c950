"""What can be asked and what is answered: value objects without behaviour worth speaking of.

Semantics (DESIGN §10): rates are 0..1, times are milliseconds; rates, averages and percentiles are
None without samples; ties sort by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .events import EventType
from .periods import DateRange

__all__ = [
    "MAX_LIMIT",
    "ActivityTotals",
    "CommandStats",
    "Comparison",
    "Dashboard",
    "DistinctUsers",
    "ErrorPattern",
    "ErrorTypeCount",
    "ExportFormat",
    "ExportSection",
    "Interval",
    "Latency",
    "LatencyBin",
    "Metric",
    "PopularCommand",
    "RecorderHealth",
    "SeriesGroup",
    "SeriesPart",
    "Summary",
    "TimeSeries",
    "UserActivity",
    "UserDay",
]

MAX_LIMIT = 1000
"""The most rows one list answers."""


class Interval(StrEnum):
    """The width of a time series' periods."""

    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    """An ISO week, Monday to Sunday, UTC."""


class Metric(StrEnum):
    """What a time series shows."""

    EVENTS = "EVENTS"
    ACTIVE_USERS = "ACTIVE_USERS"
    MESSAGES = "MESSAGES"
    EXECUTIONS = "EXECUTIONS"
    SUCCESSES = "SUCCESSES"
    FAILURES = "FAILURES"
    SUCCESS_RATE = "SUCCESS_RATE"
    AVERAGE_EXECUTION_MS = "AVERAGE_EXECUTION_MS"
    P50_EXECUTION_MS = "P50_EXECUTION_MS"
    P95_EXECUTION_MS = "P95_EXECUTION_MS"
    P99_EXECUTION_MS = "P99_EXECUTION_MS"
    ERRORS = "ERRORS"
    INTENTS = "INTENTS"
    CLARIFICATIONS = "CLARIFICATIONS"
    CLARIFICATION_RATE = "CLARIFICATION_RATE"
    CONNECTIONS = "CONNECTIONS"
    DISCONNECTIONS = "DISCONNECTIONS"
    ANONYMOUS_CONNECTIONS = "ANONYMOUS_CONNECTIONS"
    RECONNECTS = "RECONNECTS"
    AVERAGE_CONNECTION_MS = "AVERAGE_CONNECTION_MS"
    STREAMS = "STREAMS"
    STREAMS_STARTED = "STREAMS_STARTED"
    STREAMS_COMPLETED = "STREAMS_COMPLETED"
    STREAMS_INTERRUPTED = "STREAMS_INTERRUPTED"
    INTERRUPTION_RATE = "INTERRUPTION_RATE"
    AVERAGE_TTFT_MS = "AVERAGE_TTFT_MS"
    P50_TTFT_MS = "P50_TTFT_MS"
    P95_TTFT_MS = "P95_TTFT_MS"
    P99_TTFT_MS = "P99_TTFT_MS"
    AVERAGE_STREAM_MS = "AVERAGE_STREAM_MS"
    TOKENS = "TOKENS"
    TOKENS_PER_SECOND = "TOKENS_PER_SECOND"
    MULTI_STEPS_STARTED = "MULTI_STEPS_STARTED"
    MULTI_STEPS_COMPLETED = "MULTI_STEPS_COMPLETED"
    MULTI_STEPS_FAILED = "MULTI_STEPS_FAILED"


class SeriesGroup(StrEnum):
    """What a time series is split by."""

    COMMAND = "COMMAND"
    INTENT = "INTENT"
    ERROR_TYPE = "ERROR_TYPE"


class ExportFormat(StrEnum):
    """The format of an export."""

    JSON = "JSON"
    CSV = "CSV"
    NDJSON = "NDJSON"
    PARQUET = "PARQUET"


class ExportSection(StrEnum):
    """The table of a CSV export."""

    COMMANDS = "COMMANDS"
    ERRORS = "ERRORS"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A value beside the same value of the previous period of equal length.

    Attributes:
        value: this period's; None without samples.
        previous: the previous period's; None without samples, or when any of its days lies before
            rollup retention.
        change_ratio: (value - previous) / previous; None when previous is None or 0.
    """

    value: float | None
    previous: float | None

    @property
    def change_ratio(self) -> float | None:
        """Return (value - previous) / previous; None when that has no meaning."""
        if self.value is None or not self.previous:
            return None
        return (self.value - self.previous) / self.previous


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of durations; percentiles within 2 % of exact.

    Attributes:
        count: samples.
        average_ms: None without samples, as are the percentiles.
        p50_ms: the median.
        p95_ms: 95 % are at most this.
        p99_ms: 99 % are at most this.
    """

    count: int = 0
    average_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class LatencyBin:
    """A part of a distribution of durations.

    Attributes:
        from_ms: the durations are above this,
        to_ms: and at most this.
        count: how many there are.
    """

    from_ms: float
    to_ms: float
    count: int


@dataclass(frozen=True, slots=True)
class DistinctUsers:
    """How many signed-in users, and whether that is exact or within about 2.3 %."""

    count: int
    exact: bool


@dataclass(frozen=True, slots=True)
class ErrorTypeCount:
    """How often errors of one type occurred."""

    error_type: str
    count: int


@dataclass(frozen=True, slots=True)
class ActivityTotals:
    """The activity of one range, as stored.

    Attributes:
        events: how many of each type (every type is present).
        executions: commands run, steps included.
        successes: of these, those that did what was asked.
        failures: of these, those that did not.
        success_rate: successes / executions, 0..1.
        execution: how long commands took.
        messages: messages users sent.
        errors: ERROR_OCCURRED events.
        active_users: distinct signed-in users with any event.
        connections: sockets accepted.
        anonymous_connections: of these, by nobody signed in.
        reconnects: of these, by users who came back after a lost connection.
        connection: how long sockets stayed open.
        close_codes: sockets by close code.
        streams: streamed answers that ended.
        stream_ends: these by end reason.
        interruption_rate: interrupted streams / ended streams, 0..1.
        ttft: user's message to first content.
        stream_duration: stream start to end.
        tokens: tokens that servers reported.
        tokens_per_second: over the streams that report tokens.
        clarifications: times the copilot asked back.
        clarification_rate: clarifications / messages, 0..1; None without messages.
    """

    events: dict[EventType, int]
    executions: int
    successes: int
    failures: int
    success_rate: float | None
    execution: Latency
    messages: int
    errors: int
    active_users: DistinctUsers
    connections: int
    anonymous_connections: int
    reconnects: int
    connection: Latency
    close_codes: dict[int, int]
    streams: int
    stream_ends: dict[str, int]
    interruption_rate: float | None
    ttft: Latency
    stream_duration: Latency
    tokens: int
    tokens_per_second: float | None
    clarifications: int
    clarification_rate: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The dashboard's totals and their comparison with the previous period.

    Attributes:
        totals: this range's.
        previous: those of the range of equal length before it; None when any of its days lies
            before rollup retention.
        errors_by_type: this range's errors, most frequent first.
        previous_errors_by_type: the previous range's, likewise; None as `previous`.
    """

    totals: ActivityTotals
    previous: ActivityTotals | None
    errors_by_type: tuple[ErrorTypeCount, ...]
    previous_errors_by_type: tuple[ErrorTypeCount, ...] | None


@dataclass(frozen=True, slots=True)
class PopularCommand:
    """One command in a list.

    Attributes:
        name: the command.
        executions: how often it ran.
        successes: how often it did what was asked.
        failures: how often it did not.
        success_rate: successes / executions, 0..1.
        average_ms: how long it took; None where no time is known.
        last_executed: the last time it ran, epoch ms, as far as the range knows.
    """

    name: str
    executions: int
    successes: int
    failures: int
    success_rate: float | None
    average_ms: float | None
    last_executed: int


@dataclass(frozen=True, slots=True)
class CommandStats:
    """Everything about one command.

    Attributes:
        name: the command.
        executions: how often it ran.
        successes: how often it did what was asked.
        failures: how often it did not.
        success_rate: successes / executions, 0..1; None if it never ran.
        execution: how long it took.
        histogram: the same in at most 24 bins of equal ratio, in order; empty without samples.
        last_executed: the last time it ran in the range, epoch ms; None if it never did.
        users: distinct signed-in users who ran it.
        errors_by_type: errors it raised, most frequent first.
    """

    name: str
    executions: int
    successes: int
    failures: int
    success_rate: float | None
    execution: Latency
    histogram: tuple[LatencyBin, ...]
    last_executed: int | None
    users: DistinctUsers
    errors_by_type: tuple[ErrorTypeCount, ...]


@dataclass(frozen=True, slots=True)
class ErrorPattern:
    """Errors of one type and one normalised message.

    Attributes:
        fingerprint: its id among the errors of its type.
        error_type: the errors' type.
        message: their normalised message.
        count: how many in the range.
        total_count: how many ever.
        first_occurrence: the first one ever, epoch ms.
        last_occurrence: the last one in the range, epoch ms.
        affected_users: distinct signed-in users in the range.
        affected_user_ids: up to 100 stored ids, over the pattern's life, sorted.
    """

    fingerprint: str
    error_type: str
    message: str
    count: int
    total_count: int
    first_occurrence: int
    last_occurrence: int
    affected_users: DistinctUsers
    affected_user_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UserDay:
    """One user's day, `YYYY-MM-DD`."""

    day: str
    messages: int
    executions: int
    failures: int
    errors: int
    connections: int


@dataclass(frozen=True, slots=True)
class UserActivity:
    """What one user did.

    Attributes:
        user_id: the stored id.
        messages: messages sent.
        executions: commands run.
        failures: of these, failed.
        success_rate: of these, 0..1.
        errors: errors met.
        connections: sockets opened.
        last_seen: the last event in the range, epoch ms; None without any.
        days: one entry a day with any activity, in order.
        first_seen: the first event in the range, epoch ms; None without any.
    """

    user_id: str
    messages: int
    executions: int
    failures: int
    success_rate: float | None
    errors: int
    connections: int
    last_seen: int | None
    days: tuple[UserDay, ...]
    first_seen: int | None = None


@dataclass(frozen=True, slots=True)
class SeriesPart:
    """The part of a time series that one command, intent or error type has; see `TimeSeries`."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One metric over time, in columns; every period of the range is present.

    Attributes:
        metric: what is shown.
        interval: the periods' width.
        at: each period's start, epoch ms; a week's is its Monday, also where the range begins
            later in it.
        values: 0 where nothing was counted; None where a rate, average or percentile has no
            samples.
        parts: the same for the most frequent names, where it is split by them.
    """

    metric: Metric
    interval: Interval
    at: tuple[int, ...]
    values: tuple[float | None, ...]
    parts: tuple[SeriesPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The dashboard's answer.

    Attributes:
        range: the days it is about.
        summary: totals and comparisons.
        top_commands: the most executed commands.
        top_errors: the most frequent error patterns.
    """

    range: DateRange
    summary: Summary
    top_commands: tuple[PopularCommand, ...]
    top_errors: tuple[ErrorPattern, ...]


@dataclass(frozen=True, slots=True)
class RecorderHealth:
    """How the recorder is doing, now; counts are since the process started.

    Always `accepted + recovered == stored + pending + spooled + sum(dropped.values())`; `rejected`
    is apart.

    Attributes:
        running: whether it takes events.
        accepted: events taken.
        stored: events that the store confirmed.
        pending: events waiting, in memory.
        spooled: events waiting for a remote store, on disk.
        recovered: events found on disk, which earlier processes had accepted.
        dropped: accepted events that were given up, by reason.
        rejected: events never accepted, by reason.
        skipped: metadata values and frames that were left out, by reason.
        errors: failures inside analytics, by place; the host never saw them.
        last_flush_ms: how long the last write took, in milliseconds; None before the first.
        last_flush_at: when it ended, epoch ms; None before the first.
        last_error: why the last write failed; None once one has succeeded.
        store: the store's URL, without credentials.
        store_statistics: the store's own figures.
    """

    running: bool
    accepted: int
    stored: int
    pending: int
    store: str
    spooled: int = 0
    recovered: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    last_flush_ms: float | None = None
    last_flush_at: int | None = None
    last_error: str | None = None
    store_statistics: dict[str, int] = field(default_factory=dict)
