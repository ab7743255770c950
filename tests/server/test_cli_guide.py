"""docs/cli.md: every command is in it, and every example runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from copilot_analytics import cli
from copilot_analytics.server.commands import app

from .test_every_command import leaves

Tell = Callable[..., Any]

GUIDE = Path(__file__).parents[2] / "docs" / "cli.md"
EXAMPLES = [
    shlex.split(line, comments=True)
    for block in re.findall(r"^```console\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    for line in re.findall(r"^\$ copilot-analytics (.*)$", block, re.MULTILINE)
]

ENDLESS = {"--watch", "--follow", "serve", "demo"}
"""What runs until Ctrl-C, or as long as a test should not; tests of their own run it."""

AWS = {("table", "create"), ("table", "describe")}


def test_every_command_has_an_example() -> None:
    shown = [" ".join(example) + " " for example in EXAMPLES]

    for name in leaves(typer.main.get_command(app)):
        assert any(line.startswith(f"{name} ") for line in shown), name


@pytest.mark.usefixtures("filled")
def test_every_example_runs(tell: Tell, tmp_path: Path) -> None:
    """In the order of the guide, over one store; of what would not end the options are read."""
    for example in EXAMPLES:
        reads_only = ENDLESS & set(example) or tuple(example[:2]) in AWS
        done = tell(*example, *(["--help"] if reads_only else []))

        # That the store of a test may be opened by others is a note, no problem.
        assert done.status == 0, (example, done)

    assert (tmp_path / "events.ndjson").stat().st_size
    assert (tmp_path / "commands.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_exit_statuses_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| ", GUIDE.read_text(), re.MULTILINE)

    statuses = (0, 1, cli.USER_ERROR, cli.UNAVAILABLE, cli.INTERRUPTED, cli.TERMINATED)
    assert [int(number) for row in rows for number in row.split(", ")] == list(statuses)
