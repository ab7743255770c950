"""What others read in exports: pandas, DuckDB, LibreOffice find what was stored, or its safe form.

`make interchange` has pandas and DuckDB, in an environment of its own; LibreOffice is taken from
the machine.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from msgspec.structs import replace

from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.exporting import ExportRequest
from copilot_analytics.ndjson import encode_event
from copilot_analytics.queries import ExportFormat, ExportSection
from copilot_analytics.store_samples import sample_events

from .exports import DAYS, busy, exported, stored

duckdb: Any = pytest.importorskip("duckdb", reason="make interchange has it")
pandas: Any = pytest.importorskip("pandas", reason="make interchange has it")

COUNT = 10_000
ODD = (
    '=HYPERLINK("https://example.com")',
    "+1+1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "a,b;c",
    'say "hello"',
    "two\nlines",
    "carriage\rreturn",
    "résumé 🚀 漢字",
    "'quoted",
    " spaces ",
    "=1\n+2",
    "NaN",
    "null",
    "007",
    "1e5",
)


def names(count: int) -> list[str]:
    """Return names of which the first are odd."""
    return [*ODD, *(f"command {number:05d}" for number in range(count - len(ODD)))]


def named(count: int) -> list[AnalyticsEvent]:
    """Return events of so many commands and as many error patterns, with such names."""
    wanted = names(count)
    commands, errors = (busy(count, count)[each] for each in (slice(0, count), slice(count, None)))
    return [
        *(
            replace(event, metadata={**event.metadata, "command_name": name})
            for event, name in zip(commands, wanted, strict=True)
        ),
        *(
            replace(event, metadata={**event.metadata, "error_message": name})
            for event, name in zip(errors, wanted, strict=True)
        ),
    ]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of 10,000 commands and as many error patterns."""
    folder = tmp_path_factory.mktemp("tables")
    store = stored(named(COUNT))
    for section in ExportSection:
        request = ExportRequest(DAYS, ExportFormat.CSV, section)
        (folder / f"{section.value.lower()}.csv").write_bytes(exported(store, request))
    document = exported(store, ExportRequest(DAYS, ExportFormat.JSON))
    (folder / "all.json").write_bytes(document)
    return folder


def safe(name: str) -> str:
    """Return a name as docs/exports.md says that a cell has it."""
    bare = name.lstrip("'")
    return f"'{name}" if bare.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else name


EXPECTED = sorted(map(safe, names(COUNT)))


@pytest.mark.parametrize(("table", "column"), [("commands", "name"), ("errors", "message")])
def test_pandas_and_duckdb_read_every_row_of_a_csv(table: str, column: str, tables: Path) -> None:
    path = tables / f"{table}.csv"
    frame = pandas.read_csv(path, dtype={column: str}, keep_default_na=False)
    rows = duckdb.sql(
        f"SELECT {column} FROM read_csv('{path}', header = true, all_varchar = true, "
        "quote = '\"', escape = '\"', delim = ',')"
    ).fetchall()

    assert sorted(frame[column]) == EXPECTED
    assert sorted(row[0] for row in rows) == EXPECTED


def test_pandas_and_duckdb_read_the_json(tables: Path) -> None:
    document = json.loads((tables / "all.json").read_text())
    frame = pandas.DataFrame(document["commands"])
    rows = duckdb.sql(
        f"SELECT unnest(commands).name FROM read_json('{tables / 'all.json'}', "
        "maximum_object_size = 100000000)"
    ).fetchall()

    assert sorted(frame["name"]) == sorted(names(COUNT))
    assert sorted(row[0] for row in rows) == sorted(names(COUNT))
    assert len(document["errors"]) == COUNT


@pytest.mark.parametrize(("table", "column"), [("commands", "name"), ("errors", "message")])
def test_libreoffice_reads_every_row_and_runs_nothing(
    table: str,
    column: str,
    tables: Path,
    tmp_path: Path,
    leave_out: Callable[[str], NoReturn],
) -> None:
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        leave_out(
            "CSV was not read by LibreOffice: install it (Debian: apt install "
            "libreoffice-calc-nogui)"
        )
    # Comma, double quote, UTF-8, from the first line, all columns as text; and back to CSV.
    columns = "/".join(f"{number}/2" for number in range(1, 10))
    subprocess.run(
        [
            program,
            "--headless",
            f"-env:UserInstallation=file://{tmp_path}/profile",
            f"--infilter=CSV:44,34,76,1,{columns}",
            "--convert-to",
            "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false",
            "--outdir",
            str(tmp_path),
            str(tables / f"{table}.csv"),
        ],
        check=True,
        capture_output=True,
    )
    with (tmp_path / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        read = [row[column] for row in csv.DictReader(file)]

    # It ends every line of a cell alike.
    assert sorted(read) == sorted(name.replace("\r", "\n") for name in EXPECTED)


def test_pandas_and_duckdb_read_equal_events(tmp_path: Path) -> None:
    events = sample_events(5_000)
    store = stored(events)
    paths = {}
    for format in (ExportFormat.NDJSON, ExportFormat.PARQUET):
        paths[format] = tmp_path / f"events.{format.value.lower()}"
        paths[format].write_bytes(exported(store, ExportRequest(DAYS, format)))
    ndjson, parquet = paths.values()
    written = [json.loads(line) for line in ndjson.read_text().splitlines()]
    lines = {encode_event(event).decode().strip() for event in events}
    assert lines == set(ndjson.read_text().splitlines())
    assert len(written) == len(events)

    by_pandas = pandas.read_parquet(parquet)
    assert list(by_pandas["eventId"]) == [each["eventId"] for each in written]
    stamps = by_pandas["timestamp"].astype("int64").tolist()
    assert stamps == [each["timestamp"] for each in written]
    by_line = pandas.read_json(io.StringIO(ndjson.read_text()), lines=True)
    assert list(by_line["eventId"]) == [each["eventId"] for each in written]

    for key in ("commandName", "executionMs", "connectionMs", "errorMessage", "endReason"):
        rows = duckdb.sql(f"SELECT {key} FROM '{parquet}'").fetchall()
        assert [row[0] for row in rows] == [each.get("metadata", {}).get(key) for each in written]
        nested = duckdb.sql(
            f"SELECT metadata.{key} FROM read_json('{ndjson}', format = 'newline_delimited', "
            "sample_size = -1)"
        ).fetchall()
        assert [row[0] for row in nested] == [each.get("metadata", {}).get(key) for each in written]
