"""`copilot-analytics import`, run as users run it."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from copilot_analytics.periods import DAY_MS, day_of
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_table import definition

from ..importing import original
from ..stores.dynamodb_engines import Engine
from .conftest import SCRIPT, Run, Start

_NOW_MS = time.time_ns() // 1_000_000


def _lines(path: Path, count: int) -> Path:
    path.write_text(
        "".join(
            f'{{"eventType":"MESSAGE_SENT","userId":"u{n % 50}",'
            f'"timestamp":{_NOW_MS - DAY_MS + n},"eventId":"e{n}"}}\n'
            for n in range(count)
        )
    )
    return path


def _old_items() -> list[dict[str, Any]]:
    day = day_of(_NOW_MS)
    metadata = {"commandName": "search", "executionTime": 3}
    return [
        *(original.event(n, "ACTION_EXECUTED", "ada", _NOW_MS - n, metadata) for n in range(2)),
        original.command("search", day, 5, 1, 90, _NOW_MS),
        original.error("Timeout", "h", "late", 3, _NOW_MS - DAY_MS, _NOW_MS, ["ada"]),
        {"PK": "CONFIG#all", "SK": "1"},
    ]


def _stored(database: Path) -> int:
    """Return how many events a file has; 0 as long as it is not one."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def test_a_file_is_imported_and_the_report_told(run: Run, tmp_path: Path) -> None:
    """Into the default store, in words; a second run says that there is nothing to do."""
    _lines(tmp_path / "events.ndjson", 60)

    first = run("import", "events.ndjson")
    second = run("import", "events.ndjson")

    assert (first.returncode, first.stderr) == (0, "")
    assert "60 read, 60 written: 60 events of 1 days" in first.stdout
    assert second.returncode == 0
    assert "imported before" in second.stdout
    assert run("rollups", "verify").returncode == 0


def test_the_report_comes_as_json_and_bad_lines_as_status_1(run: Run, tmp_path: Path) -> None:
    """With the number and reason of each, and no word of it."""
    path = _lines(tmp_path / "events", 3)
    path.write_text(path.read_text() + "secret\n")

    done = run("import", "events", "--json")

    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert (report["read"], report["written"], report["finished"]) == (4, 3, True)
    assert report["badLines"] == [{"line": 4, "reason": "not_json"}]
    assert "secret" not in done.stdout + done.stderr


def test_a_dry_run_and_standard_input(
    run: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    """The one writes nothing, the other needs no file."""
    path = _lines(tmp_path / "events", 20)
    assert "20 to be written" in run("import", "events", "--dry-run").stdout
    assert _stored(tmp_path / "copilot-analytics.db") == 0

    with path.open() as lines:
        subprocess.run(
            [SCRIPT, "import", "-"], stdin=lines, env=environment, cwd=tmp_path, check=True
        )

    assert _stored(tmp_path / "copilot-analytics.db") == 20


def test_mistakes_are_one_sentence_each(run: Run, tmp_path: Path) -> None:
    """With status 2, what to do, and no traceback."""
    _lines(tmp_path / "events", 2)
    assert run("import", "events", "--store", "sqlite:///own.db").returncode == 0
    for arguments, said in (
        (["missing"], "cannot be read"),
        (["ftp://me:password@host/x"], "SOURCE cannot be"),
        (["events", "--from", "yesterday"], "give a date as YYYY-MM-DD"),
        (["events", "--from", "2026-02-01", "--to", "2026-01-01"], "swap them"),
        (["own.db", "--store", "sqlite:///own.db"], "the store that it was to be imported into"),
        (["sqlite:///events"], "no SQLite database"),
        (
            [
                "dynamodb://table1?region=eu-central-1",
                "--store",
                "dynamodb://table1?region=eu-central-1",
            ],
            "the store that it was to be imported into",
        ),
    ):
        done = run("import", *arguments, AWS_DEFAULT_REGION="eu-central-1")
        assert done.returncode == 2, arguments
        assert said in done.stderr
        assert done.stderr.startswith("copilot-analytics: ")
        assert done.stderr.count("\n") == 1
        assert "password" not in done.stderr


def test_ctrl_c_leaves_what_can_be_gone_on_with(run: Run, start: Start, tmp_path: Path) -> None:
    """It says how, and the same command goes on."""
    _lines(tmp_path / "events", 40_000)
    database = tmp_path / "copilot-analytics.db"

    process = start("import", "events")
    deadline = time.monotonic() + 60
    while not _stored(database) and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it was interrupted"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Run the same command again to go on" in output
    assert "Traceback" not in output
    assert 0 < _stored(database) < 40_000
    assert "40,000 read, 40,000 written" in run("import", "events").stdout
    assert _stored(database) == 40_000


def test_an_original_table_goes_into_a_new_one(engine: Engine, run: Run) -> None:
    """Told apart from a table of ours, which goes into a file; never in place."""
    old, new = (
        DynamoDBClient(engine.new_table_name(), endpoint_url=engine.endpoint_url) for _ in range(2)
    )
    with closing(old), closing(new):
        original.fill(old, _old_items())
        new.call("CreateTable", definition(new.table))
    endpoint = f"endpoint={engine.endpoint_url}"
    source, store = (f"dynamodb://{name}?{endpoint}" for name in (old.table, new.table))

    done = run("import", source, "--store", store, "--json")
    onward = run("import", store, "--store", "sqlite:///back.db", "--json")

    report, back = json.loads(done.stdout), json.loads(onward.stdout)
    assert done.returncode == 1, "an item is left out"
    assert report["skipped"] == {"unknown_item": 1}
    assert onward.returncode == 0
    for one in (report, back):
        assert one["finished"]
        assert (one["events"], one["patterns"]) == (2, 1)
        assert one["supplements"] > 3
    refused = run("import", source, "--store", source)
    assert refused.returncode == 2
    assert "was to be imported into" in refused.stderr
