"""Exports: the commands, the error patterns and the summary of a range, as one JSON or CSV file.

Pure functions over the answers' value objects. Names are camelCase as everywhere outside Python,
rates are 0..1, durations are milliseconds, instants are epoch milliseconds (UTC), and a rate or
time without samples is null (JSON) or an empty cell (CSV).

CSV follows RFC 4180: one table with a header row, CRLF, quoted where needed, UTF-8. Cells of text
that a spreadsheet would run as a formula get a leading apostrophe; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from .errors import QuestionError
from .periods import DateRange
from .queries import (
    ActivityTotals,
    Comparison,
    ErrorPattern,
    Export,
    ExportFormat,
    ExportSection,
    PopularCommand,
    Summary,
)

__all__ = ["render_export"]

_Row = TypeVar("_Row")
_Cell = str | int | float | None
_Columns = tuple[tuple[str, Callable[[_Row], _Cell]], ...]

# A cell that starts with one of these is a formula to Excel, LibreOffice or Google Sheets, the
# full-width forms in East Asian locales too.
_FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")

_COMMAND_COLUMNS: _Columns[PopularCommand] = (
    ("name", lambda row: row.name),
    ("executions", lambda row: row.executions),
    ("successes", lambda row: row.successes),
    ("failures", lambda row: row.failures),
    ("successRate", lambda row: row.success_rate),
    ("averageMs", lambda row: row.average_ms),
    ("lastExecuted", lambda row: row.last_executed),
)

_ERROR_COLUMNS: _Columns[ErrorPattern] = (
    ("fingerprint", lambda row: row.fingerprint),
    ("errorType", lambda row: row.error_type),
    ("message", lambda row: row.message),
    ("count", lambda row: row.count),
    ("totalCount", lambda row: row.total_count),
    ("firstOccurrence", lambda row: row.first_occurrence),
    ("lastOccurrence", lambda row: row.last_occurrence),
    ("affectedUsers", lambda row: row.affected_users.count),
)

_MEASURES: tuple[tuple[str, Callable[[ActivityTotals], float | None]], ...] = (
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


def render_export(
    *,
    range: DateRange,
    summary: Summary,
    commands: Sequence[PopularCommand],
    errors: Sequence[ErrorPattern],
    format: ExportFormat,
    section: ExportSection | None,
    now_ms: int,
) -> Export:
    """Return the file of a range.

    Args:
        range: the days it is about; they are in its name.
        summary: its totals and comparisons (JSON only).
        commands: one row each, in the order given.
        errors: one row each, in the order given.
        format: JSON holds everything, CSV one table.
        section: the table of a CSV; None for JSON.
        now_ms: the export's date, epoch milliseconds, UTC.

    Raises:
        QuestionError: a CSV without a section, or JSON with one.
    """
    if format is ExportFormat.JSON:
        if section is not None:
            raise QuestionError("section", section.value, "leave it out: JSON holds every section")
        return Export(
            f"copilot-analytics-{_days(range)}.json",
            "application/json",
            _json(range, summary, commands, errors, now_ms),
        )
    if section is None:
        raise QuestionError("section", section, "a CSV holds one table: give COMMANDS or ERRORS")
    return Export(
        f"copilot-analytics-{section.value.lower()}-{_days(range)}.csv",
        "text/csv; charset=utf-8; header=present",
        _csv(_COMMAND_COLUMNS, commands)
        if section is ExportSection.COMMANDS
        else _csv(_ERROR_COLUMNS, errors),
    )


def _days(range: DateRange) -> str:
    return f"{range.first_day}_{range.last_day}"


def _json(
    range: DateRange,
    summary: Summary,
    commands: Sequence[PopularCommand],
    errors: Sequence[ErrorPattern],
    now_ms: int,
) -> str:
    exported = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
    document = {
        "period": {"start": range.first_day, "end": range.last_day},
        "exportDate": exported.replace("+00:00", "Z"),
        "summary": _summary(summary),
        "commands": [{name: cell(row) for name, cell in _COMMAND_COLUMNS} for row in commands],
        "errors": [{name: cell(row) for name, cell in _ERROR_COLUMNS} for row in errors],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _summary(summary: Summary) -> dict[str, Any]:
    previous = summary.previous
    measures: dict[str, Any] = {
        name: _comparison(
            Comparison(measure(summary.totals), None if previous is None else measure(previous))
        )
        for name, measure in _MEASURES
    }
    before = summary.previous_errors_by_type
    counts = {entry.error_type: entry.count for entry in before or ()}
    measures["errorsByType"] = [
        {
            "errorType": entry.error_type,
            "count": entry.count,
            "previous": None if before is None else counts.get(entry.error_type, 0),
        }
        for entry in summary.errors_by_type
    ]
    return measures


def _comparison(comparison: Comparison) -> dict[str, float | None]:
    return {
        "value": comparison.value,
        "previous": comparison.previous,
        "changeRatio": comparison.change_ratio,
    }


def _csv(columns: _Columns[_Row], rows: Sequence[_Row]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(name for name, _ in columns)
    writer.writerows([_safe(cell(row)) for _, cell in columns] for row in rows)
    return text.getvalue()


def _safe(cell: _Cell) -> _Cell:
    """Return a cell that no spreadsheet runs: only text can start a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
