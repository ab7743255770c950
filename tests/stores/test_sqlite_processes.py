"""What several processes do to one file, and what the death of one leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from copilot_analytics.store_samples import DAYS, NOW_MS, assert_holds, batches_of, sample_events
from copilot_analytics.stores import SQLiteStore
from copilot_analytics.testing import FakeClock
from copilot_analytics.verification import verify

SCRIPT = Path(__file__).with_name("processes.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*processes: subprocess.Popen[str]) -> list[str]:
    outputs = [process.communicate(timeout=60) for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors
    return [output for output, _ in outputs]


def store_of(path: Path) -> SQLiteStore:
    return SQLiteStore(path, clock=FakeClock(NOW_MS))


@pytest.mark.parametrize("per_tick", [0, 80], ids=["statements", "instructions"])
def test_a_killed_process_leaves_whole_batches(tmp_path: Path, per_tick: int) -> None:
    """Killed between any two statements, from the file's creation on, or within one.

    Whatever is replayed then, with other boundaries, counts once.
    """
    (count,) = finish(start("die", tmp_path, per_tick))
    events = sample_events(8)
    found = set()
    for ticks in range(1, int(count) + 1):
        with store_of(tmp_path / f"{ticks:03}.db") as store:
            stored = store.statistics()["events"]
            found.add(stored)
            assert_holds(store, events[:stored])
            for batch in batches_of(events, 3, 5):
                store.write(batch)
            assert_holds(store, events)
    assert found == {0, 4, 8}


def test_processes_write_the_same_counters(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    writers = ["one", "two", "three"]
    finish(*(start("share", path, writer, seed) for seed, writer in enumerate(writers)))
    with store_of(path) as store:
        assert_holds(
            store,
            [
                event
                for seed, writer in enumerate(writers)
                for event in sample_events(200, seed=seed, writer=writer)
            ],
        )
        assert not verify(store, DAYS).differences


def test_a_fork_shares_nothing_but_the_file(tmp_path: Path) -> None:
    """Children are forked amidst writes, and the parent closes the store while they write."""
    path = tmp_path / "forked.db"
    finish(start("fork", path, 4))
    events = sample_events(100, writer="parent")
    for number in range(1, 5):
        events += sample_events(100, seed=number, writer=f"child-{number}")
    with store_of(path) as store:
        assert_holds(store, events)


@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "says"),
    [
        (0o000, 0o777, "the file cannot be opened or created; create its directory and grant"),
        (0o444, 0o777, "the file or its directory cannot be written to; grant write access"),
        (0o444, 0o555, "the file or its directory cannot be written to; grant write access"),
        (0o666, 0o555, "the file or its directory cannot be written to; grant write access"),
        (None, 0o555, "the file cannot be opened or created; create its directory and grant"),
    ],
)
def test_a_file_without_permission_is_refused_with_a_remedy(
    tmp_path: Path, file_mode: int | None, folder_mode: int, says: str
) -> None:
    path = tmp_path / "folder" / "analytics.db"
    path.parent.mkdir()
    if file_mode is not None:
        with store_of(path):
            pass
        path.chmod(file_mode)
    path.parent.chmod(folder_mode)
    # The test's own folder is its user's alone, and nobody is to reach it.
    for parent in takewhile(
        lambda each: each.name.startswith(("pytest", "popen")), tmp_path.parents
    ):
        parent.chmod(0o755)
    tmp_path.chmod(0o755)
    (output,) = finish(start("refuse", path))
    path.parent.chmod(0o755)
    assert output.startswith(f"StoreUnavailableError sqlite:///{path}: {says}")
