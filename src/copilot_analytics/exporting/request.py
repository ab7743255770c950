"""What is asked for: the days, the format, and what some formats take besides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from ..errors import QuestionError
from ..event_log import EventPosition
from ..periods import DateRange
from ..queries import ExportFormat, ExportSection

__all__ = ["ExportRequest", "table_name"]

_HOLDS = {
    ExportFormat.JSON: "JSON holds every section",
    ExportFormat.NDJSON: "NDJSON holds events",
    ExportFormat.PARQUET: "Parquet holds events",
}

_TYPES = {
    ExportFormat.JSON: "application/json",
    ExportFormat.CSV: "text/csv; charset=utf-8; header=present",
    ExportFormat.NDJSON: "application/x-ndjson",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """An export, as it is asked for.

    Attributes:
        range: the days.
        format: the file's format.
        section: the one table of a CSV; None for a ZIP archive of all tables.
        byte_order_mark: whether a CSV begins with one, which makes Excel read it as UTF-8.
        after: only events after this place; NDJSON only, for a download that broke off.

    Raises:
        QuestionError: the format does not take one of these.
    """

    range: DateRange
    format: ExportFormat
    section: ExportSection | None = None
    byte_order_mark: bool = field(default=False, kw_only=True)
    after: EventPosition | None = field(default=None, kw_only=True)

    @property
    def filename(self) -> str:
        """The file's name, ASCII, without path."""
        days = f"{self.range.first_day}_{self.range.last_day}"
        match self.format:
            case ExportFormat.CSV if self.section is not None:
                return table_name(self.range, self.section)
            case ExportFormat.CSV:
                return f"copilot-analytics-{days}.zip"
            case ExportFormat.JSON:
                return f"copilot-analytics-{days}.json"
            case ExportFormat.NDJSON | ExportFormat.PARQUET:
                return f"copilot-analytics-events-{days}.{self.format.value.lower()}"
            case _:
                assert_never(self.format)

    @property
    def content_type(self) -> str:
        """The file's MIME type."""
        if self.format is ExportFormat.CSV and self.section is None:
            return "application/zip"
        return _TYPES[self.format]

    @property
    def is_text(self) -> bool:
        """Whether it is a text of the size of what is counted, not of the number of events."""
        return self.format is ExportFormat.JSON or self.section is not None

    def __post_init__(self) -> None:
        holds = _HOLDS.get(self.format)
        if self.section is not None and holds is not None:
            raise QuestionError("section", self.section.value, f"leave it out: {holds}")
        if self.byte_order_mark and self.format is not ExportFormat.CSV:
            raise QuestionError("byte_order_mark", True, "leave it out: only a CSV may have one")
        if self.after is not None and self.format is not ExportFormat.NDJSON:
            raise QuestionError(
                "after", str(self.after.timestamp), "leave it out: only NDJSON can be gone on with"
            )


def table_name(days: DateRange, section: ExportSection) -> str:
    """Return the name of the CSV file with a table."""
    return f"copilot-analytics-{section.value.lower()}-{days.first_day}_{days.last_day}.csv"
