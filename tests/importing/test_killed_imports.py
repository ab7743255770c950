"""Imports whose process is killed in the middle: a clean run would have counted the same."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from copilot_analytics.batch import Batch
from copilot_analytics.periods import DateRange
from copilot_analytics.rollups import ACTIVITY, Rollup, RollupKey, RollupKind
from copilot_analytics.store_samples import DAYS, NOW_MS
from copilot_analytics.stores import MemoryStore, SQLiteStore
from copilot_analytics.stores._dynamodb_client import DynamoDBClient
from copilot_analytics.stores._dynamodb_table import definition
from copilot_analytics.stores.dynamodb import DynamoDBStore
from copilot_analytics.supplements import RollupSupplement
from copilot_analytics.testing import FakeClock

from ..stores.dynamodb_engines import Engine
from .importing import assert_same, imported, recorded, written

_ROOT = Path(__file__).parents[2]


def _run(source: Path, url: str, state: Path, size: int, *, kill_after: int | None) -> int:
    """Run an import, killed once it has told that a batch more than so many is being written."""
    command = [sys.executable, "-m", "tests.importing.process", str(source), url, str(state)]
    seen = 0
    with subprocess.Popen(
        [*command, str(size)], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            seen += line.startswith("writing")
            if kill_after is not None and seen > kill_after:
                process.kill()
                break
    return process.returncode


def test_a_killed_import_into_a_file_is_completed_once(tmp_path: Path) -> None:
    """With other batches, and also where the state is lost."""
    source = written(tmp_path / "events", recorded(300))
    clean = MemoryStore(clock=FakeClock(NOW_MS))
    imported(source, clean, None)
    url = f"sqlite:///{tmp_path / 'to.db'}"
    states = [tmp_path / "a.db", tmp_path / "a.db", tmp_path / "b.db"]
    for state, size, batches in zip(states, (11, 7, 13), (3, 9, 14), strict=True):
        assert _run(source, url, state, size, kill_after=batches) == -signal.SIGKILL
    assert _run(source, url, states[-1], 100, kill_after=None) == 0
    with SQLiteStore(tmp_path / "to.db", clock=FakeClock(NOW_MS)) as store:
        assert_same(clean, store)


def test_a_killed_move_into_a_table_is_completed_once(tmp_path: Path, engine: Engine) -> None:
    """Whatever of the batch was there."""
    table = engine.new_table_name()
    client = DynamoDBClient(table, endpoint_url=engine.endpoint_url)
    client.call("CreateTable", definition(table))
    client.close()
    clock = FakeClock(NOW_MS)
    counts = Rollup({"executions": 40, "successes": 40}, 1, 9)
    supplements = [
        RollupSupplement(sequence=n, key=RollupKey(kind, name, DAYS.last_day), rollup=counts)
        for n, (kind, name) in enumerate(
            [(RollupKind.COMMAND, "search"), (RollupKind.ACTIVITY, ACTIVITY)], start=1
        )
    ]
    source = tmp_path / "from.db"
    url = f"dynamodb://{table}?endpoint={engine.endpoint_url}"
    with SQLiteStore(source, clock=clock) as ours:
        ours.write(Batch("writer", recorded(60)))
        ours.write(Batch("imported", [], supplements=supplements))
        states = [tmp_path / "a.db", tmp_path / "a.db", tmp_path / "b.db"]
        for state, size, batches in zip(states, (9, 5, 17), (1, 3, 2), strict=True):
            assert _run(source, url, state, size, kill_after=batches) == -signal.SIGKILL
        assert _run(source, url, states[0], 23, kill_after=None) == 0
        with DynamoDBStore(table, endpoint_url=engine.endpoint_url, clock=clock) as store:
            assert_same(ours, store, DateRange(DAYS.start, DAYS.end))
