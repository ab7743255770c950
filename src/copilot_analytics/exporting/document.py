"""The JSON export: one document, written as its rows come, one row a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from ..periods import DateRange
from ..queries import Comparison, ErrorPattern, PopularCommand, Summary
from .columns import COMMANDS, ERRORS, MEASURES, Columns

__all__ = ["render_document"]

_Row = TypeVar("_Row")

_encode = msgspec.json.Encoder().encode


def render_document(
    range: DateRange,
    now_ms: int,
    summary: Summary,
    commands: Iterable[PopularCommand],
    errors: Iterable[ErrorPattern],
) -> Iterator[bytes]:
    """Yield the document in pieces.

    Args:
        range: the days it is about.
        now_ms: the export's date, epoch milliseconds, UTC.
        summary: totals and comparisons.
        commands: one row each, in the order given.
        errors: one row each, in the order given.
    """
    exported = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
    head = {
        "period": {"start": range.first_day, "end": range.last_day},
        "exportDate": exported.replace("+00:00", "Z"),
        "summary": _summary(summary),
    }
    # Without the brace that ends it: more follows.
    yield msgspec.json.format(_encode(head), indent=2)[:-2]
    yield from _rows("commands", COMMANDS, commands)
    yield from _rows("errors", ERRORS, errors)
    yield b"\n}\n"


def _rows(name: str, columns: Columns[_Row], rows: Iterable[_Row]) -> Iterator[bytes]:
    yield b',\n  "%b": [' % name.encode()
    before = b"\n    "
    for row in rows:
        yield before + _encode({column: cell(row) for column, cell in columns})
        before = b",\n    "
    yield b"]" if before == b"\n    " else b"\n  ]"


def _summary(summary: Summary) -> dict[str, Any]:
    previous = summary.previous
    measures: dict[str, Any] = {
        name: _comparison(
            Comparison(measure(summary.totals), None if previous is None else measure(previous))
        )
        for name, measure in MEASURES
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
