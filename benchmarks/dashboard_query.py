"""`service.dashboard()` over 30 days, at one and at five million events.

20 commands, 50 error patterns, 10,000 users. Each answer is a first call on a fresh connection;
the three contenders (ours at 1 M, ours at 5 M, hand-written SQL over the same rollup rows at 5 M)
are interleaved, each round in an order of its own: in a fixed one, the garbage collector comes
round at the same contender every time. The hand-written SQL reads what the answer is made of, and
makes no answer of it.

    python benchmarks/dashboard_query.py [rounds=201] [small=1000000] [large=5000000]
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from _observations import DAYS, fill
from _report import Result, ratios

from copilot_analytics import Analytics
from copilot_analytics.periods import DAY_MS

# Kinds: 1 activity, 2 command, 4 error, 5 pattern; see stores/_sqlite_schema.py.
_SUMS = ", ".join(f"sum(n{i})" for i in range(1, 13))
HAND_WRITTEN = (
    f"SELECT {_SUMS} FROM rollups WHERE kind = 1 AND period BETWEEN ? AND ? AND dimension = 'all'",
    "SELECT counters FROM details WHERE kind = 1 AND period BETWEEN ? AND ? AND dimension = 'all'",
    "SELECT users FROM distinct_users WHERE kind = 1 AND period BETWEEN ? AND ?",
    "SELECT dimension, sum(n1) FROM rollups WHERE kind = 4 AND period BETWEEN ? AND ? GROUP BY 1",
    f"SELECT dimension, max(last), {_SUMS} FROM rollups WHERE kind = 2 AND period BETWEEN ? AND ? "
    "GROUP BY dimension ORDER BY sum(n1) DESC, dimension LIMIT 5",
    "SELECT top.dimension, top.total, p.message, p.count, p.first, p.users FROM "
    "(SELECT dimension, sum(n1) AS total FROM rollups WHERE kind = 5 AND period BETWEEN ? AND ? "
    "GROUP BY dimension ORDER BY total DESC, dimension LIMIT 5) top "
    "JOIN patterns p ON p.dimension = top.dimension",
    "SELECT dimension, users FROM distinct_users WHERE kind = 5 AND period BETWEEN ? AND ? "
    "AND dimension IN (SELECT dimension FROM rollups WHERE kind = 5 "
    "GROUP BY dimension ORDER BY sum(n1) DESC LIMIT 5)",
)


async def _ours(path: Path) -> float:
    analytics = Analytics(f"sqlite:///{path}")
    started = time.perf_counter()
    dashboard = await analytics.service.dashboard(analytics.service.range())
    took = time.perf_counter() - started
    assert dashboard.summary.totals.executions
    assert len(dashboard.top_errors) == 5
    await analytics.aclose()
    return took * 1000


def _sql(path: Path, first: int, last: int) -> float:
    started = time.perf_counter()
    connection = sqlite3.connect(path)
    for statement in HAND_WRITTEN:
        connection.execute(statement, (first, last)).fetchall()
    took = time.perf_counter() - started
    connection.close()
    return took * 1000


async def _measure(rounds: int, small: int, large: int, folder: Path) -> int:
    now_ms = int(time.time() * 1000)
    paths = {small: folder / "small.db", large: folder / "large.db"}
    for events, path in paths.items():
        started = time.perf_counter()
        await fill(path, events, now_ms)
        print(f"stored {events:,} events in {time.perf_counter() - started:.0f} s", flush=True)
    # A gigabyte that the kernel still writes would be measured, too.
    os.sync()
    today = now_ms // DAY_MS
    first: list[float] = []
    second: list[float] = []
    sql: list[float] = []
    contenders = [first, second, sql]
    shuffle = random.Random(7).shuffle
    for _ in range(rounds):
        shuffle(contenders)
        for took in contenders:
            if took is sql:
                took.append(_sql(paths[large], today - DAYS + 1, today))
            else:
                took.append(await _ours(paths[small if took is first else large]))
    result = Result()
    result.line(f"dashboard at {small:,} events (median)", statistics.median(first), "ms")
    result.line(f"dashboard at {large:,} events (median)", statistics.median(second), "ms")
    result.line("hand-written SQL, same rows (median)", statistics.median(sql), "ms")
    ratio, low, high = ratios(second, first)
    result.line("large / small", ratio, "x", 1.2)
    print(f"{'':<58} {low:.3f} to {high:.3f} over {rounds} interleaved rounds")
    ratio, low, high = ratios(second, sql)
    result.line("ours / hand-written SQL", ratio, "x", 3.0)
    print(f"{'':<58} {low:.3f} to {high:.3f} over {rounds} interleaved rounds")
    return result.missed


def main(rounds: str = "201", small: str = "1000000", large: str = "5000000") -> int:
    """Print the latencies and both ratios."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(int(rounds), int(small), int(large), Path(folder)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
