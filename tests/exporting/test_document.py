from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from copilot_analytics.exporting.document import render_document
from copilot_analytics.queries import ErrorPattern, ErrorTypeCount, PopularCommand, Summary

from .exports import COMMAND, EXPORTED_MS, NOTHING, PATTERN, RANGE


def document(
    summary: Summary | None = None,
    commands: Sequence[PopularCommand] = (COMMAND,),
    errors: Sequence[ErrorPattern] = (PATTERN,),
) -> dict[str, Any]:
    pieces = render_document(
        RANGE, EXPORTED_MS, summary or Summary(NOTHING, None, (), None), commands, errors
    )
    text = b"".join(pieces)
    assert text.endswith(b"}\n")
    read: dict[str, Any] = json.loads(text)
    return read


def test_it_holds_everything_in_camel_case() -> None:
    now = replace(NOTHING, executions=4, failures=1, success_rate=0.75)
    before = replace(NOTHING, executions=2)
    summary = Summary(
        now,
        before,
        (ErrorTypeCount("ValueError", 2), ErrorTypeCount("KeyError", 1)),
        (ErrorTypeCount("ValueError", 5),),
    )

    read = document(summary, [COMMAND, replace(COMMAND, name='a "b"')])

    assert list(read) == ["period", "exportDate", "summary", "commands", "errors"]
    assert read["period"] == {"start": "2026-10-27", "end": "2026-11-25"}
    assert read["exportDate"] == "2026-11-25T09:46:40.123Z"
    assert [row["name"] for row in read["commands"]] == ["open_ticket", 'a "b"']
    assert read["commands"][0]["successRate"] == 0.75
    assert read["errors"][0]["errorType"] == "ValueError"
    assert "ada" not in json.dumps(read)
    assert read["summary"]["executions"] == {"value": 4, "previous": 2, "changeRatio": 1.0}
    assert read["summary"]["successRate"] == {
        "value": 0.75,
        "previous": None,
        "changeRatio": None,
    }
    assert read["summary"]["errorsByType"] == [
        {"errorType": "ValueError", "count": 2, "previous": 5},
        {"errorType": "KeyError", "count": 1, "previous": 0},
    ]


def test_it_says_null_without_samples_and_zero_where_nothing_happened() -> None:
    read = document(commands=[], errors=[])

    assert (read["commands"], read["errors"]) == ([], [])
    summary = read["summary"]
    assert summary["executions"] == {"value": 0, "previous": None, "changeRatio": None}
    assert summary["p95Ms"] == {"value": None, "previous": None, "changeRatio": None}
