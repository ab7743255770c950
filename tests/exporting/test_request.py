from __future__ import annotations

from typing import Any

import pytest

from copilot_analytics.errors import QuestionError
from copilot_analytics.event_log import EventPosition
from copilot_analytics.exporting import ExportRequest, parse_position, position_text
from copilot_analytics.queries import ExportFormat, ExportSection

from .exports import RANGE

F = ExportFormat


@pytest.mark.parametrize(
    ("format", "section", "filename", "content_type"),
    [
        (F.JSON, None, "copilot-analytics-2026-10-27_2026-11-25.json", "application/json"),
        (
            F.CSV,
            ExportSection.COMMANDS,
            "copilot-analytics-commands-2026-10-27_2026-11-25.csv",
            "text/csv; charset=utf-8; header=present",
        ),
        (
            F.CSV,
            ExportSection.ERRORS,
            "copilot-analytics-errors-2026-10-27_2026-11-25.csv",
            "text/csv; charset=utf-8; header=present",
        ),
        (F.CSV, None, "copilot-analytics-2026-10-27_2026-11-25.zip", "application/zip"),
        (
            F.NDJSON,
            None,
            "copilot-analytics-events-2026-10-27_2026-11-25.ndjson",
            "application/x-ndjson",
        ),
        (
            F.PARQUET,
            None,
            "copilot-analytics-events-2026-10-27_2026-11-25.parquet",
            "application/vnd.apache.parquet",
        ),
    ],
)
def test_a_file_says_what_it_holds(
    format: F, section: ExportSection | None, filename: str, content_type: str
) -> None:
    request = ExportRequest(RANGE, format, section)

    assert (request.filename, request.content_type) == (filename, content_type)


@pytest.mark.parametrize(
    ("format", "options", "argument"),
    [
        (F.JSON, {"section": ExportSection.ERRORS}, "section"),
        (F.NDJSON, {"section": ExportSection.ERRORS}, "section"),
        (F.PARQUET, {"section": ExportSection.COMMANDS}, "section"),
        (F.JSON, {"byte_order_mark": True}, "byte_order_mark"),
        (F.PARQUET, {"byte_order_mark": True}, "byte_order_mark"),
        (F.CSV, {"after": EventPosition(1, "a")}, "after"),
        (F.PARQUET, {"after": EventPosition(1, "a")}, "after"),
    ],
)
def test_what_a_format_does_not_take_is_refused(
    format: F, options: dict[str, Any], argument: str
) -> None:
    with pytest.raises(QuestionError, match="leave it out") as refused:
        ExportRequest(RANGE, format, **options)

    assert refused.value.argument == argument


@pytest.mark.parametrize("event_id", ["01KAXW4E00ABCDEFGHJKMNPQRS", "a:b", "-", "é 🚀", "a\nb"])
def test_a_position_survives_as_text(event_id: str) -> None:
    position = EventPosition(1_764_072_000_000, event_id)

    assert parse_position(position_text(position)) == position


@pytest.mark.parametrize(
    "text", ["", ":", "1:", ":a", "a:b", "1.5:a", "9" * 40 + ":a", "1:" + "a" * 300]
)
def test_what_is_no_position_is_refused_with_what_to_give(text: str) -> None:
    with pytest.raises(QuestionError, match="TIMESTAMP:EVENT_ID of the last line") as refused:
        parse_position(text)

    assert len(str(refused.value)) < 300
