"""The command line as users run it: the installed script, or its `main` in this process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from copilot_analytics import Analytics
from copilot_analytics.cli import main
from copilot_analytics.stores import SQLiteStore

SCRIPT = Path(sys.executable).with_name("copilot-analytics")


@dataclass(frozen=True)
class Told:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


Tell = Callable[..., Told]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without settings of ours, in which a default store lies in `tmp_path`."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("COPILOT_ANALYTICS_")}
    return {**clean, "COLUMNS": "120", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run `copilot-analytics …` to its end."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT, *arguments],
            env={**environment, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Start `copilot-analytics …`; it is killed in the end if it still runs."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [SCRIPT, *arguments],
            env={**environment, **variables},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Tell]:
    """Run `copilot-analytics …` to its end in this process, as in `tmp_path`, with no terminal."""
    for variable in list(os.environ):
        if variable.startswith("COPILOT_ANALYTICS_") or variable == "ANALYTICS_TABLE_NAME":
            monkeypatch.delenv(variable)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)

    def tell(*arguments: str, **variables: str) -> Told:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["copilot-analytics", *arguments])
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        return Told(int(ended.value.code or 0), said.out, said.err)

    yield tell
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def filled(tmp_path: Path) -> str:
    """The URL of the default store in `tmp_path`: two users, three commands, an error."""
    path = tmp_path / "copilot-analytics.db"

    async def fill() -> None:
        async with Analytics(f"sqlite:///{path}") as analytics:
            service = analytics.service
            for user in ("ada", "bob"):
                service.track_event("MESSAGE_SENT", user, conversation_id="c-1")
                service.track_command_execution(user, "add-supplier", True, 12.5)
            service.track_command_execution("ada", "search", False, 250)
            service.track_error("ada", "Timeout", "no answer from 10.0.0.7 after 30 s")
            service.track_event("WEBSOCKET_CONNECTED", "ada", connection_id="w-1")

    asyncio.run(fill())
    return f"sqlite:///{path}"


@pytest.fixture
def empty(tmp_path: Path) -> str:
    """The URL of the default store in `tmp_path`, in which there is nothing."""
    path = tmp_path / "copilot-analytics.db"
    with SQLiteStore(path):
        return f"sqlite:///{path}"
