"""The commands that show what happened: for people as tables, for programs as JSON."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.events import EventType
from copilot_analytics.identity import Pseudonymiser
from copilot_analytics.store_samples import event, numbered
from copilot_analytics.stores import SQLiteStore
from copilot_analytics.typing import SystemClock

from .conftest import SCRIPT

Tell = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[str]"]

KEY = "k" * 32


def answer(tell: Tell, *arguments: str, **variables: str) -> Any:
    done = tell(*arguments, "--json", **variables)
    assert (done.status, done.err) == (0, "")
    return json.loads(done.out)


@pytest.mark.usefixtures("filled")
def test_status_tells_what_is_stored(tell: Tell) -> None:
    done = tell("status")
    status = answer(tell, "status")

    assert done.status == 0
    assert "sqlite:///" in done.out
    assert "7 events, 3 executions, 1 errors, 2 users" in done.out
    assert status["statistics"]["events"] == 7
    assert status["today"] == {"events": 7, "executions": 3, "errors": 1, "activeUsers": 2}
    assert status["oldest"] <= status["newest"] <= SystemClock().now_ms()
    assert (status["spool"], status["spools"]) == (None, [])


def test_status_tells_what_waits_in_the_spool(tell: Tell, filled: str, tmp_path: Path) -> None:
    """Of a process that has ended, and how much that is."""
    program = """
import os, sys
from copilot_analytics import Analytics, AnalyticsConfig
config = AnalyticsConfig.from_env(store=sys.argv[1], spool="on", write_interval=3600.0)
analytics = Analytics(config=config)
analytics.service.track_event("MESSAGE_SENT", "eve")
while analytics.recorder.health().spooled < 1:
    pass
os._exit(0)
"""
    spool = {
        "COPILOT_ANALYTICS_SPOOL": "on",
        "COPILOT_ANALYTICS_SPOOL_DIR": str(tmp_path / "spool"),
    }
    subprocess.run(
        [Path(SCRIPT).with_name("python"), "-c", program, filled],
        cwd=tmp_path,
        env={**os.environ, **spool},
        check=True,
        timeout=60,
    )

    status = answer(tell, "status", "--store", filled, **spool)
    told = tell("status", "--store", filled, **spool)

    [left] = status["spools"]
    assert (left["events"], left["inUse"]) == (1, False)
    assert left["bytes"] > 0
    assert "1 events wait" in told.out
    assert "left by a process that has ended" in told.out


@pytest.mark.usefixtures("filled")
def test_dashboard_is_one_page(tell: Tell) -> None:
    done = tell("dashboard", "--days", "2")
    dashboard = answer(tell, "dashboard", "--days", "2", "--top", "1")

    assert "Executions" in done.out
    assert "add-supplier" in done.out
    assert "no answer from <ip> after" in done.out
    assert dashboard["summary"]["totals"]["executions"] == 3
    assert [row["name"] for row in dashboard["topCommands"]] == ["add-supplier"]


@pytest.mark.usefixtures("filled")
def test_commands_are_listed_in_an_order(tell: Tell) -> None:
    failed = answer(tell, "commands", "--order-by", "failures")
    found = answer(tell, "commands", "--search", "SUPP")
    done = tell("commands", "--limit", "1")

    assert [row["name"] for row in failed["commands"]] == ["search", "add-supplier"]
    assert found["commands"][0] | {"lastExecuted": 0} == {
        "name": "add-supplier",
        "executions": 2,
        "successes": 2,
        "failures": 0,
        "successRate": 1.0,
        "averageMs": 12.5,
        "lastExecuted": 0,
    }
    assert found["totalCount"] == 1
    assert "add-supplier" in done.out
    assert "1 of 2: --limit shows more." in done.out


@pytest.mark.usefixtures("filled")
def test_one_command_is_shown_whole(tell: Tell) -> None:
    done = tell("commands", "search")
    command = answer(tell, "commands", "search")["command"]

    assert "p95 time" in done.out
    assert (command["executions"], command["failures"]) == (1, 1)
    assert command["users"] == {"count": 1, "exact": True}
    assert "No executions of this command" in tell("commands", "nonsense").out


@pytest.mark.usefixtures("filled")
def test_errors_are_listed_by_type(tell: Tell) -> None:
    [pattern] = answer(tell, "errors", "--type", "Timeout")["errors"]

    assert pattern["message"] == "no answer from <ip> after <number> s"
    assert pattern["affectedUserIds"] == ["ada"]
    assert "Timeout" in tell("errors").out
    assert answer(tell, "errors", "--type", "Other")["errors"] == []


@pytest.mark.usefixtures("filled")
def test_users_are_listed_and_shown(tell: Tell) -> None:
    listed = answer(tell, "users")
    one = answer(tell, "users", "ada")["user"]
    done = tell("users", "ada")

    assert [row["userId"] for row in listed["users"]] == ["ada", "bob"]
    assert (one["executions"], one["errors"]) == (2, 1)
    assert "in all" in done.out
    assert "No activity of this user" in tell("users", "eve").out


def test_users_are_found_by_their_own_ids_and_by_pseudonyms(tell: Tell, empty: str) -> None:
    pseudonym = Pseudonymiser(KEY).stored("ada")
    now_ms = SystemClock().now_ms()
    with SQLiteStore(empty) as store:
        store.write(Batch("w", numbered([event(EventType.MESSAGE_SENT, pseudonym, at=now_ms)])))
    key = {"COPILOT_ANALYTICS_PSEUDONYMISE_KEY": KEY}

    for name in ("ada", pseudonym):
        assert answer(tell, "users", name, **key)["user"]["messages"] == 1
        assert answer(tell, "users", "--search", name, **key)["totalCount"] == 1
        assert pseudonym in tell("events", "--user", name, **key).out


@pytest.mark.usefixtures("filled")
def test_events_are_shown_oldest_first(tell: Tell) -> None:
    done = tell("events", "--type", "message_sent")
    lines = tell("events", "--command", "search", "--json").out.splitlines()

    assert done.out.count("MESSAGE_SENT") == 2
    assert done.out.index("ada") < done.out.index("bob")
    assert [json.loads(line)["eventType"] for line in lines] == ["ACTION_FAILED"]
    assert len(tell("events", "--limit", "3").out.splitlines()) == 3
    assert "No such events" in tell("events", "--error-type", "Other").out


def test_events_follow_until_ctrl_c(start: Start, empty: str) -> None:
    """Each new event once, also those that come out of order; status 130."""
    process = start("events", "--follow", "--every", "0.1", "--json", "--store", empty)
    assert process.stdout is not None
    now_ms = SystemClock().now_ms()
    with SQLiteStore(empty) as store:
        for sequence, (user, at) in enumerate((("ada", now_ms), ("bob", now_ms - 5_000)), 1):
            [written] = numbered([event(EventType.MESSAGE_SENT, user, at=at)], f"w{sequence}")
            store.write(Batch(f"w{sequence}", [written]))
            assert json.loads(process.stdout.readline())["userId"] == user

    process.send_signal(signal.SIGINT)

    assert process.stdout.read() == ""
    assert process.wait() == 130


def on_a_terminal(folder: Path, columns: int, *arguments: str) -> str:
    """What a command writes to a terminal so wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [SCRIPT, *arguments],
        cwd=folder,
        env={**clean, "TERM": "xterm-256color"},
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # how Linux tells the end
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    assert process.wait() == 0
    return said.decode()


def test_watching_shows_the_dashboard_until_ctrl_c(filled: str, tmp_path: Path) -> None:
    """On the whole terminal, which is as it was afterwards."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [SCRIPT, "dashboard", "--watch", "--every", "1", "--store", filled],
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm-256color"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while said.count(b"Ctrl-C ends it") < 2:
        said += os.read(ours, 65_536)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # how Linux tells the end
        while piece := os.read(ours, 65_536):
            said += piece
    os.close(ours)

    assert process.wait() == 130
    assert b"Dashboard" in said
    assert b"Traceback" not in said
    assert said.count(b"\x1b[?1049h") == said.count(b"\x1b[?1049l") == 1


@pytest.mark.usefixtures("filled")
def test_watching_needs_a_terminal(tell: Tell) -> None:
    done = tell("dashboard", "--watch")

    assert (done.status, done.out) == (2, "")
    assert "no terminal" in done.err
    assert tell("dashboard", "--watch", "--json").status == 2


def test_a_narrow_terminal_gets_whole_names_in_lines_that_fit(filled: str, tmp_path: Path) -> None:
    said = on_a_terminal(tmp_path, 60, "errors", "--store", filled)
    plain = "".join(
        part.partition("m")[2] if n else part for n, part in enumerate(said.split("\x1b["))
    )

    assert "\x1b[" in said
    assert all(len(line.rstrip("\r")) <= 60 for line in plain.split("\n"))
    for word in ("Timeout", "answer", "<ip>"):
        assert word in plain


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("name", ["dashboard", "commands", "errors", "users", "status", "doctor"])
def test_what_is_no_terminal_gets_plain_text(tell: Tell, name: str) -> None:
    done = tell(name, COLUMNS="40")

    assert "\x1b" not in done.out
    assert not set("─│╭━┃") & set(done.out)


def test_names_cannot_steer_a_terminal(tell: Tell, empty: str) -> None:
    """Nor become markup: what clients sent is shown as it is."""
    now_ms = SystemClock().now_ms()
    hostile = "[bold]x[/] \x1b[2J\r\nname"
    run = event(EventType.ACTION_EXECUTED, "ada\x1b]0;t\x07", at=now_ms, command_name=hostile)
    with SQLiteStore(empty) as store:
        store.write(Batch("w", numbered([run])))

    for arguments in (("commands",), ("commands", hostile), ("users",), ("events",)):
        done = tell(*arguments)
        assert done.status == 0
        assert not {"\x1b", "\r", "\x07"} & set(done.out)
    assert "[bold]x[/]" in tell("commands").out
