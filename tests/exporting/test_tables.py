from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_analytics.exporting.columns import COMMANDS, ERRORS
from copilot_analytics.exporting.tables import render_archive, render_table, safe_cell
from copilot_analytics.queries import PopularCommand

from .exports import COMMAND, EXPORTED_MS, PATTERN

STARTS = list("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def table(rows: Iterable[PopularCommand]) -> str:
    return b"".join(render_table(COMMANDS, rows)).decode()


def test_commands_are_one_clean_table() -> None:
    assert table([COMMAND]) == (
        "name,executions,successes,failures,successRate,averageMs,lastExecuted\r\n"
        "open_ticket,4,3,1,0.75,12.5,1795500000000\r\n"
    )


def test_errors_quote_text_and_name_no_user() -> None:
    text = b"".join(render_table(ERRORS, [PATTERN])).decode()

    assert text.splitlines()[1] == (
        'v1-abc,ValueError,"no ""<string>"", sorry",2,9,1790000000000,1795500000000,2'
    )
    assert "ada" not in text


def test_a_cell_without_samples_is_empty() -> None:
    never_timed = replace(COMMAND, average_ms=None, success_rate=None)

    assert table([never_timed]).splitlines()[1] == "open_ticket,4,3,1,,,1795500000000"


def test_a_byte_order_mark_is_there_on_request_only() -> None:
    marked = b"".join(render_table(COMMANDS, [COMMAND], byte_order_mark=True))

    assert marked == b"\xef\xbb\xbf" + table([COMMAND]).encode()


@pytest.mark.parametrize("start", STARTS)
def test_text_that_starts_like_a_formula_is_disarmed(start: str) -> None:
    row = replace(COMMAND, name=f"{start}cmd|'/c calc'!A0")

    cells = list(csv.reader(io.StringIO(table([row]), newline="")))

    assert cells[1][0] == f"'{row.name}"


@pytest.mark.parametrize("cell", [-5, -0.5, 0, None, "plain", "a=b", "1+1", "it's", "'quoted'", ""])
def test_numbers_and_harmless_text_stay_as_they_are(cell: str | float | None) -> None:
    assert safe_cell(cell) == cell


@given(st.text(st.sampled_from(["'", *STARTS, "a", " "]), max_size=4))
def test_what_was_disarmed_can_be_told_and_undone(text: str) -> None:
    """No two texts become one: an apostrophe before `'*` and a formula's start is ours."""
    safe = safe_cell(text)

    assert isinstance(safe, str)
    assert not safe.startswith(tuple(STARTS))
    stripped = safe.lstrip("'")
    ours = safe.startswith("'") and stripped.startswith(tuple(STARTS))
    assert (safe[1:] if ours else safe) == text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
@settings(max_examples=50)
def test_it_reads_back_as_what_was_written(name: str) -> None:
    """Whatever a name holds, a CSV reader sees the same number of cells and the same text."""
    text = table([replace(COMMAND, name=name), COMMAND])

    header, first, second = csv.reader(io.StringIO(text, newline=""))
    assert first[0] in {name, f"'{name}"}
    assert len(header) == len(first) == len(second)


def test_an_archive_holds_each_table_as_a_file() -> None:
    rows = [replace(COMMAND, name=f"command {number}") for number in range(5_000)]
    files = {
        "commands.csv": render_table(COMMANDS, rows),
        "errors.csv": render_table(ERRORS, [PATTERN]),
    }

    pieces = list(render_archive(files, EXPORTED_MS))

    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    assert archive.namelist() == ["commands.csv", "errors.csv"]
    assert archive.getinfo("errors.csv").date_time == (2026, 11, 25, 9, 46, 40)
    assert archive.read("commands.csv").decode() == table(rows)
    assert max(map(len, pieces)) < 200_000, "it comes in pieces"
