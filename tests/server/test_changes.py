"""The commands that write: files, corrected rollups, and stores without a user; and `config`."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import sqlite3
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.config import SETTINGS
from copilot_analytics.stores import SQLiteStore

from .conftest import SCRIPT

Tell = Callable[..., Any]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.usefixtures("filled")
def test_export_writes_the_file_that_its_name_means(tell: Tell, tmp_path: Path) -> None:
    for name in ("all.json", "tables.zip", "commands.csv", "events.ndjson", "events.parquet"):
        section = ("--section", "commands") if name.endswith(".csv") else ()
        done = tell("export", name, *section)
        assert (done.status, done.out) == (0, ""), done
        assert done.err.startswith(f"{name}: ")

    exported = json.loads((tmp_path / "all.json").read_text())
    assert [row["name"] for row in exported["commands"]] == ["add-supplier", "search"]
    assert len(zipfile.ZipFile(tmp_path / "tables.zip").namelist()) == 2
    [header, *rows] = csv.reader(io.StringIO((tmp_path / "commands.csv").read_text()))
    assert (header[0], len(rows)) == ("name", 2)
    assert len((tmp_path / "events.ndjson").read_text().splitlines()) == 7
    assert (tmp_path / "events.parquet").read_bytes().startswith(b"PAR1")


@pytest.mark.usefixtures("filled")
def test_export_names_a_file_by_itself_and_writes_to_a_pipe(tell: Tell, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    assert tell("export", "folder", "--format", "ndjson").status == 0
    piped = tell("export", "-", "--format", "NDJSON")

    [file] = (tmp_path / "folder").iterdir()
    assert file.name.startswith("copilot-analytics-events-")
    assert file.read_text() == piped.out
    first = json.loads(piped.out.splitlines()[0])
    after = f"{first['timestamp']}:{first['eventId']}"
    rest = tell("export", "-", "--format", "ndjson", "--after", after)
    assert rest.out.splitlines() == piped.out.splitlines()[1:]


@pytest.mark.usefixtures("filled")
def test_export_that_cannot_be_written_leaves_what_was_there(tell: Tell, tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text("kept")

    nowhere = tell("export", "no/such/folder/x.json")
    broken = tell("export", "kept.json", "--store", "sqlite:///absent.db")

    assert (nowhere.status, broken.status) == (2, 3)
    assert "give another path" in nowhere.err
    assert (tmp_path / "kept.json").read_text() == "kept"
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]


def damage(url: str) -> None:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    with connection:
        connection.execute("UPDATE rollups SET n1 = n1 + 1 WHERE dimension = 'search'")
    connection.close()


def test_rebuild_corrects_what_verify_found(tell: Tell, filled: str) -> None:
    damage(filled)
    found = json.loads(tell("rollups", "verify", "--json").out)
    rebuilt = tell("rollups", "rebuild", "--json")
    after = tell("rollups", "verify")

    [difference] = found["differences"]
    assert difference["dimension"] == "search"
    assert (difference["stored"], difference["recounted"]) == (2, 1)
    assert rebuilt.status == 0
    [corrected] = json.loads(rebuilt.out)["corrected"]
    assert (corrected["kind"], corrected["dimension"]) == ("command", "search")
    assert after.status == 0


def test_rebuild_says_what_it_did(tell: Tell, filled: str) -> None:
    damage(filled)

    done = tell("rollups", "rebuild", "--days", "2")

    assert "command search: corrected" in done.out
    assert "1 rollup corrected, 0 differences left" in done.out


def test_erasing_asks_first(tell: Tell, filled: str) -> None:
    done = tell("erase-user", "ada")

    assert done.status == 2
    assert "--yes" in done.err
    with SQLiteStore(filled) as store:
        assert store.statistics()["events"] == 7


@pytest.mark.parametrize(("typed", "status", "left"), [("y", 0, 2), ("n", 1, 7)])
def test_erasing_does_what_was_answered(
    filled: str, tmp_path: Path, typed: str, status: int, left: int
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [SCRIPT, "erase-user", "ada", "--store", filled],
        cwd=tmp_path,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    os.write(ours, f"{typed}\n".encode())
    process.communicate(timeout=60)
    os.close(ours)

    assert process.returncode == status
    with SQLiteStore(filled) as store:
        assert store.statistics()["events"] == left


def test_erasing_is_told_and_idempotent(tell: Tell, filled: str) -> None:
    first = json.loads(tell("erase-user", "ada", "--yes", "--json").out)
    again = tell("erase-user", "ada", "--yes")

    assert (first["events"], first["patterns"]) == (5, 1)
    assert "holds nothing of this user" in again.out
    assert "Erased 2 events" in tell("erase-user", "bob", "--yes").out
    assert filled


def test_config_shows_every_setting_and_no_secret(tell: Tell) -> None:
    secret = "s" * 40
    variables = {
        "COPILOT_ANALYTICS_PSEUDONYMISE_KEY": secret,
        "COPILOT_ANALYTICS_EXTRA_KEYS": "team:label",
        "COPILOT_ANALYTICS_SPOOL": "off",
    }

    done = tell("config", **variables)
    shown = json.loads(tell("config", "--json", **variables).out)["settings"]

    assert [one["name"] for one in shown] == [setting.name for setting in SETTINGS]
    by_name = {one["name"]: one for one in shown}
    assert by_name["spool"]["value"] == "off"
    assert by_name["extra_keys"]["value"] == {"team": "label"}
    assert not by_name["pseudonymise_key"]["isDefault"]
    assert by_name["batch_size"] == {
        "name": "batch_size",
        "variable": "COPILOT_ANALYTICS_BATCH_SIZE",
        "default": 5000,
        "value": 5000,
        "isDefault": True,
        "meaning": "How many events are written at once, at most.",
    }
    for setting in SETTINGS:
        assert setting.variable in done.out
        assert setting.meaning in done.out
    assert secret not in done.out + json.dumps(shown)
