"""What the spool costs: an event's way to disk, and how much of it the recorder's thread takes.

First the spool alone: framing and appending what is admitted in 50 ms at 500 events/s, against
msgspec's encoding of the same events, CPU time, interleaved. Then the recorder with a store that is
away, so that all of it is `record()`, admission, framing and `os.write`, against the same recorder
without a spool, whose store throws everything away.

    python benchmarks/spool.py [rounds=9] [events=50000]
"""

from __future__ import annotations

import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from _observations import observations
from _report import Result, ratios

from copilot_analytics._guard import Guard
from copilot_analytics.admission import Admission
from copilot_analytics.batch import Batch
from copilot_analytics.errors import StoreUnavailableError
from copilot_analytics.events import AnalyticsEvent, Observation
from copilot_analytics.recorder import Recorder
from copilot_analytics.spool.backlog import Backlog
from copilot_analytics.spool.journal import Journal
from copilot_analytics.spool.spooling import SpoolSettings
from copilot_analytics.stores import MemoryStore
from copilot_analytics.typing import SystemClock
from copilot_analytics.writer import Writer

FRAME = 25
"""Events in a frame: 50 ms at 500 events/s."""

CLOCK = SystemClock()


class _AwayStore(MemoryStore):
    def write(self, batch: Batch) -> None:
        raise StoreUnavailableError(self.url, "it is away", "nothing is to be done")


class _EmptyStore(MemoryStore):
    def write(self, batch: Batch) -> None:
        pass


def _admitted(seen: list[Observation]) -> list[list[AnalyticsEvent]]:
    events, _ = Admission(CLOCK, Writer()).admit_all(seen)
    return [events[first : first + FRAME] for first in range(0, len(events), FRAME)]


def _encode_us(frames: list[list[AnalyticsEvent]]) -> float:
    encode = msgspec.msgpack.Encoder().encode
    started = time.process_time()
    for events in frames:
        encode(events)
    return (time.process_time() - started) * 1e6 / (len(frames) * FRAME)


def _append_us(frames: list[list[AnalyticsEvent]], folder: Path) -> float:
    backlog = Backlog(Journal(folder, max_bytes=1 << 30), memory_events=10_000)
    started = time.process_time()
    for events in frames:
        backlog.append(events)
    took = time.process_time() - started
    backlog.close()
    return took * 1e6 / (len(frames) * FRAME)


def _recorded_rate(seen: list[Observation], folder: Path | None) -> float:
    """Return events per CPU-second, by the CPU time of the whole process."""
    store = _EmptyStore() if folder is None else _AwayStore()
    spool = None
    if folder is not None:
        spool = SpoolSettings(
            store="benchmark://", folder=folder, max_bytes=1 << 30, write_interval=3600.0
        )
    recorder = Recorder(
        store,
        Admission(CLOCK, Writer()),
        clock=CLOCK,
        guard=Guard(),
        max_pending=2 * len(seen),
        batch_size=5_000,
        flush_interval=0.05,
        spool=spool,
    )
    started = time.process_time()
    for observation in seen:
        recorder.record(observation)
    while (health := recorder.health()).stored + health.spooled < len(seen):
        time.sleep(0.01)
    took = time.process_time() - started
    recorder.close(0 if spool else 60)
    return len(seen) / took


def main(rounds: str = "9", events: str = "50000") -> int:
    """Print both costs and their ratios."""
    now = CLOCK.now_ms()
    seen = list(observations(int(events), users=500, start_ms=now - 3_600_000, end_ms=now))
    frames = _admitted(seen)
    encoded, appended, spooled, thrown = [], [], [], []
    for _ in range(int(rounds)):
        with tempfile.TemporaryDirectory() as place:
            encoded.append(_encode_us(frames))
            appended.append(_append_us(frames, Path(place)))
            spooled.append(_recorded_rate(seen, Path(place) / "spool"))
            thrown.append(_recorded_rate(seen, None))
    result = Result()
    result.line("msgspec encode (median)", statistics.median(encoded), "us/event")
    result.line(
        f"framed and written, {FRAME} events a frame (median)",
        statistics.median(appended),
        "us/event",
        2.0,
    )
    result.line("framed and written / msgspec encode", ratios(appended, encoded)[0], "x")
    result.line("recorded and spooled (median)", statistics.median(spooled), "events/CPU-s")
    result.line("recorded and thrown away (median)", statistics.median(thrown), "events/CPU-s")
    result.line("thrown away / spooled", ratios(thrown, spooled)[0], "x")
    return result.missed


if __name__ == "__main__":
    logging.disable()  # the store is away on purpose
    sys.exit(main(*sys.argv[1:]))
