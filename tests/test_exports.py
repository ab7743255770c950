from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics.errors import QuestionError
from copilot_analytics.exports import render_export
from copilot_analytics.periods import DateRange
from copilot_analytics.queries import (
    ActivityTotals,
    DistinctUsers,
    ErrorPattern,
    ErrorTypeCount,
    Export,
    ExportFormat,
    ExportSection,
    Latency,
    PopularCommand,
    Summary,
)

RANGE = DateRange.of("2026-10-27", "2026-11-25", now_ms=0)
NOW_MS = 1_795_600_000_123
EMPTY = ActivityTotals(
    events={},
    executions=0,
    successes=0,
    failures=0,
    success_rate=None,
    execution=Latency(),
    messages=0,
    errors=0,
    active_users=DistinctUsers(0, exact=True),
    connections=0,
    anonymous_connections=0,
    reconnects=0,
    connection=Latency(),
    close_codes={},
    streams=0,
    stream_ends={},
    interruption_rate=None,
    ttft=Latency(),
    stream_duration=Latency(),
    tokens=0,
    tokens_per_second=None,
    clarifications=0,
    clarification_rate=None,
)
COMMAND = PopularCommand("open_ticket", 4, 3, 1, 0.75, 12.5, 1_795_500_000_000)
PATTERN = ErrorPattern(
    fingerprint="v1-abc",
    error_type="ValueError",
    message='no "<string>", sorry',
    count=2,
    total_count=9,
    first_occurrence=1_790_000_000_000,
    last_occurrence=1_795_500_000_000,
    affected_users=DistinctUsers(2, exact=True),
    affected_user_ids=("ada", "bob"),
)


def export(
    format: ExportFormat,
    section: ExportSection | None = None,
    *,
    summary: Summary | None = None,
    commands: tuple[PopularCommand, ...] = (COMMAND,),
    errors: tuple[ErrorPattern, ...] = (PATTERN,),
) -> Export:
    return render_export(
        range=RANGE,
        summary=summary or Summary(EMPTY, None, (), None),
        commands=commands,
        errors=errors,
        format=format,
        section=section,
        now_ms=NOW_MS,
    )


def test_csv_of_commands_is_one_clean_table() -> None:
    file = export(ExportFormat.CSV, ExportSection.COMMANDS)

    assert file.filename == "copilot-analytics-commands-2026-10-27_2026-11-25.csv"
    assert file.content_type == "text/csv; charset=utf-8; header=present"
    assert file.content == (
        "name,executions,successes,failures,successRate,averageMs,lastExecuted\r\n"
        "open_ticket,4,3,1,0.75,12.5,1795500000000\r\n"
    )


def test_csv_of_errors_quotes_text_and_names_no_user() -> None:
    file = export(ExportFormat.CSV, ExportSection.ERRORS)

    assert file.filename == "copilot-analytics-errors-2026-10-27_2026-11-25.csv"
    assert file.content.splitlines()[1] == (
        'v1-abc,ValueError,"no ""<string>"", sorry",2,9,1790000000000,1795500000000,2'
    )
    assert "ada" not in file.content


def test_csv_leaves_a_cell_without_samples_empty() -> None:
    never_timed = replace(COMMAND, average_ms=None, success_rate=None)

    file = export(ExportFormat.CSV, ExportSection.COMMANDS, commands=(never_timed,))

    assert file.content.splitlines()[1] == "open_ticket,4,3,1,,,1795500000000"


@pytest.mark.parametrize("start", list("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))
def test_csv_disarms_text_that_starts_like_a_formula(start: str) -> None:
    row = replace(COMMAND, name=f"{start}cmd|'/c calc'!A0")

    file = export(ExportFormat.CSV, ExportSection.COMMANDS, commands=(row,))

    cells = list(csv.reader(io.StringIO(file.content, newline="")))
    assert cells[1][0] == f"'{row.name}"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_csv_reads_back_as_what_was_written(name: str) -> None:
    """Whatever a name holds, a CSV reader sees the same number of cells and the same text."""
    row = replace(COMMAND, name=name)

    file = export(ExportFormat.CSV, ExportSection.COMMANDS, commands=(row, COMMAND))

    header, first, second = csv.reader(io.StringIO(file.content, newline=""))
    assert first[0] in {name, f"'{name}"}
    assert len(header) == len(first) == len(second)


def test_json_holds_everything_in_camel_case() -> None:
    now = replace(EMPTY, executions=4, failures=1, success_rate=0.75)
    before = replace(EMPTY, executions=2)
    summary = Summary(
        now,
        before,
        (ErrorTypeCount("ValueError", 2), ErrorTypeCount("KeyError", 1)),
        (ErrorTypeCount("ValueError", 5),),
    )

    file = export(ExportFormat.JSON, summary=summary)

    document = json.loads(file.content)
    assert file.filename == "copilot-analytics-2026-10-27_2026-11-25.json"
    assert file.content_type == "application/json"
    assert list(document) == ["period", "exportDate", "summary", "commands", "errors"]
    assert document["period"] == {"start": "2026-10-27", "end": "2026-11-25"}
    assert document["exportDate"] == "2026-11-25T09:46:40.123Z"
    assert document["commands"][0]["successRate"] == 0.75
    assert document["errors"][0]["errorType"] == "ValueError"
    assert document["summary"]["executions"] == {"value": 4, "previous": 2, "changeRatio": 1.0}
    assert document["summary"]["successRate"] == {
        "value": 0.75,
        "previous": None,
        "changeRatio": None,
    }
    assert document["summary"]["errorsByType"] == [
        {"errorType": "ValueError", "count": 2, "previous": 5},
        {"errorType": "KeyError", "count": 1, "previous": 0},
    ]


def test_json_says_null_without_samples_and_zero_where_nothing_happened() -> None:
    summary = json.loads(export(ExportFormat.JSON).content)["summary"]

    assert summary["executions"] == {"value": 0, "previous": None, "changeRatio": None}
    assert summary["p95Ms"] == {"value": None, "previous": None, "changeRatio": None}


def test_csv_without_a_section_is_refused_with_what_to_do() -> None:
    with pytest.raises(QuestionError, match="give COMMANDS or ERRORS"):
        export(ExportFormat.CSV)


def test_json_with_a_section_is_refused_with_what_to_do() -> None:
    with pytest.raises(QuestionError, match="leave it out"):
        export(ExportFormat.JSON, ExportSection.ERRORS)
