"""Events made durable per CPU-second, against SQLite's own bulk insert of the same rows.

Ours: `record()`, validation, ids, every rollup kind and the writes, by batches of 5,000. The
baseline: `executemany` of the very rows that ours stored, into the same table with its primary key,
a transaction for every 5,000; once with one index more, which is what the bound is held against,
and once without, as ours is. Interleaved; CPU time of the whole process.

    python benchmarks/durable_events.py [rounds=7] [events=100000]
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from _observations import observations
from _report import Result, ratios

from copilot_analytics import Analytics, AnalyticsConfig
from copilot_analytics.events import EventType, Observation

BATCH = 5_000


async def _ours(path: Path, seen: list[Observation]) -> float:
    config = AnalyticsConfig(batch_size=BATCH, max_pending=2 * len(seen))
    analytics = Analytics(f"sqlite:///{path}", config=config)
    started = time.process_time()
    for observation in seen:
        analytics.recorder.record(observation)
    await analytics.recorder.flush()
    took = time.process_time() - started
    health = analytics.recorder.health()
    assert health.stored == len(seen), health
    await analytics.aclose()
    return len(seen) / took


def _baseline(path: Path, source: Path, *, index: bool) -> float:
    with sqlite3.connect(source) as stored:
        ddl = stored.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = 'events' AND sql IS NOT NULL"
        ).fetchall()
        rows = stored.execute("SELECT * FROM events").fetchall()
    stored.close()
    target = sqlite3.connect(path, isolation_level=None)
    target.execute("PRAGMA journal_mode=WAL")
    target.execute("PRAGMA synchronous=NORMAL")
    for (statement,) in ddl:
        target.execute(statement)
    if index:
        target.execute("CREATE INDEX events_by_user ON events (user_id, timestamp)")
    insert = f"INSERT INTO events VALUES ({','.join('?' * len(rows[0]))})"
    started = time.process_time()
    for first in range(0, len(rows), BATCH):
        target.execute("BEGIN")
        target.executemany(insert, rows[first : first + BATCH])
        target.execute("COMMIT")
    took = time.process_time() - started
    target.close()
    return len(rows) / took


def _record_ns(seen: list[Observation], path: Path) -> float:
    """Return the caller's nanoseconds for making an observation and recording it."""
    analytics = Analytics(
        f"sqlite:///{path}", config=AnalyticsConfig(max_pending=2 * len(seen), flush_interval=60)
    )
    record = analytics.recorder.record
    started = time.thread_time_ns()
    for _ in range(4_000):
        record(
            Observation(
                EventType.ACTION_EXECUTED,
                "user-1",
                1_767_225_600_000,
                "conversation-1",
                "connection-1",
                {"command_name": "add", "success": True, "execution_ms": 12.5},
            )
        )
    took = (time.thread_time_ns() - started) / 4_000
    analytics.close()
    return took


def main(rounds: str = "7", events: str = "100000") -> int:
    """Print both rates, their ratio and the cost of `record()`."""
    now = int(time.time() * 1000)
    seen = list(observations(int(events), users=500, start_ms=now - 3_600_000, end_ms=now))
    ours, indexed, bare, record = [], [], [], []
    for _ in range(int(rounds)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            ours.append(asyncio.run(_ours(path / "ours.db", seen)))
            indexed.append(_baseline(path / "indexed.db", path / "ours.db", index=True))
            bare.append(_baseline(path / "bare.db", path / "ours.db", index=False))
            record.append(_record_ns(seen, path / "record.db"))
    result = Result()
    result.line("durable with everything (median)", statistics.median(ours), "events/CPU-s")
    result.line("executemany, key and index (median)", statistics.median(indexed), "events/CPU-s")
    ratio, low, high = ratios(ours, indexed)
    result.at_least("durable / executemany, key and index", ratio, "x", 0.3)
    print(f"{'':<58} {low:.3f} to {high:.3f} over {rounds} interleaved rounds")
    result.line("executemany, key alone (median)", statistics.median(bare), "events/CPU-s")
    result.line("durable / executemany, key alone", ratios(ours, bare)[0], "x")
    result.line("observation and record() (median)", statistics.median(record) / 1000, "us", 1.5)
    return result.missed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
