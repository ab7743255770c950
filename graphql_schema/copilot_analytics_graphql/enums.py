"""The core's closed sets as GraphQL enums, each value with a description."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from copilot_analytics.events import EventType
from copilot_analytics.queries import (
    ExportFormat,
    ExportSection,
    Interval,
    Metric,
    SeriesGroup,
)
from copilot_analytics.rankings import CommandOrder, IntentOrder, UserOrder

__all__ = [
    "CommandOrder",
    "EventType",
    "ExportFormat",
    "ExportSection",
    "IntentOrder",
    "Interval",
    "Metric",
    "SeriesGroup",
    "UserOrder",
]

_E = TypeVar("_E", bound=Enum)


def _describe(enum: type[_E], description: str, values: Mapping[_E, str]) -> None:
    """Register a core enum with Strawberry; the core itself does not know Strawberry."""
    strawberry.enum(enum, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    meanings = {member.name: text for member, text in values.items()}
    for value in definition.values:
        value.description = meanings[value.name]


def _check(enum: type[StrEnum]) -> None:
    """Make sure that GraphQL's names, the members' names, are the values that the core stores."""
    for member in enum:
        if member.name != member.value:
            raise TypeError(f"{member!r}: its GraphQL name would differ from its value")


_describe(
    EventType,
    "What happened, as recorded.",
    {
        EventType.MESSAGE_SENT: "A user sent a message.",
        EventType.INTENT_CLASSIFIED: "The copilot decided what a message meant.",
        EventType.ACTION_EXECUTED: "A command did what was asked.",
        EventType.ACTION_FAILED: "A command did not do what was asked.",
        EventType.CLARIFICATION_REQUESTED: "The copilot asked back.",
        EventType.STREAMING_STARTED: "A streamed answer began.",
        EventType.STREAMING_COMPLETED: "A streamed answer ended as intended.",
        EventType.STREAMING_INTERRUPTED: "A streamed answer ended early.",
        EventType.MULTI_STEP_STARTED: "A run of several steps began.",
        EventType.MULTI_STEP_COMPLETED: "A run of several steps ended as intended.",
        EventType.MULTI_STEP_FAILED: "A run of several steps failed or ended early.",
        EventType.ERROR_OCCURRED: "An error was reported to the user, or broke the connection.",
        EventType.WEBSOCKET_CONNECTED: "A socket was accepted.",
        EventType.WEBSOCKET_DISCONNECTED: "A socket ended.",
    },
)
_describe(
    Interval,
    "The width of a time series' periods.",
    {
        Interval.HOUR: "One hour, UTC; kept for totals only.",
        Interval.DAY: "One day, UTC.",
        Interval.WEEK: "One ISO week, Monday to Sunday, UTC.",
    },
)
_describe(
    Metric,
    "What a time series shows.",
    {
        Metric.EVENTS: "Events of every type.",
        Metric.ACTIVE_USERS: (
            "Distinct signed-in users; by day and week, not by hour; of intents not kept."
        ),
        Metric.MESSAGES: "Messages that users sent.",
        Metric.EXECUTIONS: "Commands that ran, steps included.",
        Metric.SUCCESSES: "Commands that did what was asked.",
        Metric.FAILURES: "Commands that did not do what was asked.",
        Metric.SUCCESS_RATE: "Commands that did what was asked / commands that ran, 0..1.",
        Metric.AVERAGE_EXECUTION_MS: "How long commands took on average, in milliseconds.",
        Metric.P50_EXECUTION_MS: "How long commands took: the median, in milliseconds, within 2 %.",
        Metric.P95_EXECUTION_MS: (
            "How long commands took: the 95th percentile, in milliseconds, within 2 %."
        ),
        Metric.P99_EXECUTION_MS: (
            "How long commands took: the 99th percentile, in milliseconds, within 2 %."
        ),
        Metric.ERRORS: "Errors.",
        Metric.INTENTS: "Messages whose intent was classified.",
        Metric.CLARIFICATIONS: "Times the copilot asked back.",
        Metric.CLARIFICATION_RATE: (
            "Times the copilot asked back / messages (of one intent: classifications), 0..1."
        ),
        Metric.CONNECTIONS: "Sockets accepted.",
        Metric.DISCONNECTIONS: "Sockets ended.",
        Metric.ANONYMOUS_CONNECTIONS: "Sockets accepted from nobody signed in.",
        Metric.RECONNECTS: "Sockets of users who came back after a lost connection.",
        Metric.AVERAGE_CONNECTION_MS: (
            "How long the sockets that ended had been open on average, in milliseconds."
        ),
        Metric.STREAMS: "Streamed answers that ended.",
        Metric.STREAMS_STARTED: "Streamed answers begun.",
        Metric.STREAMS_COMPLETED: "Streamed answers that ended as intended.",
        Metric.STREAMS_INTERRUPTED: "Streamed answers that ended early.",
        Metric.INTERRUPTION_RATE: "Streamed answers that ended early / that ended, 0..1.",
        Metric.AVERAGE_TTFT_MS: "From message to first content on average, in milliseconds.",
        Metric.P50_TTFT_MS: (
            "From message to first content: the median, in milliseconds, within 2 %."
        ),
        Metric.P95_TTFT_MS: (
            "From message to first content: the 95th percentile, in milliseconds, within 2 %."
        ),
        Metric.P99_TTFT_MS: (
            "From message to first content: the 99th percentile, in milliseconds, within 2 %."
        ),
        Metric.AVERAGE_STREAM_MS: "From a stream's start to its end on average, in milliseconds.",
        Metric.TOKENS: "Tokens that servers reported.",
        Metric.TOKENS_PER_SECOND: "Tokens a second, over the streams that report tokens.",
        Metric.MULTI_STEPS_STARTED: "Runs of several steps begun.",
        Metric.MULTI_STEPS_COMPLETED: "Runs of several steps that ended as intended.",
        Metric.MULTI_STEPS_FAILED: "Runs of several steps that failed or ended early.",
    },
)
_describe(
    SeriesGroup,
    "What a time series is split by.",
    {
        SeriesGroup.COMMAND: "One part a command.",
        SeriesGroup.INTENT: "One part an intent.",
        SeriesGroup.ERROR_TYPE: "One part an error type.",
    },
)
_describe(
    CommandOrder,
    "What commands are ordered by, highest first; ties by name.",
    {
        CommandOrder.EXECUTIONS: "How often they ran.",
        CommandOrder.FAILURES: "How often they did not do what was asked.",
        CommandOrder.LATENCY: "How long they took on average; those whose time is unknown last.",
        CommandOrder.USERS: "How many distinct signed-in users ran them.",
    },
)
_describe(
    IntentOrder,
    "What intents are ordered by, highest first; ties by name.",
    {
        IntentOrder.COUNT: "How often they were classified.",
        IntentOrder.CLARIFICATIONS: "How often the copilot asked back about them.",
        IntentOrder.CLARIFICATION_RATE: "clarifications / count; those never classified last.",
        IntentOrder.FAILURES: "How many commands failed for them.",
    },
)
_describe(
    UserOrder,
    "What users are ordered by, highest or latest first; ties by id.",
    {
        UserOrder.MESSAGES: "Messages sent.",
        UserOrder.EXECUTIONS: "Commands run.",
        UserOrder.FAILURES: "Commands that failed.",
        UserOrder.ERRORS: "Errors met.",
        UserOrder.CONNECTIONS: "Sockets opened.",
        UserOrder.LAST_SEEN: "The last event.",
    },
)
_describe(
    ExportFormat,
    "The format of an export.",
    {
        ExportFormat.JSON: "One document with summary, commands and errors.",
        ExportFormat.CSV: "One table (RFC 4180), or a ZIP archive of all tables.",
        ExportFormat.NDJSON: "Events, oldest first: a JSON object a line.",
        ExportFormat.PARQUET: "Events, oldest first: a table with a column for every key.",
    },
)
_describe(
    ExportSection,
    "The table of a CSV export.",
    {
        ExportSection.COMMANDS: "One row a command.",
        ExportSection.ERRORS: "One row an error pattern.",
    },
)
for _enum in (
    EventType,
    Interval,
    Metric,
    SeriesGroup,
    CommandOrder,
    IntentOrder,
    UserOrder,
    ExportFormat,
    ExportSection,
):
    _check(_enum)
