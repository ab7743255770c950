from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from copilot_analytics import Analytics

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store in which one command ran."""
    url = f"sqlite:///{tmp_path / 'some.db'}"

    async def fill() -> None:
        async with Analytics(url) as analytics:
            analytics.service.track_command_execution("u-1", "add", success=True)

    asyncio.run(fill())
    return url


@pytest.mark.parametrize(
    "arguments", [(), ("demo",), ("serve",), ("rollups",), ("rollups", "verify")]
)
def test_every_command_explains_itself(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "--help")

    assert done.returncode == 0
    assert "Usage: copilot-analytics" in done.stdout
    if arguments and arguments != ("rollups",):
        assert "Example: " in done.stdout


def test_version_is_the_package_s(run: Run) -> None:
    done = run("--version")

    assert done.returncode == 0
    assert done.stdout.startswith("copilot-analytics 0.")


def test_unknown_command_is_refused(run: Run) -> None:
    done = run("nonsense")

    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_verify_of_a_sound_store_finds_nothing(run: Run, store: str) -> None:
    done = run("rollups", "verify", "--store", store)

    assert done.returncode == 0, done.stdout + done.stderr


def test_verify_says_what_differs(run: Run, store: str) -> None:
    with sqlite3.connect(store.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE rollups SET n1 = n1 + 1 WHERE dimension = 'add'")
    connection.close()

    done = run("rollups", "verify", "--store", store)

    assert done.returncode == 1
    assert "add" in done.stdout
    assert "executions" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("--from", "yesterday"), "YYYY-MM-DD"),
        (("--from", "2026-02-02", "--to", "2026-01-01"), "swap them"),
        (("--from", "2020-01-01", "--to", "2026-01-01"), "at most 400"),
    ],
)
def test_verify_refuses_a_bad_range(
    run: Run, store: str, arguments: tuple[str, ...], remedy: str
) -> None:
    done = run("rollups", "verify", "--store", store, *arguments)

    assert done.returncode == 2
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr


def test_verify_refuses_what_is_no_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader, " * 100)

    done = run("rollups", "verify", "--store", f"sqlite:///{tmp_path / 'letter.txt'}")

    assert done.returncode == 2
    assert "letter.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_setting_names_the_variable(run: Run) -> None:
    done = run("rollups", "verify", COPILOT_ANALYTICS_FLUSH_INTERVAL="soon")

    assert done.returncode == 2
    assert "COPILOT_ANALYTICS_FLUSH_INTERVAL" in done.stderr
    assert "soon" in done.stderr
