"""The spool and the ends of real processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest

from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.periods import DateRange
from copilot_analytics.spool.identities import BLOCK
from copilot_analytics.stores import SQLiteStore
from copilot_analytics.typing import SystemClock
from copilot_analytics.verification import verify

from .recording import number_of

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
SCRIPT = Path(__file__).with_name("recording.py")


def start(command: str, folder: Path, *arguments: object) -> subprocess.Popen[str]:
    places = (folder / "far.db", folder / "spool")
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), command, *map(str, (*places, *arguments))],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(body: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(body), *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def stored_events(path: Path) -> list[AnalyticsEvent]:
    """Every event of a file, by writer and sequence, after counting all in it again."""
    today = DateRange.of(now_ms=SystemClock().now_ms())
    events: list[AnalyticsEvent] = []
    with SQLiteStore(path) as store:
        assert not verify(store, today).differences
        for day in {today.start, today.end}:
            with store.snapshot(day) as snapshot:
                events += snapshot.events()
    return sorted(events, key=lambda event: (event.writer, event.sequence))


def test_kills_at_any_moment_lose_only_what_was_not_spooled_yet(tmp_path: Path) -> None:
    """Each run's stored events are its first ones, none of them twice, whatever the batches."""
    source = random.Random(5)
    runs = 6
    for _ in range(runs):
        with start("record", tmp_path, source.choice([7, 50, 1000]), 100_000) as process:
            assert process.stdout is not None
            for _ in range(source.randrange(500, 2_500)):
                process.stdout.readline()
            process.kill()
    with start("record", tmp_path, 300, 100) as process:
        process.communicate(timeout=60)
        assert process.returncode == 0

    events = stored_events(tmp_path / "far.db")

    assert len({event.writer for event in events}) == 1
    starts = [0]
    for place, (event, following) in enumerate(pairwise(events), 1):
        assert following.sequence > event.sequence
        if following.sequence - event.sequence > BLOCK // 2:
            starts.append(place)
    assert runs // 2 < len(starts) <= runs + 1, "one that was killed at once has left nothing"
    for first, end in pairwise([*starts, len(events)]):
        assert [number_of(event) for event in events[first:end]] == list(range(end - first))
    assert len(list((tmp_path / "spool").glob("*/*/*.frames"))) == 0


def test_live_processes_have_directories_of_their_own_and_dead_ones_are_emptied(
    tmp_path: Path,
) -> None:
    processes = [start("hold", tmp_path) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "spooled\n"
    assert len(list((tmp_path / "spool").glob("*/*/lock"))) == 3
    for process in processes[:2]:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)

    with start("record", tmp_path, 10, 5) as process:
        process.communicate(timeout=60)
        assert process.returncode == 0

    assert len(stored_events(tmp_path / "far.db")) == 7
    assert len(list((tmp_path / "spool").glob("*/*/*.frames"))) == 1, "the live one's"
    processes[2].communicate("\n", timeout=60)
    events = stored_events(tmp_path / "far.db")
    assert len(events) == 8
    assert len({event.writer for event in events}) == 3
    assert len(list((tmp_path / "spool").glob("*/*/lock"))) == 2


PRELUDE = """
import os, sys, threading, warnings
from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.errors import StoreUnavailableError
from copilot_analytics.stores import SQLiteStore

warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads

class FarStore(SQLiteStore):
    remote = True
    away = False

    def write(self, batch):
        if self.away:
            raise StoreUnavailableError(self.url, "it is away", "wait")
        super().write(batch)

def track(count):
    for _ in range(count):
        analytics.service.track_command_execution("ada", "add", True)

def spooled(count):
    while analytics.recorder.health().spooled < count:
        threading.Event().wait(0.001)

store = FarStore(sys.argv[1])
config = AnalyticsConfig(spool_dir=sys.argv[2], write_interval=3600.0)
analytics = Analytics(store, config=config)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_spools_in_a_directory_of_its_own(tmp_path: Path) -> None:
    ended = run(
        PRELUDE
        + """
track(10)
spooled(10)
pid = os.fork()
if pid == 0:
    health = analytics.recorder.health()
    assert (health.accepted, health.spooled) == (0, 0), health
    track(5)
    spooled(5)
    os.kill(os.getpid(), 9)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
track(3)
assert analytics.recorder.flush_blocking(30)
assert analytics.recorder.health().stored == 13
assert analytics.close() == 0
assert Analytics(store, config=config).close() == 0, "nothing was recorded, so nothing begun"
analytics = Analytics(store, config=config)
analytics.recorder.start()
while analytics.recorder.health().stored < 5:
    threading.Event().wait(0.001)
assert analytics.close() == 0
store.close()
""",
        tmp_path / "far.db",
        tmp_path / "spool",
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    events = stored_events(tmp_path / "far.db")
    assert len(events) == 18
    writers = [event.writer for event in events]
    assert sorted(writers.count(writer) for writer in set(writers)) == [5, 13]


def test_an_exit_leaves_to_the_next_process_what_cannot_be_stored(tmp_path: Path) -> None:
    places = (tmp_path / "far.db", tmp_path / "spool")
    left = run(
        PRELUDE
        + """
from copilot_analytics.recorder import Recorder
Recorder.EXIT_SECONDS = 0.2
store.away = True
track(50)
""",
        *places,
    )
    stored = run(PRELUDE + "track(1)", *places)

    assert left.returncode == 0
    assert "50 events are left in the spool" in left.stderr
    assert (stored.returncode, stored.stderr) == (0, "")
    assert len(stored_events(tmp_path / "far.db")) == 51


def test_an_exit_stores_what_is_spooled(tmp_path: Path) -> None:
    ended = run(PRELUDE + "track(50)", tmp_path / "far.db", tmp_path / "spool")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(stored_events(tmp_path / "far.db")) == 50
