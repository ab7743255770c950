"""The recorder at the ends of real processes, and the files they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from copilot_analytics.periods import DateRange
from copilot_analytics.stores import SQLiteStore
from copilot_analytics.typing import SystemClock
from copilot_analytics.verification import verify

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def script(body: str) -> list[str]:
    return [sys.executable, "-W", "error", "-c", textwrap.dedent(body)]


def run(body: str, *args: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*script(body), *map(str, args)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def assert_whole(path: Path) -> int:
    """Return how many events a file holds, after counting everything in it again."""
    today = DateRange.of(now_ms=SystemClock().now_ms())
    with SQLiteStore(path) as store:
        report = verify(store, today)
        assert not report.differences
        assert not report.unbacked
        assert report.events == store.statistics()["events"]
    return report.events


def test_an_exit_stores_what_is_pending(tmp_path: Path) -> None:
    ended = run(
        """
        import sys
        from copilot_analytics import Analytics

        analytics = Analytics(f"sqlite:///{sys.argv[1]}")
        for _ in range(1000):
            analytics.service.track_command_execution("ada", "add", True)
        """,
        tmp_path / "exit.db",
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert assert_whole(tmp_path / "exit.db") == 1000


def test_an_exit_by_an_exception_stores_what_is_pending(tmp_path: Path) -> None:
    ended = run(
        """
        import asyncio, sys
        from copilot_analytics import Analytics

        async def main():
            analytics = Analytics(f"sqlite:///{sys.argv[1]}")
            analytics.service.track_command_execution("ada", "add", True)
            raise RuntimeError("the host's own")

        asyncio.run(main())
        """,
        tmp_path / "exit.db",
    )

    assert ended.returncode == 1
    assert ended.stderr.rstrip().endswith("RuntimeError: the host's own")
    assert assert_whole(tmp_path / "exit.db") == 1


@pytest.mark.parametrize("ending", ["hangs", "fails"])
def test_an_exit_does_not_wait_for_a_store_that_hangs_or_fails(ending: str) -> None:
    ended = run(
        """
        import sys, threading
        from copilot_analytics import Analytics
        from copilot_analytics.errors import StoreUnavailableError
        from copilot_analytics.recorder import Recorder
        from copilot_analytics.stores import MemoryStore

        class BadStore(MemoryStore):
            def write(self, batch):
                if sys.argv[1] == "hangs":
                    threading.Event().wait()
                raise StoreUnavailableError("bad://", "it is away", "wait")

        Recorder.EXIT_SECONDS = 0.1
        analytics = Analytics(BadStore())
        analytics.service.track_command_execution("ada", "add", True)
        """,
        ending,
    )

    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


def test_recording_at_exit_harms_nobody(tmp_path: Path) -> None:
    """After threads can no longer be started, the interpreter still ends in peace."""
    ended = run(
        """
        import atexit, sys

        class Late:
            def __del__(self):
                analytics.service.track_command_execution("ada", "late", True)

        atexit.register(lambda: analytics.service.track_command_execution("ada", "late", True))
        from copilot_analytics import Analytics

        analytics = Analytics(f"sqlite:///{sys.argv[1]}")
        late = Late()
        """,
        tmp_path / "exit.db",
    )

    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


def test_a_kill_loses_at_most_what_no_flush_returned_for(tmp_path: Path) -> None:
    """Killed anywhere in a stream of writes: every flushed event is there, and no half batch."""
    path = tmp_path / "killed.db"
    for round in range(4):
        before = assert_whole(path) if round else 0
        process = subprocess.Popen(
            [
                *script(
                    """
                    import sys
                    from copilot_analytics import Analytics, AnalyticsConfig

                    config = AnalyticsConfig(flush_interval=0.01, batch_size=50)
                    analytics = Analytics(f"sqlite:///{sys.argv[1]}", config=config)
                    stored = 0
                    while True:
                        for number in range(200):
                            analytics.service.track_command_execution("ada", "add", True, 1.5)
                            analytics.service.track_error("ada", "Timeout", "no answer")
                        analytics.recorder.flush_blocking()
                        stored += 400
                        print(stored, flush=True)
                    """
                ),
                str(path),
            ],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        flushed = 0
        for _ in range(1 + 2 * round):
            flushed = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        # What it had printed by then, it had flushed by then.
        flushed = max([flushed, *map(int, process.stdout.read().split())])
        process.wait()
        process.stdout.close()
        assert assert_whole(path) >= before + flushed


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers that send signals")
def test_a_signal_handler_may_record_wherever_it_comes(tmp_path: Path) -> None:
    """With batches of one event, nearly every call is in the part that takes locks."""
    ended = run(
        """
        import signal, sys
        from copilot_analytics import Analytics, AnalyticsConfig

        def track(*_):
            analytics.service.track_command_execution("ada", "add", True)

        analytics = Analytics("memory://", config=AnalyticsConfig(batch_size=1, strict=True))
        signal.signal(signal.SIGALRM, track)
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        for _ in range(5_000):
            track()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, lambda *_: None)  # one more may be on its way
        assert analytics.close(30) == 0
        health = analytics.recorder.health()
        assert health.stored == health.accepted > 5_000, health
        """,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
