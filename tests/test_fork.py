"""Forked children record as writers of their own, and leave their parent's events alone."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.periods import DateRange
from copilot_analytics.stores import SQLiteStore
from copilot_analytics.typing import SystemClock

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

PRELUDE = """
import os, sys, threading, warnings
from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.stores import MemoryStore

warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads

def track(count):
    for _ in range(count):
        analytics.service.track_command_execution("ada", "add", True)

def child(body):
    pid = os.fork()
    if pid == 0:
        try:
            body()
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def run(body: str, *args: object) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(body), *map(str, args)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def executions_by_writer(path: Path) -> list[int]:
    with SQLiteStore(path) as store:
        today = DateRange.of(now_ms=SystemClock().now_ms())
        events: list[AnalyticsEvent] = []
        for day in (today.end, today.start):
            with store.snapshot(day) as snapshot:
                events += snapshot.events()
        writers = [event.writer for event in events]
        return sorted(writers.count(writer) for writer in set(writers))


def test_parent_and_child_each_store_their_own(tmp_path: Path) -> None:
    run(
        """
        config = AnalyticsConfig(flush_interval=3600.0)
        analytics = Analytics(f"sqlite:///{sys.argv[1]}", config=config)
        track(3)
        assert analytics.recorder.flush_blocking(30)
        track(10)

        def body():
            health = analytics.recorder.health()
            assert (health.accepted, health.pending, health.stored) == (0, 0, 0), health
            assert analytics.recorder.flush_blocking(0)
            track(5)
            assert analytics.recorder.flush_blocking(30)
            assert analytics.recorder.health().stored == 5
            assert analytics.close() == 0

        child(body)
        assert analytics.recorder.health().pending == 10
        assert analytics.close() == 0
        """,
        tmp_path / "fork.db",
    )

    assert executions_by_writer(tmp_path / "fork.db") == [5, 13]


def test_a_child_of_a_parent_that_has_not_recorded_yet_records(tmp_path: Path) -> None:
    run(
        """
        analytics = Analytics(f"sqlite:///{sys.argv[1]}")

        def body():
            track(2)
            assert analytics.close() == 0

        child(body)
        child(body)
        track(1)
        assert analytics.close() == 0
        """,
        tmp_path / "fork.db",
    )

    assert executions_by_writer(tmp_path / "fork.db") == [1, 2, 2]


def test_a_child_is_not_held_up_by_what_its_parent_s_thread_is_doing() -> None:
    run(
        """
        class HangingStore(MemoryStore):
            def write(self, batch):
                writing.set()
                if os.getpid() == parent:
                    threading.Event().wait()

        parent = os.getpid()
        writing = threading.Event()
        analytics = Analytics(HangingStore(), config=AnalyticsConfig(batch_size=1))
        track(3)
        writing.wait()

        def body():
            track(2)
            assert analytics.recorder.flush_blocking(30)

        child(body)
        assert analytics.recorder.health().pending == 3
        assert analytics.close(0.01) == 3
        """
    )


def test_a_closed_recorder_stays_closed_in_a_child() -> None:
    run(
        """
        analytics = Analytics("memory://")
        track(1)
        analytics.close()

        def body():
            assert not analytics.recorder.health().running
            assert analytics.close() == 0

        child(body)
        """
    )
