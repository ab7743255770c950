from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilot_analytics.server.demo_report import EVENTS, TOTALS, differences
from copilot_analytics.server.tally import Tally

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]
SMALL = ("--days", "3", "--users", "8", "--port", "0")


def _lines_until(process: subprocess.Popen[str], last: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if last in line:
            return lines
    raise AssertionError("\n".join(lines))


def test_once_ends_with_every_number_as_the_simulator_counted(run: Run, tmp_path: Path) -> None:
    done = run("demo", "--once", *SMALL, TMPDIR=str(tmp_path))

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"All \d\d+ numbers are what the simulator counted\.", done.stdout)
    for title in ("Dashboard, ", "Popular commands", "Error patterns"):
        assert title in done.stdout
    assert "example.com" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr, "the copilot's crashes are part of the show"
    assert list(tmp_path.iterdir()) == [], "the temporary store is gone"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_demo_stays_up_answers_and_ends_tidily(
    start: Start, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    process = start("demo", *SMALL, TMPDIR=str(tmp_path))
    lines = _lines_until(process, "Ctrl-C ends.")
    said = dict(re.findall(r"^(GraphQL|Copilot|Token|Store) +(\S+)$", "\n".join(lines), re.M))
    query = {"query": "{ recorderHealth { accepted stored } }"}

    refused = httpx.post(said["GraphQL"], json=query)
    answer = httpx.post(
        said["GraphQL"], json=query, headers={"Authorization": f"Bearer {said['Token']}"}
    )
    process.send_signal(number)

    assert refused.status_code == 401
    assert answer.json()["data"]["recorderHealth"]["stored"] > 0
    assert said["Copilot"].startswith("ws://")
    assert process.wait(20) == status
    assert process.stdout is not None
    assert not process.stdout.read().strip(), "no traceback, no complaint"
    assert list(tmp_path.iterdir()) == [], "the temporary store is gone"


def test_demo_ends_tidily_while_users_talk(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start("demo", "--days", "0", "--users", "400", "--port", str(port))
    for _ in range(600):
        try:
            httpx.get(f"http://127.0.0.1:{port}/graphql")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            break
    process.send_signal(signal.SIGINT)

    assert process.wait(20) == 130
    assert process.stdout is not None
    said = process.stdout.read()
    assert "Traceback" not in said
    assert "never retrieved" not in said


def test_once_needs_an_empty_store(run: Run, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'kept.db'}"
    first = run("demo", "--once", *SMALL, "--store", store)

    again = run("demo", "--once", *SMALL, "--store", store)

    assert first.returncode == 0, first.stdout + first.stderr
    assert (tmp_path / "kept.db").exists()
    assert again.returncode == 2
    assert "name a new file" in again.stderr
    assert "Traceback" not in again.stderr


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("--token", "short"), "at least 32 bytes"),
        (("--host", "host.invalid"), "no address here"),
        (("--users", "0"), "--users"),
        (("--store", "mysql://somewhere"), "sqlite:///"),
    ],
)
def test_wrong_option_is_one_clear_sentence(
    run: Run, arguments: tuple[str, ...], remedy: str
) -> None:
    done = run("demo", "--once", *SMALL, *arguments)

    assert done.returncode == 2
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr


def _dashboard(**summary: int) -> dict[str, Any]:
    return {
        "summary": {
            **{name: {"value": summary.get(name, 0)} for name in TOTALS.values()},
            "errorsByType": [],
            "events": [{"type": event, "count": 0} for event in EVENTS.values()],
        },
        "topCommands": [],
    }


def test_differences_name_the_number_and_both_counts() -> None:
    assert list(differences(Tally(), _dashboard())) == []
    assert list(differences(Tally(messages=3), _dashboard(messages=4))) == [
        "messages: the simulator counted 3, the dashboard says 4"
    ]


def test_differences_see_what_only_one_side_knows() -> None:
    tally = Tally()
    tally.execution("mine", success=True)
    dashboard = _dashboard(executions=1)
    dashboard["topCommands"] = [{"name": "theirs", "executions": 1, "failures": 0}]

    assert list(differences(tally, dashboard)) == [
        "executions of mine: the simulator counted 1, the dashboard says 0",
        "executions of theirs: the simulator counted 0, the dashboard says 1",
    ]
