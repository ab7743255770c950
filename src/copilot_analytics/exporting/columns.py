"""The columns of commands, error patterns and summary, by their names outside Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..queries import ActivityTotals, ErrorPattern, PopularCommand

__all__ = ["COMMANDS", "ERRORS", "MEASURES", "Cell", "Columns"]

_Row = TypeVar("_Row")

Cell = str | int | float | None
Columns = tuple[tuple[str, Callable[[_Row], Cell]], ...]
"""The names of a table's columns, in order, and what stands in each."""

COMMANDS: Columns[PopularCommand] = (
    ("name", lambda row: row.name),
    ("executions", lambda row: row.executions),
    ("successes", lambda row: row.successes),
    ("failures", lambda row: row.failures),
    ("successRate", lambda row: row.success_rate),
    ("averageMs", lambda row: row.average_ms),
    ("lastExecuted", lambda row: row.last_executed),
)

ERRORS: Columns[ErrorPattern] = (
    ("fingerprint", lambda row: row.fingerprint),
    ("errorType", lambda row: row.error_type),
    ("message", lambda row: row.message),
    ("count", lambda row: row.count),
    ("totalCount", lambda row: row.total_count),
    ("firstOccurrence", lambda row: row.first_occurrence),
    ("lastOccurrence", lambda row: row.last_occurrence),
    ("affectedUsers", lambda row: row.affected_users.count),
)

MEASURES: tuple[tuple[str, Callable[[ActivityTotals], float | None]], ...] = (
    ("executions", lambda totals: totals.executions),
    ("failures", lambda totals: totals.failures),
    ("successRate", lambda totals: totals.success_rate),
    ("averageMs", lambda totals: totals.execution.average_ms),
    ("p50Ms", lambda totals: totals.execution.p50_ms),
    ("p95Ms", lambda totals: totals.execution.p95_ms),
    ("p99Ms", lambda totals: totals.execution.p99_ms),
    ("messages", lambda totals: totals.messages),
    ("errors", lambda totals: totals.errors),
    ("activeUsers", lambda totals: totals.active_users.count),
    ("connections", lambda totals: totals.connections),
    ("streams", lambda totals: totals.streams),
    ("interruptionRate", lambda totals: totals.interruption_rate),
    ("averageTtftMs", lambda totals: totals.ttft.average_ms),
    ("clarifications", lambda totals: totals.clarifications),
    ("clarificationRate", lambda totals: totals.clarification_rate),
)
