"""What holds for every command; a new one has to say here how it behaves when things lack."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from copilot_analytics.server.commands import app

Tell = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[str]"]


@dataclass(frozen=True)
class Case:
    """How one command is run, and what it says.

    Attributes:
        arguments: what makes it run to its end, from a folder whose default store is as needed.
        bad: arguments that mean nothing, and a part of what is said of them.
        empty: what it says of a store in which there is nothing, and its status; None where it
            reads no store.
        absent: its status where there is no store; None where it reads none, or makes one.
        extra: packages that it needs beside those of the command line.
    """

    arguments: tuple[str, ...] = ()
    bad: tuple[tuple[str, ...], str] = (("--nonsense",), "No such option")
    empty: tuple[str, int] | None = None
    absent: int | None = None


BAD_RANGE = (("--from", "yesterday"), "YYYY-MM-DD")
CASES: Mapping[str, Case] = {
    "commands": Case(
        bad=BAD_RANGE,
        empty=("No commands ran", 0),
        absent=3,
    ),
    "config": Case(bad=(("--store", " "), "give a store's URL")),
    "dashboard": Case(
        bad=(("--top", "0"), "Invalid value for '--top'"),
        empty=("No commands ran", 0),
        absent=3,
    ),
    "demo": Case(
        ("--once", "--users", "2", "--days", "0"),
        bad=(("--users", "0"), "Invalid value for '--users'"),
    ),
    "doctor": Case(
        bad=(("--store", "ftp://x"), "sqlite:///file.db"), empty=("no event is", 1), absent=1
    ),
    "erase-user": Case(
        ("ada", "--yes"), bad=((), "Missing argument"), empty=("holds nothing of", 0), absent=3
    ),
    "errors": Case(
        bad=(("--days", "3", "--from", "2026-01-01"), "not both"),
        empty=("No errors occurred", 0),
        absent=3,
    ),
    "events": Case(
        bad=(("--type", "NOISE"), "message_sent"), empty=("No such events", 0), absent=3
    ),
    "export": Case(
        ("-",),
        bad=(("--section", "errors"), "JSON holds every section"),
        empty=('"commands": []', 0),
        absent=3,
    ),
    "import": Case(("-",), bad=(("nowhere.ndjson",), "nowhere.ndjson")),
    "rollups rebuild": Case(
        bad=(("--days", "401"), "Invalid value for '--days'"),
        empty=("0 rollups corrected", 0),
        absent=3,
    ),
    "rollups verify": Case(
        bad=(("--from", "2026-02-02", "--to", "2026-01-01"), "swap them"),
        empty=("all equal", 0),
        absent=3,
    ),
    "serve": Case(bad=(("--token", "short"), "at least 32 bytes")),
    "status": Case(
        bad=(("--store", "ftp://x"), "sqlite:///file.db"), empty=("No event is stored", 0), absent=3
    ),
    "table cost": Case(("--events-per-day", "1000"), bad=((), "Missing option")),
    "table create": Case(bad=(("--store", "sqlite:///x.db"), "dynamodb://TABLE")),
    "table describe": Case(bad=(("--store", "sqlite:///x.db"), "dynamodb://TABLE")),
    "table policy": Case(
        ("--store", "dynamodb://analytics"), bad=(("--store", "x"), "dynamodb://TABLE")
    ),
    "table template": Case(),
    "token create": Case(("grafana",), bad=(("a b",), "letters, digits")),
    "token list": Case(bad=(("--tokens", "nowhere.json"), "nowhere.json")),
    "token revoke": Case(("grafana",), bad=(("x", "--tokens", "nowhere.json"), "nowhere.json")),
    "users": Case(
        bad=(("--order-by", "height"), "executions"), empty=("No signed-in users", 0), absent=3
    ),
}


def leaves(command: Any, names: tuple[str, ...] = ()) -> Iterator[str]:
    for name, found in command.commands.items():
        if hasattr(found, "commands"):
            yield from leaves(found, (*names, name))
        else:
            yield " ".join((*names, name))


def test_every_command_has_its_case() -> None:
    assert sorted(leaves(typer.main.get_command(app))) == sorted(CASES)


each_command = pytest.mark.parametrize("name", CASES)
each_reader = pytest.mark.parametrize("name", [name for name in CASES if CASES[name].empty])


@each_command
def test_help_has_an_example(tell: Tell, name: str) -> None:
    done = tell(*name.split(), "--help")

    assert (done.status, done.err) == (0, "")
    assert f"Usage: copilot-analytics {name}" in done.out
    assert "Example" in done.out
    assert f"copilot-analytics {name}" in done.out.partition("Example")[2].replace("\n ", "")


@each_command
def test_a_mistake_is_one_sentence_that_says_what_to_do(tell: Tell, name: str) -> None:
    bad, remedy = CASES[name].bad

    done = tell(*name.split(), *bad)

    assert (done.status, done.out) in ((2, ""), (1, done.out))
    assert remedy in done.err + done.out
    assert "Traceback" not in done.err


@each_reader
def test_an_empty_store_is_told(tell: Tell, name: str, empty: str) -> None:
    said, status = CASES[name].empty or ("", 0)

    done = tell(*name.split(), *CASES[name].arguments)

    assert said in done.out, done
    assert done.status == status
    assert "Traceback" not in done.err


@each_reader
def test_a_store_that_is_not_there_is_told_and_not_made(
    tell: Tell, name: str, tmp_path: Path
) -> None:
    done = tell(*name.split(), *CASES[name].arguments, "--store", "sqlite:///absent.db")

    assert "there is no file" in done.err + done.out
    assert "start" in done.err + done.out
    assert done.status == CASES[name].absent
    assert not list(tmp_path.iterdir())


@each_reader
def test_a_store_that_may_not_be_opened_is_told(tell: Tell, name: str, tmp_path: Path) -> None:
    """A folder is what nobody may open as a file, whoever runs the tests."""
    (tmp_path / "folder").mkdir()

    done = tell(*name.split(), *CASES[name].arguments, "--store", "sqlite:///folder")

    assert "grant write access" in done.err + done.out
    assert done.status == CASES[name].absent


@each_command
def test_a_missing_package_of_the_command_line_names_its_extra(
    tell: Tell, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in list(sys.modules):
        if module.startswith("copilot_analytics.server."):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "typer", None)

    done = tell(*name.split(), "--help")

    assert (done.status, done.out) == (2, "")
    assert "pip install 'copilot-analytics[server]'" in done.err


@each_reader
def test_a_missing_package_of_the_store_names_its_extra(
    tell: Tell, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in list(sys.modules):
        if module.startswith("copilot_analytics.stores.") and "dynamodb" in module:
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setitem(sys.modules, "boto3.session", None)

    done = tell(*name.split(), *CASES[name].arguments, "--store", "dynamodb://analytics")

    assert "pip install 'copilot-analytics[dynamodb]'" in done.err + done.out
    assert done.status == (1 if name == "doctor" else 2)
